//! Replaces tasks that ended: whether, when, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::model::{Availability, Id, Slot, Task, TaskState};
use super::queue::Due;
use super::spec::{Condition, Restart};

/// The restarts so far, by service and slot.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    by_slot: BTreeMap<(Id, Slot), Past>,
}

#[derive(Debug)]
struct Past {
    spec_version: u64,
    times: Vec<Timestamp>,
}

impl Restarts {
    pub(super) fn forget(&mut self, service: &Id) {
        self.by_slot.retain(|(of, _), _| of != service);
    }

    /// Notes a restart, as far as it will be asked for.
    fn note(&mut self, task: &Task, spec_version: u64, now: Timestamp) {
        let policy = task.spec.restart;
        if policy.max_attempts == 0 {
            return;
        }
        let key = (task.service.clone(), task.slot.clone());
        let past = self.by_slot.entry(key).or_insert_with(|| Past {
            spec_version,
            times: Vec::new(),
        });
        if past.spec_version != spec_version {
            past.spec_version = spec_version;
            past.times.clear();
        }
        past.times.retain(|time| policy.counts(*time, now));
        past.times.push(now);
    }
}

impl Restart {
    /// Whether a restart at that time still counts.
    fn counts(self, time: Timestamp, now: Timestamp) -> bool {
        self.window.is_zero() || time.checked_add(self.window).is_ok_and(|end| end > now)
    }
}

/// A task that waits for its turn to start.
#[derive(Debug)]
pub(crate) struct Delayed {
    not_before: Timestamp,
    after: BTreeSet<Id>,
}

impl Delayed {
    pub(super) fn waits_for(&self, task: &Id) -> bool {
        self.after.contains(task)
    }
}

impl World {
    /// Shuts a task down and, if its policy wants that, puts another into its place.
    pub(super) fn restart(&mut self, task: &Task) {
        if !task.is_wanted() {
            return;
        }
        self.desire(&task.id, TaskState::Shutdown);
        let Some(service) = self.services.get(&task.service).cloned() else {
            return;
        };
        if !self.should_restart(task) {
            self.orchestrate_soon(&task.service);
            return;
        }
        if service.spec.mode == super::spec::Mode::Global && !self.takes_tasks(task) {
            return;
        }
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        let is_drained = node.is_some_and(|node| node.availability == Availability::Drain);
        let is_lost = node.is_some_and(|node| !node.ready);
        let delay = if is_drained {
            Duration::ZERO
        } else {
            task.spec.restart.delay
        };
        let next = self.create_task(&service, task.slot.clone(), TaskState::Ready);
        self.restarts.note(task, service.spec_version, self.now);
        let waits = task.is_alive() && !is_lost;
        self.delay(&next, delay, waits.then(|| task.id.clone()));
    }

    fn takes_tasks(&self, task: &Task) -> bool {
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        node.is_some_and(|node| node.ready && node.availability != Availability::Drain)
    }

    /// Whether a task that ended is to be replaced.
    pub(super) fn should_restart(&self, task: &Task) -> bool {
        let policy = task.spec.restart;
        match policy.condition {
            Condition::None => return false,
            Condition::OnFailure if task.status.state == TaskState::Complete => return false,
            _ => {}
        }
        if policy.max_attempts == 0 {
            return true;
        }
        let key = (task.service.clone(), task.slot.clone());
        let Some(past) = self
            .restarts
            .by_slot
            .get(&key)
            .filter(|past| past.spec_version == task.spec_version)
        else {
            return true;
        };
        let recent = past.times.iter().filter(|time| policy.counts(**time, self.now));
        (recent.count() as u64) < policy.max_attempts
    }

    /// Lets a ready task start after a time, and after others have ended.
    pub(super) fn delay(&mut self, id: &Id, delay: Duration, after: impl IntoIterator<Item = Id>) {
        let not_before = self.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        let delayed = Delayed {
            not_before,
            after: after.into_iter().collect(),
        };
        self.delayed.insert(id.clone(), delayed);
        self.plan(delay, Due::Start(id.clone()));
    }

    /// Starts a delayed task whose time has come and whose place is free.
    pub(super) fn start_if_free(&mut self, id: &Id) {
        let Some(delayed) = self.delayed.get(id) else {
            return;
        };
        let is_free = delayed.after.iter().all(|other| match self.tasks.get(other) {
            None => true,
            Some(other) if !other.is_alive() || other.node.is_none() => true,
            Some(other) => {
                let node = other.node.as_ref().and_then(|node| self.nodes.get(node));
                node.is_none_or(|node| !node.ready)
            }
        });
        if delayed.not_before > self.now || !is_free {
            return;
        }
        self.delayed.remove(id);
        let Some(task) = self.tasks.get(id) else { return };
        if task.desired != TaskState::Ready {
            return;
        }
        let from = task.status.state;
        self.edit_task(id, |task| task.desired = TaskState::Running);
        if from == TaskState::Ready {
            self.step(id, TaskState::Ready);
        }
    }
}
