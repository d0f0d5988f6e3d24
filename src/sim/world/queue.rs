//! What is to happen later, in order of its time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::model::{Id, TaskState};

/// Something that takes its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The managers look at a service's tasks.
    Orchestrate(Id),
    /// They give a new task its addresses.
    Allocate(Id),
    /// They give addresses that a network has again to the tasks that wait for them.
    AllocateWaiting(Id),
    /// They give a service its own addresses.
    AllocateService(Id),
    /// They give a new network its addresses.
    AllocateNetwork(Id),
    /// They look for nodes for the tasks that have none.
    Schedule,
    /// A node takes a task on from this state.
    Step(Id, TaskState),
    /// A container has stopped.
    Stopped(Id),
    /// A container that is not healthy is given up.
    Unhealthy(Id),
    /// A replacement may start, as far as its delay goes.
    Start(Id),
    /// A rolling update looks at what it does.
    Rollout(Id),
    /// A task that is to go is forgotten.
    Reap(Id),
    /// A node that has been silent since that silence began, the how-manieth of it, counts as down.
    NodeDown(Id, u64),
    /// And is given up, with its tasks.
    Orphan(Id, u64),
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<(Timestamp, u64), Due>,
    /// What is planned already, of that which needs no second time.
    planned: BTreeSet<Due>,
    serial: u64,
}

impl Queue {
    pub(crate) fn plan(&mut self, at: Timestamp, due: Due) {
        let is_once = matches!(due, Due::Orchestrate(_) | Due::Schedule | Due::AllocateWaiting(_));
        if is_once && !self.planned.insert(due.clone()) {
            return;
        }
        self.serial += 1;
        self.entries.insert((at, self.serial), due);
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, Due)> {
        let entry = self
            .entries
            .first_entry()
            .filter(|entry| entry.key().0 <= until)?;
        let ((at, _), due) = entry.remove_entry();
        self.planned.remove(&due);
        Some((at, due))
    }
}
