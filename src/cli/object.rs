//! Fields that every object has, read from its JSON: an object is printed as the operator sent it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;
use serde_json::Value;

use crate::resource::names::PINNED;
use crate::resource::object::{API_VERSION, DEFAULT_NAMESPACE};
use crate::resource::{Key, Kind};

/// The object with its `apiVersion` and `kind`, which the items of a list need not repeat.
pub(crate) fn typed(mut object: Value, kind: Kind) -> Value {
    if let Value::Object(fields) = &mut object
        && !fields.contains_key("kind")
    {
        fields.shift_insert(0, "apiVersion".to_owned(), API_VERSION.into());
        fields.shift_insert(1, "kind".to_owned(), kind.name().into());
    }
    object
}

/// The object without the record of who owns which of its fields (`metadata.managedFields`).
pub(crate) fn without_owners(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    object
}

/// A string at a JSON pointer; empty when it is absent.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`, or the default one.
pub(crate) fn namespace(object: &Value) -> &str {
    match text(object, "/metadata/namespace") {
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    }
}

/// Kind, namespace and name; `None` for a kind that is not ours.
pub(crate) fn key(object: &Value) -> Option<Key> {
    let kind = Kind::find(text(object, "/kind"))?;
    Some(Key::new(kind, namespace(object), name(object)))
}

/// `team/payments`.
pub(crate) fn slashed(key: &Key) -> String {
    format!("{}/{}", key.kind.singular(), key.name)
}

/// The command that leaves an object to the GitSource again that declares it.
pub(crate) fn unpin(key: &Key) -> String {
    format!("whoosh annotate {} {PINNED}-", named(key))
}

/// How an object is named on a command line: `team/payments -n prod`.
pub(crate) fn named(key: &Key) -> String {
    match key.namespace.as_str() {
        DEFAULT_NAMESPACE => slashed(key),
        namespace => format!("{} -n {namespace}", slashed(key)),
    }
}

/// What is said of an object that does not exist.
pub(crate) fn not_found(key: &Key) -> String {
    format!("{} not found in {} namespace", slashed(key), key.namespace)
}

/// `metadata.labels`.
pub(crate) fn labels(object: &Value) -> BTreeMap<String, String> {
    string_map(object, "/metadata/labels")
}

/// `metadata.annotations`.
pub(crate) fn annotations(object: &Value) -> BTreeMap<String, String> {
    string_map(object, "/metadata/annotations")
}

/// `metadata.creationTimestamp`.
pub(crate) fn created(object: &Value) -> Option<Timestamp> {
    text(object, "/metadata/creationTimestamp").parse().ok()
}

/// Whether it has been deleted and only waits for its agents to stop.
pub(crate) fn is_going(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// `metadata.generation`; 0 when it is absent.
pub(crate) fn generation(object: &Value) -> i64 {
    object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// `metadata.resourceVersion`.
pub(crate) fn revision(object: &Value) -> &str {
    text(object, "/metadata/resourceVersion")
}

/// `status.conditions`, those that can be read.
pub(crate) fn conditions(object: &Value) -> Vec<Condition> {
    let list = object.pointer("/status/conditions").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|condition| Condition::deserialize(condition).ok())
        .collect()
}

fn string_map(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    object
        .pointer(pointer)
        .and_then(|map| BTreeMap::deserialize(map).ok())
        .unwrap_or_default()
}
