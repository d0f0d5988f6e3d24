//! What a GitSource may declare: for the operator, which applies it, and for whoever compares a branch with that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::access::Deed;
use super::git_source::{GitSourceSpec, GitSourceStatus};
use super::names::PINNED;
use super::object::GROUP;
use super::validate::{Cause, CauseReason};
use super::{Key, path};

/// Whether a source, which is called `itself`, may declare an object, and so delete it: it does what somebody with its role
/// could do, and does not decide on itself.
///
/// # Errors
/// The field that says otherwise, and why.
pub fn may_declare(spec: &GitSourceSpec, itself: &Key, key: &Key) -> Result<(), (&'static str, String)> {
    let grant = spec.grant(&itself.namespace);
    if key == itself {
        let message = "is this source itself, which does not decide on itself: apply it yourself";
        return Err(("metadata.name", message.to_owned()));
    }
    if !grant.reaches(&key.namespace) {
        let message = format!(
            "is \"{}\", and this source may declare objects of {} alone (spec.impersonate)",
            key.namespace,
            grant.places()
        );
        return Err(("metadata.namespace", message));
    }
    let deed = Deed {
        verb: "patch".to_owned(),
        group: GROUP.to_owned(),
        resource: key.kind.plural().to_owned(),
        namespace: Some(key.namespace.clone()),
        name: key.name.clone(),
        ..Deed::default()
    };
    match grant.allows(&deed) && key.kind.is_stored() {
        true => Ok(()),
        false => Err((
            "kind",
            format!(
                "{} is not for this source to declare, which has {grant} (spec.impersonate)",
                key.kind.with_article()
            ),
        )),
    }
}

/// Why it may not declare `object`; `others` are what other sources declare, by source.
pub fn refusal(
    spec: &GitSourceSpec,
    itself: &Key,
    (key, object): (&Key, &Value),
    others: &BTreeMap<Key, String>,
) -> Option<Cause> {
    let forbidden = |field: &str, message: String| Cause::new(field, CauseReason::Forbidden, message);
    if let Err((field, message)) = may_declare(spec, itself, key) {
        return Some(forbidden(field, message));
    }
    let annotations = object.pointer("/metadata/annotations");
    if annotations.is_some_and(|all| all.get(PINNED).is_some()) {
        let message = "is for the object as it is in the operator, which it keeps from commits: leave it out";
        return Some(forbidden(
            &path::field("metadata.annotations", PINNED),
            message.to_owned(),
        ));
    }
    let other = others.get(key)?;
    let message = format!("is declared by gitsource/{other} already: leave it to one of the two");
    Some(forbidden("metadata.name", message))
}

/// The objects that it declared when it was applied last, as far as it may: others may write a status, and what is not a
/// source's to declare is not its to delete.
pub fn inventory(spec: &GitSourceSpec, itself: &Key, status: &GitSourceStatus) -> BTreeSet<Key> {
    let told = status.inventory.iter().filter_map(|text| Key::parse(text));
    told.filter(|key| may_declare(spec, itself, key).is_ok())
        .collect()
}

/// What a source is called in a namespace: `fleet` in its own, `tools/fleet` elsewhere.
pub fn name_in(source: &Key, namespace: &str) -> String {
    match namespace == source.namespace {
        true => source.name.clone(),
        false => format!("{}/{}", source.namespace, source.name),
    }
}
