//! What schemas cannot say of an object's metadata.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cause::CauseReason;
use super::syntax;
use super::view::{Causes, Node};

/// As in Kubernetes: 256 KiB for all annotations together.
const ANNOTATIONS_MAX: usize = 256 * 1024;

/// Owners that an object may name: each is looked up when it is written, and when one of them goes.
const OWNERS_MAX: usize = 64;

pub(super) fn check(metadata: &Node<'_>, causes: &mut Causes) {
    name(metadata, causes);
    for (key, value) in metadata.field("labels").members() {
        label_key(key, &value, causes);
        causes.text(&value, syntax::label_value);
    }
    let annotations = metadata.field("annotations");
    let mut size = 0;
    for (key, value) in annotations.members() {
        label_key(key, &value, causes);
        size += key.len() + value.text().map_or(0, str::len);
    }
    if size > ANNOTATIONS_MAX {
        let message = format!("have {} KiB; at most 256 KiB can be stored", size.div_ceil(1024));
        causes.add(&annotations, CauseReason::TooLong, message);
    }
    causes.texts(&metadata.field("finalizers"), syntax::label_key);
    owner_references(&metadata.field("ownerReferences"), causes);
}

fn owner_references(references: &Node<'_>, causes: &mut Causes) {
    let (mut controllers, mut count) = (0, 0);
    let mut uids = BTreeSet::new();
    for reference in references.items() {
        count += 1;
        for name in ["apiVersion", "kind", "name", "uid"] {
            let field = reference.field(name);
            if field.text() == Some("") {
                causes.add(&field, CauseReason::Invalid, "must not be empty");
            }
        }
        let version = reference.field("apiVersion");
        if version.text().is_some_and(|text| text.matches('/').count() > 1) {
            let message = "must be a version or a group and a version, as in \"chorus.services/v1\"";
            causes.add(&version, CauseReason::Invalid, message);
        }
        let uid = reference.field("uid");
        if uid.text().is_some_and(|text| !uids.insert(text.to_owned())) {
            causes.add(
                &uid,
                CauseReason::Duplicate,
                "names an owner that is named already",
            );
        }
        let controller = reference.field("controller").value;
        controllers += usize::from(controller.and_then(Value::as_bool) == Some(true));
    }
    if count > OWNERS_MAX {
        let message = format!("are {count}; at most {OWNERS_MAX} can be named");
        causes.add(references, CauseReason::TooLong, message);
    }
    if controllers > 1 {
        let message = format!("{controllers} of them have controller set to true; only one may");
        causes.add(references, CauseReason::Invalid, message);
    }
}

/// What names the object, where no schema has been asked: it may be of any type.
pub(super) fn identity(metadata: &Node<'_>, causes: &mut Causes) {
    if metadata.value.is_some_and(|value| !value.is_object()) {
        causes.add(metadata, CauseReason::TypeInvalid, "must be an object");
        return;
    }
    for node in [metadata.field("name"), metadata.field("namespace")] {
        if node.exists() && node.text().is_none() {
            causes.add(&node, CauseReason::TypeInvalid, "must be a string");
        }
    }
    name(metadata, causes);
}

fn name(metadata: &Node<'_>, causes: &mut Causes) {
    let name = metadata.field("name");
    if !name.exists() {
        let message = match metadata.field("generateName").exists() {
            true => "is required: of a generateName, a name is made only where an object is created",
            false => "is required",
        };
        causes.add(&name, CauseReason::Required, message);
    }
    causes.text(&name, syntax::dns_label);
    causes.text(&metadata.field("namespace"), syntax::dns_label);
}

fn label_key(key: &str, at: &Node<'_>, causes: &mut Causes) {
    if let Err(message) = syntax::label_key(key) {
        causes.add(at, CauseReason::Invalid, message);
    }
}
