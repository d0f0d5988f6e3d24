//! Rolling updates: some slots at a time, watched, paused or rolled back when they fail.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::World;
use super::model::{Id, Service, Slot, Task, TaskState, UpdateState, UpdateStatus};
use super::queue::Due;
use super::spec::{self, FailureAction};

/// An update under way.
#[derive(Debug)]
pub(crate) struct Rollout {
    spec_version: u64,
    config: spec::Rollout,
    is_rollback: bool,
    total: usize,
    failures: usize,
    waiting: VecDeque<Slot>,
    /// Slots whose new task does not run yet: that task, and those that it replaces once it runs.
    under_way: BTreeMap<Slot, (Id, Vec<Id>)>,
    /// New tasks that are watched, until when.
    watched: BTreeMap<Id, Option<Timestamp>>,
    /// Not before this the next slot.
    next_at: Timestamp,
    /// When the last new task was seen to run, and all were.
    done_at: Option<Timestamp>,
}

impl World {
    /// Looks for slots that are not up to date, and starts updating them.
    pub(super) fn begin_rollout(&mut self, service: &Service, slots: Vec<(Slot, Vec<Task>)>) {
        if self
            .rollouts
            .get(&service.id)
            .is_some_and(|rollout| rollout.spec_version == service.spec_version)
        {
            return;
        }
        let is_old = |tasks: &[Task]| {
            let newest = tasks.iter().rev().find(|task| task.is_wanted()).or(tasks.last());
            newest.is_some_and(|task| self.is_outdated(service, task))
        };
        let dirty: VecDeque<Slot> = slots
            .into_iter()
            .filter(|(_, tasks)| is_old(tasks))
            .map(|(slot, _)| slot)
            .collect();
        let state = service.update.as_ref().map(|update| update.state);
        let is_rollback = state == Some(UpdateState::RollbackStarted);
        if dirty.is_empty() {
            if matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted)) {
                self.complete(&service.id, is_rollback);
            }
            return;
        }
        if matches!(state, Some(UpdateState::Paused | UpdateState::RollbackPaused)) {
            return;
        }
        if !is_rollback && state != Some(UpdateState::Updating) {
            let status = UpdateStatus {
                state: UpdateState::Updating,
                started: Some(self.now),
                completed: None,
                message: "update in progress".to_owned(),
            };
            self.edit_service(&service.id, |service, _| service.update = Some(status));
        }
        let rollout = Rollout {
            spec_version: service.spec_version,
            config: if is_rollback {
                service.spec.rollback
            } else {
                service.spec.update
            },
            is_rollback,
            total: dirty.len(),
            failures: 0,
            waiting: dirty,
            under_way: BTreeMap::new(),
            watched: BTreeMap::new(),
            next_at: self.now,
            done_at: None,
        };
        self.rollouts.insert(service.id.clone(), rollout);
        self.roll(&service.id);
    }

    /// Looks at an update at once, if there is one.
    pub(super) fn roll_soon(&mut self, service: &Id) {
        if self.rollouts.contains_key(service) {
            self.plan(std::time::Duration::ZERO, Due::Rollout(service.clone()));
        }
    }

    /// Takes an update as far as it gets now.
    pub(super) fn roll(&mut self, id: &Id) {
        let Some(mut rollout) = self.rollouts.remove(id) else {
            return;
        };
        let Some(service) = self.services.get(id).cloned() else {
            return;
        };
        if service.spec_version != rollout.spec_version {
            return;
        }
        self.look_at_new_tasks(&mut rollout);
        let limit = match rollout.config.parallelism {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        while rollout.under_way.len() < limit && rollout.next_at <= self.now {
            let Some(slot) = rollout.waiting.pop_front() else {
                break;
            };
            self.replace(&service, slot, &mut rollout);
        }
        if !rollout.waiting.is_empty() && rollout.next_at > self.now {
            let wait = rollout.next_at.duration_since(self.now).unsigned_abs();
            self.plan(wait, Due::Rollout(id.clone()));
        }
        let monitor = rollout.config.monitor;
        if rollout.waiting.is_empty() && rollout.under_way.is_empty() {
            let done_at = *rollout.done_at.get_or_insert(self.now);
            let end = done_at.checked_add(monitor).unwrap_or(Timestamp::MAX);
            if end <= self.now {
                self.complete(id, rollout.is_rollback);
                return;
            }
            self.plan(
                end.duration_since(self.now).unsigned_abs(),
                Due::Rollout(id.clone()),
            );
        }
        self.rollouts.insert(id.clone(), rollout);
    }

    fn look_at_new_tasks(&mut self, rollout: &mut Rollout) {
        let ended: Vec<Slot> = rollout
            .under_way
            .iter()
            .filter(|(_, (new, _))| {
                self.tasks
                    .get(new)
                    .is_none_or(|task| task.status.state >= TaskState::Running || !task.is_wanted())
            })
            .map(|(slot, _)| slot.clone())
            .collect();
        for slot in ended {
            let Some((new, old)) = rollout.under_way.remove(&slot) else {
                continue;
            };
            let until = self.now.checked_add(rollout.config.monitor).ok();
            rollout
                .watched
                .entry(new.clone())
                .and_modify(|watch| *watch = until);
            let runs = self
                .tasks
                .get(&new)
                .is_some_and(|task| task.status.state == TaskState::Running);
            if runs {
                for task in old {
                    self.desire(&task, TaskState::Shutdown);
                }
            }
            rollout.next_at = self
                .now
                .checked_add(rollout.config.delay)
                .unwrap_or(Timestamp::MAX);
        }
    }

    fn replace(&mut self, service: &Service, slot: Slot, rollout: &mut Rollout) {
        let old: Vec<Task> = self.slots_of(&service.id).remove(&slot).unwrap_or_default();
        let old: Vec<Id> = old
            .into_iter()
            .filter(Task::is_wanted)
            .map(|task| task.id)
            .collect();
        let new = if rollout.config.start_first {
            let new = self.create_task(service, slot.clone(), TaskState::Running);
            rollout.under_way.insert(slot, (new.clone(), old));
            new
        } else {
            let new = self.create_task(service, slot.clone(), TaskState::Ready);
            self.delay(&new, std::time::Duration::ZERO, old.iter().cloned());
            for task in &old {
                self.desire(task, TaskState::Shutdown);
            }
            rollout.under_way.insert(slot, (new.clone(), Vec::new()));
            new
        };
        rollout.watched.insert(new, None);
    }

    /// Counts a task that failed, if an update made it; pauses or rolls back when there are too many.
    pub(super) fn note_end(&mut self, task: &Task) {
        let now = self.now;
        let Some(rollout) = self.rollouts.get_mut(&task.service) else {
            return;
        };
        match rollout.watched.remove(&task.id) {
            None => return,
            Some(Some(until)) if until < now => return,
            Some(_) => rollout.failures += 1,
        }
        if rollout.failures as f64 / rollout.total as f64 <= rollout.config.max_failure_ratio {
            return;
        }
        let is_rollback = rollout.is_rollback;
        let action = match rollout.config.action {
            FailureAction::Rollback if is_rollback => FailureAction::Pause,
            action => action,
        };
        let why = format!("due to failure or early termination of task {}", task.id);
        match action {
            FailureAction::Continue => {}
            FailureAction::Pause => {
                self.rollouts.remove(&task.service);
                self.edit_service(&task.service, |service, _| {
                    if let Some(update) = &mut service.update {
                        let (state, what) = if is_rollback {
                            (UpdateState::RollbackPaused, "rollback")
                        } else {
                            (UpdateState::Paused, "update")
                        };
                        update.state = state;
                        update.message = format!("{what} paused {why}");
                    }
                });
            }
            FailureAction::Rollback => self.roll_back(&task.service, &format!("update rolled back {why}")),
        }
    }

    fn roll_back(&mut self, id: &Id, message: &str) {
        let Some(previous) = self.services.get(id).and_then(|service| service.previous.clone()) else {
            return;
        };
        let status = UpdateStatus {
            state: UpdateState::RollbackStarted,
            started: Some(self.now),
            completed: None,
            message: message.to_owned(),
        };
        self.set_spec(id, previous, None, Some(status));
    }

    fn complete(&mut self, id: &Id, is_rollback: bool) {
        self.rollouts.remove(id);
        let now = self.now;
        self.edit_service(id, |service, _| {
            if let Some(update) = &mut service.update {
                update.completed = Some(now);
                (update.state, update.message) = if is_rollback {
                    (UpdateState::RollbackCompleted, "rollback completed".to_owned())
                } else {
                    (UpdateState::Completed, "update completed".to_owned())
                };
            }
        });
    }
}
