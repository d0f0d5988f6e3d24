//! Whose something in the Swarm is: its labels say so, and nothing else does.

use std::collections::BTreeMap;

use crate::resource::Key;
use crate::resource::names::{MANAGER, label};
use crate::resource::workload::Owner;

type Labels = BTreeMap<String, String>;

/// How something in the Swarm stands to an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It is the owner's.
    Own,
    /// It was made for an object of the same kind, namespace and name that is dead: another uid.
    Predecessor,
    /// It is somebody else's and never touched.
    Foreign,
}

impl Ownership {
    pub(super) fn of(labels: &Labels, owner: &Owner, instance: &str) -> Self {
        match uid(labels) {
            Some(uid) if uid == owner.uid && is_ours(labels, instance) => Self::Own,
            Some(_) if belongs_to(labels, &owner.key, instance) => Self::Predecessor,
            _ => Self::Foreign,
        }
    }
}

/// Whether this installation made it.
pub(super) fn is_ours(labels: &Labels, instance: &str) -> bool {
    has(labels, label::MANAGED_BY, MANAGER) && has(labels, label::INSTANCE, instance)
}

/// Whether this installation made it for `key`, under any uid.
pub(super) fn belongs_to(labels: &Labels, key: &Key, instance: &str) -> bool {
    is_ours(labels, instance)
        && uid(labels).is_some()
        && has(labels, label::KIND, key.kind.singular())
        && has(labels, label::NAMESPACE, &key.namespace)
        && has(labels, label::NAME, &key.name)
}

/// The owner uid that it carries.
pub(super) fn uid(labels: &Labels) -> Option<&str> {
    labels
        .get(label::UID)
        .map(String::as_str)
        .filter(|uid| !uid.is_empty())
}

/// The labels of all that is made for an owner.
pub(super) fn labels(owner: &Owner, instance: &str) -> Labels {
    let Owner {
        key,
        uid,
        generation: _,
    } = owner;
    [
        (label::MANAGED_BY, MANAGER),
        (label::INSTANCE, instance),
        (label::KIND, key.kind.singular()),
        (label::NAMESPACE, &key.namespace),
        (label::NAME, &key.name),
        (label::UID, uid),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn has(labels: &Labels, name: &str, value: &str) -> bool {
    labels.get(name).is_some_and(|found| found == value)
}
