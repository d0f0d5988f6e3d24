//! Takes away what an owner has in the Swarm: it is being deleted, or it is gone already.

use std::collections::BTreeSet;

use crate::resource::Key;

use super::action::{Outcome, Plan};
use super::observed::Observed;

/// How an owner leaves the Swarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Teardown {
    /// What is to be done now.
    pub plan: Plan,
    /// What was still there when it was observed.
    pub remaining: Remaining,
}

/// What is still there of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Its services.
    pub services: usize,
    /// Its tasks that still stop, on nodes that answer.
    pub tasks: usize,
}

impl Teardown {
    /// Whether nothing of the owner is left once the plan had this outcome: its finalizer may go.
    pub fn finished(&self, _outcome: &Outcome) -> bool {
        false
    }
}

/// What is to be done so that nothing in the Swarm belongs to `key` any more, under any uid.
///
/// `networks` are those that its spec names (empty when it is not known any more). With `orphan`, services are
/// released: they run on, without our labels.
pub fn teardown(
    _key: &Key,
    _networks: &BTreeSet<String>,
    _orphan: bool,
    _observed: &Observed,
    _instance: &str,
) -> Teardown {
    Teardown::default()
}
