//! How what is seen in the Swarm stands to an owner: its labels say so, and nothing else does.

use crate::resource::labels::{self, Labels};
use crate::resource::workload::Owner;

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
    pub(super) fn of(found: &Labels, owner: &Owner, instance: &str) -> Self {
        match labels::uid(found) {
            Some(uid) if uid == owner.uid && labels::is_ours(found, instance) => Self::Own,
            Some(_) if labels::belongs_to(found, &owner.key, instance) => Self::Predecessor,
            _ => Self::Foreign,
        }
    }
}
