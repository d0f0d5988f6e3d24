//! The door: raw JSON in, a valid object out, or every problem at once.
//!
//! First the schema, then what schemas cannot say, each on all parts that are as they should be.

mod agent;
mod cause;
mod git_source;
pub(super) mod merged;
mod metadata;
mod policy;
mod spec;
pub(super) mod syntax;
#[cfg(test)]
mod tests;
mod unknown;
mod view;
mod warnings;

pub use cause::{Cause, CauseReason, Invalid};
pub use syntax::dns_label as label;
pub use unknown::Known;
pub use warnings::warnings;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::git_source::GitSourceSpec;
use super::kind::Kind;
use super::kinds::{AgentTemplateSpec, CouncilSpec, TeamSpec};
use super::nearest;
use super::object::{API_VERSION, Object};
use super::policy_spec::PolicySpec;
use super::schema::{self, quoted};
use view::{Causes, Node};

/// The largest object that may be declared, in bytes of JSON: without its status, and without what is noted of who owns
/// its fields.
pub const DECLARED_MAX: usize = 1 << 20;
/// How many problems of one object are told.
const CAUSES_MAX: usize = 100;

/// What is said of what is no object at all.
const NO_OBJECT: &str = "must be an object with apiVersion, kind, metadata and spec";

/// The members of an object.
const MEMBERS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// Checks a raw object against its kind's schema and against what schemas cannot say.
///
/// The object comes back without its `status`, and without members that are `null`. Its namespace may be
/// absent: the caller knows which one is meant.
///
/// # Errors
/// Every problem of the object.
pub fn object(raw: &Value) -> Result<Object, Invalid> {
    let mut raw = raw.clone();
    drop_nulls(&mut raw);
    let mut causes = Causes::default();
    match raw.as_object_mut() {
        Some(members) => {
            members.remove("status");
            check(&Node::root(&raw), &mut causes);
        }
        None => {
            causes.add(&Node::root(&raw), CauseReason::TypeInvalid, NO_OBJECT);
        }
    }
    if causes.found.is_empty() {
        return typed(raw);
    }
    Err(Invalid {
        causes: shortened(causes.found),
    })
}

/// Checks no more of a raw object than which one it is: its `apiVersion` and `kind`, and the name and namespace in its
/// `metadata`.
///
/// # Errors
/// Every problem of those.
pub fn identity(raw: &Value) -> Result<(), Invalid> {
    let (root, mut causes) = (Node::root(raw), Causes::default());
    if raw.is_object() {
        api_version(&root.field("apiVersion"), &mut causes);
        kind(&root.field("kind"), &mut causes);
        metadata::identity(&root.field("metadata"), &mut causes);
    } else {
        causes.add(&root, CauseReason::TypeInvalid, NO_OBJECT);
    }
    match causes.found.is_empty() {
        true => Ok(()),
        false => Err(Invalid { causes: causes.found }),
    }
}

/// Not more causes than help anybody.
fn shortened(mut causes: Vec<Cause>) -> Vec<Cause> {
    let more = causes.len().saturating_sub(CAUSES_MAX);
    if more > 0 {
        causes.truncate(CAUSES_MAX);
        causes.push(Cause::new(
            "",
            CauseReason::Invalid,
            format!("and {more} more problems"),
        ));
    }
    causes
}

fn check(root: &Node<'_>, causes: &mut Causes) {
    api_version(&root.field("apiVersion"), causes);
    let kind = kind(&root.field("kind"), causes);
    let strange = root
        .members()
        .filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
    causes
        .found
        .extend(strange.map(|(name, _)| unknown::unknown_member(name)));
    let metadata = root.field("metadata");
    against(&metadata, schema::metadata(), causes);
    metadata::check(&metadata, causes);
    if let Some(kind) = kind {
        let spec = root.field("spec");
        if !spec.exists() {
            causes.add(&spec, CauseReason::Required, "is required");
        }
        against(&spec, schema::member(kind, "spec"), causes);
        spec::check(kind, &spec, causes);
    }
    let length = |value: Option<&Value>| value.map_or(0, |value| value.to_string().len());
    let size = length(root.value).saturating_sub(length(metadata.field("managedFields").value));
    if size > DECLARED_MAX {
        let message = format!(
            "the object has {} KiB; at most 1,024 KiB can be declared",
            size.div_ceil(1024)
        );
        causes.found.push(Cause::new("", CauseReason::TooLong, message));
    }
}

fn against(node: &Node<'_>, schema: Option<&JSONSchemaProps>, causes: &mut Causes) {
    if let (Some(value), Some(schema)) = (node.value, schema) {
        schema::check(value, schema, &node.path, &mut causes.found);
    }
}

fn api_version(node: &Node<'_>, causes: &mut Causes) {
    match (node.value, node.text()) {
        (None, _) => causes.add(
            node,
            CauseReason::Required,
            format!("is required: \"{API_VERSION}\""),
        ),
        (_, Some(API_VERSION)) => {}
        (_, Some(text)) => {
            let message = format!("must be \"{API_VERSION}\", got {}", quoted(text));
            causes.add(node, CauseReason::NotSupported, message);
        }
        _ => causes.add(
            node,
            CauseReason::TypeInvalid,
            format!("must be \"{API_VERSION}\""),
        ),
    }
}

/// The kind, when it is one that can be declared.
fn kind(node: &Node<'_>, causes: &mut Causes) -> Option<Kind> {
    let names = || Kind::stored().map(Kind::name);
    let list = || names().collect::<Vec<_>>().join(", ");
    let Some(value) = node.value else {
        causes.add(
            node,
            CauseReason::Required,
            format!("is required: one of {}", list()),
        );
        return None;
    };
    let Some(text) = value.as_str() else {
        causes.add(
            node,
            CauseReason::TypeInvalid,
            format!("must be one of {}", list()),
        );
        return None;
    };
    if let Some(kind) = Kind::stored_as(text) {
        return Some(kind);
    }
    let message = if Kind::ALL.iter().any(|kind| kind.name() == text) {
        format!("{text} is read-only: declare a {}", Kind::Team)
    } else {
        let hint = nearest::hint(text, names());
        format!("must be one of {}, got {}{hint}", list(), quoted(text))
    };
    causes.add(node, CauseReason::NotSupported, message);
    None
}

/// The last check: the kinds' own types read what has been found to be right.
fn typed(raw: Value) -> Result<Object, Invalid> {
    let refused = |field: &str, error: serde_json::Error| Invalid {
        causes: vec![Cause::new(field, CauseReason::Invalid, error.to_string())],
    };
    let object: Object = serde_json::from_value(raw).map_err(|error| refused("metadata", error))?;
    let spec = object.spec.clone();
    match object.kind {
        Kind::Team => serde_json::from_value::<TeamSpec>(spec).map(drop),
        Kind::Council => serde_json::from_value::<CouncilSpec>(spec).map(drop),
        Kind::AgentTemplate => serde_json::from_value::<AgentTemplateSpec>(spec).map(drop),
        Kind::Policy => serde_json::from_value::<PolicySpec>(spec).map(drop),
        Kind::GitSource => serde_json::from_value::<GitSourceSpec>(spec).map(drop),
        Kind::Agent => Ok(()),
    }
    .map_err(|error| refused("spec", error))?;
    Ok(object)
}

pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
