//! The life of a task: new, pending, assigned, accepted, preparing, ready, starting, running, and its end.

use std::collections::BTreeMap;

use super::World;
use super::model::{Attachment, Container, Id, Service, Slot, Task, TaskState, TaskStatus};
use super::queue::Due;

/// How many tasks the managers keep of a slot.
const HISTORY: usize = 5;

impl World {
    /// Makes a task in a slot of a service.
    pub(super) fn create_task(&mut self, service: &Service, slot: Slot, desired: TaskState) -> Id {
        let id = self.dice.id();
        let task = Task {
            id: id.clone(),
            meta: self.born(),
            service: service.id.clone(),
            node: slot.node.clone(),
            slot,
            spec: service.spec.clone(),
            spec_version: service.spec_version,
            status: TaskStatus {
                at: self.now,
                state: TaskState::New,
                message: "created",
                err: String::new(),
            },
            desired,
            attachments: Vec::new(),
            container: None,
        };
        let tasks = self.slots.entry(service.id.clone()).or_default();
        let tasks = tasks.entry(task.slot.clone()).or_default();
        tasks.insert(id.clone());
        let older: Vec<Id> = tasks.iter().cloned().collect();
        self.count(&task, true);
        self.tasks.put(id.clone(), task);
        self.plan(self.timing.allocate, Due::Allocate(id.clone()));
        self.trim_history(service, older);
        id
    }

    /// Makes a task that runs on a node already.
    pub(super) fn place(&mut self, service: &Service, slot: Slot, node: Id) -> Id {
        let id = self.create_task(service, slot, TaskState::Running);
        let attachments = service
            .spec
            .networks
            .iter()
            .filter_map(|network| self.attach(network))
            .collect();
        let container = Container {
            id: self.dice.hex(),
            pid: 1000,
            exit_code: 0,
            started: Some(self.now),
            kept: true,
        };
        let now = self.now;
        self.edit_task(&id, |task| {
            task.node = Some(node);
            task.attachments = attachments;
            task.container = Some(container);
            task.status = TaskStatus {
                at: now,
                state: TaskState::Running,
                message: "started",
                err: String::new(),
            };
        });
        self.join_networks(&id);
        id
    }

    /// Forgets the oldest ended tasks of a slot that has too many.
    fn trim_history(&mut self, service: &Service, tasks: Vec<Id>) {
        // As many as it takes to tell that a slot has had its attempts.
        let limit = match service.spec.restart.max_attempts {
            0 => HISTORY,
            attempts => usize::try_from(attempts).map_or(usize::MAX, |attempts| attempts.saturating_add(1)),
        };
        if tasks.len() <= limit {
            return;
        }
        let mut excess = tasks.len() - limit;
        let mut by_age: Vec<(jiff::Timestamp, u64, Id)> = tasks
            .into_iter()
            .filter_map(|id| {
                let task = self.tasks.get(&id)?;
                let has_ended = !task.is_alive() || task.status.state < TaskState::Assigned;
                (!task.is_wanted() && has_ended).then_some((task.meta.created, task.meta.version, id))
            })
            .collect();
        by_age.sort();
        for (_, _, id) in by_age {
            if excess == 0 {
                break;
            }
            excess -= 1;
            self.forget(&id);
        }
    }

    /// Writes a task, and keeps what is counted of tasks right.
    pub(super) fn edit_task(&mut self, id: &Id, edit: impl FnOnce(&mut Task)) {
        let Some(old) = self.tasks.get(id).cloned() else {
            return;
        };
        let mut new = old.clone();
        new.meta = self.written(old.meta);
        edit(&mut new);
        self.count(&old, false);
        self.count(&new, true);
        self.tasks.put(id.clone(), new);
    }

    fn count(&mut self, task: &Task, add: bool) {
        if task.status.state == TaskState::Running {
            let running = self.running.entry(task.service.clone()).or_default();
            *running = if add {
                *running + 1
            } else {
                running.saturating_sub(1)
            };
            if *running == 0 {
                self.running.remove(&task.service);
            }
        }
        if let Some(node) = &task.node
            && task.is_alive()
            && task.status.state >= TaskState::Assigned
        {
            self.loads.entry(node.clone()).or_default().count(task, add);
        }
    }

    fn set_state(&mut self, id: &Id, state: TaskState, message: &'static str) {
        let now = self.now;
        self.edit_task(id, |task| {
            task.status = TaskStatus {
                at: now,
                state,
                message,
                err: String::new(),
            };
        });
    }

    /// Gives a task its addresses; without any left, it stays new until one is free again.
    pub(super) fn allocate(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id) else { return };
        if task.status.state != TaskState::New || !task.is_wanted() {
            return;
        }
        let mut attachments: Vec<Attachment> = Vec::new();
        let spec = task.spec.clone();
        for network in &spec.networks {
            match self.attach(network) {
                Some(attachment) => attachments.push(attachment),
                None => {
                    // Somebody else may wait for those that it did find.
                    for attachment in &attachments {
                        self.release(attachment);
                    }
                    let waiting = self.without_address.entry(network.clone()).or_default();
                    waiting.insert(id.clone());
                    return;
                }
            }
        }
        let now = self.now;
        self.edit_task(id, |task| {
            task.attachments = attachments;
            task.status = TaskStatus {
                at: now,
                state: TaskState::Pending,
                message: "pending task scheduling",
                err: String::new(),
            };
        });
        self.pending.insert(id.clone());
        self.plan(self.timing.schedule, Due::Schedule);
    }

    /// A node takes a task one state further.
    pub(super) fn step(&mut self, id: &Id, from: TaskState) {
        let Some(task) = self.tasks.get(id).cloned() else {
            return;
        };
        if task.status.state != from {
            return;
        }
        if !task.is_wanted() {
            self.wind_down(id);
            return;
        }
        let is_reached = task
            .node
            .as_ref()
            .and_then(|node| self.nodes.get(node))
            .is_some_and(|node| node.alive);
        if !is_reached {
            return;
        }
        let timing = self.timing;
        match from {
            TaskState::Assigned => {
                self.set_state(id, TaskState::Accepted, "accepted");
                self.plan(timing.accept, Due::Step(id.clone(), TaskState::Accepted));
            }
            TaskState::Accepted => {
                self.set_state(id, TaskState::Preparing, "preparing");
                self.plan(timing.prepare, Due::Step(id.clone(), TaskState::Preparing));
            }
            TaskState::Preparing => self.prepared(id, &task),
            TaskState::Ready if task.desired == TaskState::Running => {
                self.set_state(id, TaskState::Starting, "starting");
                self.start_container(id, &task);
            }
            TaskState::Starting => {
                let (now, pid) = (self.now, 1000 + (self.dice.next() % 30_000) as i64);
                self.set_state(id, TaskState::Running, "started");
                self.edit_task(id, |task| {
                    if let Some(container) = &mut task.container {
                        container.pid = pid;
                        container.started = Some(now);
                    }
                });
                if task.spec.is_checked {
                    self.tell_check(&task, 0);
                    self.tell_container(&task, "health_status: healthy", &[]);
                }
                self.roll_soon(&task.service);
            }
            _ => {}
        }
    }

    fn prepared(&mut self, id: &Id, task: &Task) {
        if self.images.find(&task.spec.image).is_none() {
            let err = format!("No such image: {}", task.spec.image);
            self.end(id, TaskState::Rejected, "preparing", &err, 0);
            return;
        }
        let container = Container {
            id: self.dice.hex(),
            pid: 0,
            exit_code: 0,
            started: None,
            kept: true,
        };
        self.set_state(id, TaskState::Ready, "prepared");
        self.edit_task(id, |task| task.container = Some(container));
        if let Some(task) = self.tasks.get(id).cloned() {
            self.tell_container(&task, "create", &[]);
        }
        self.step(id, TaskState::Ready);
    }

    fn start_container(&mut self, id: &Id, task: &Task) {
        self.tell_networks(task, true);
        self.tell_container(task, "start", &[]);
        if !task.spec.is_checked {
            self.plan(self.timing.start, Due::Step(id.clone(), TaskState::Starting));
        } else if self.unhealthy.contains(&task.spec.name) {
            self.plan(
                self.timing.start + self.timing.unhealthy,
                Due::Unhealthy(id.clone()),
            );
        } else {
            let after = self.timing.start + self.timing.healthy;
            self.plan(after, Due::Step(id.clone(), TaskState::Starting));
        }
    }

    /// Takes a task that should not run any longer to its end.
    pub(super) fn wind_down(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id).cloned() else {
            return;
        };
        let is_reached = task
            .node
            .as_ref()
            .and_then(|node| self.nodes.get(node))
            .is_some_and(|node| node.alive);
        match task.status.state {
            TaskState::New | TaskState::Pending => {
                self.pending.remove(id);
                self.let_go(&task);
                self.edit_task(id, |task| task.attachments.clear());
                if task.desired == TaskState::Remove {
                    self.plan(self.timing.reap, Due::Reap(id.clone()));
                } else {
                    self.set_state(id, TaskState::Shutdown, task.status.message);
                }
            }
            _ if !task.is_alive() => {
                if task.desired == TaskState::Remove {
                    self.plan(self.timing.reap, Due::Reap(id.clone()));
                }
            }
            _ if !is_reached => {}
            TaskState::Starting | TaskState::Running => {
                self.tell_container(&task, "kill", &[("signal", "15")]);
                self.edit_task(id, |task| {
                    if let Some(container) = &mut task.container {
                        container.exit_code = -1;
                    }
                });
                self.plan(self.timing.stop, Due::Stopped(id.clone()));
            }
            _ => self.end(id, TaskState::Shutdown, "shutdown", "", 0),
        }
    }

    /// A container has done what it was told.
    pub(super) fn stopped(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id).cloned() else {
            return;
        };
        let is_reached = task
            .node
            .as_ref()
            .and_then(|node| self.nodes.get(node))
            .is_some_and(|node| node.alive);
        if task.is_alive() && !task.is_wanted() && is_reached {
            self.tell_death(&task, 0);
            self.tell_container(&task, "stop", &[]);
            self.end(id, TaskState::Shutdown, "shutdown", "", 0);
        }
    }

    /// A container that never became healthy, or no longer is.
    pub(super) fn give_up(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id).cloned() else {
            return;
        };
        let may = matches!(task.status.state, TaskState::Starting | TaskState::Running);
        if !may || !task.is_wanted() || !self.unhealthy.contains(&task.spec.name) {
            return;
        }
        self.tell_check(&task, 1);
        self.tell_container(&task, "health_status: unhealthy", &[]);
        self.tell_container(&task, "kill", &[("signal", "15")]);
        self.tell_death(&task, 143);
        self.tell_container(&task, "stop", &[]);
        let err = "task: non-zero exit (143): dockerexec: unhealthy container";
        self.end(id, TaskState::Failed, task.status.message, err, 143);
    }

    /// Writes a task's end; what follows from it follows now.
    pub(super) fn end(
        &mut self,
        id: &Id,
        state: TaskState,
        message: &'static str,
        err: &str,
        exit_code: i64,
    ) {
        let now = self.now;
        let was_on_node = self
            .tasks
            .get(id)
            .is_some_and(|task| task.status.state >= TaskState::Assigned);
        self.edit_task(id, |task| {
            task.status = TaskStatus {
                at: now,
                state,
                message,
                err: err.to_owned(),
            };
            if let Some(container) = &mut task.container {
                container.pid = 0;
                container.exit_code = exit_code;
            }
        });
        if was_on_node {
            self.leave_networks(id);
        }
        self.pending.remove(id);
        let Some(task) = self.tasks.get(id).cloned() else {
            return;
        };
        self.let_go(&task);
        if task.desired == TaskState::Remove {
            self.plan(self.timing.reap, Due::Reap(id.clone()));
        } else if task.is_wanted() {
            if matches!(
                state,
                TaskState::Failed | TaskState::Rejected | TaskState::Complete
            ) {
                self.note_end(&task);
            }
            self.restart(&task);
        }
        let waiting: Vec<Id> = self
            .delayed
            .iter()
            .filter(|(_, delayed)| delayed.waits_for(id))
            .map(|(id, _)| id.clone())
            .collect();
        for next in waiting {
            self.start_if_free(&next);
        }
        if !self.pending.is_empty() {
            self.plan(self.timing.schedule, Due::Schedule);
        }
        self.roll_soon(&task.service);
    }

    fn let_go(&mut self, task: &Task) {
        for attachment in &task.attachments {
            self.release(attachment);
        }
    }

    /// Removes a task from the managers' memory.
    pub(super) fn forget(&mut self, id: &Id) {
        let Some(task) = self.tasks.remove(id) else { return };
        self.next_index();
        self.count(&task, false);
        self.pending.remove(id);
        self.delayed.remove(id);
        if let Some(slots) = self.slots.get_mut(&task.service) {
            if let Some(tasks) = slots.get_mut(&task.slot) {
                tasks.remove(id);
                if tasks.is_empty() {
                    slots.remove(&task.slot);
                }
            }
            if slots.is_empty() {
                self.slots.remove(&task.service);
            }
        }
        if task.container.as_ref().is_some_and(|container| container.kept) {
            self.tell_container(&task, "destroy", &[]);
        }
    }

    /// A service's slots with their tasks, last those that changed last: so the managers tell which is newest.
    pub(super) fn slots_of(&self, service: &Id) -> BTreeMap<Slot, Vec<Task>> {
        let slots = self.slots.get(service).into_iter().flatten();
        slots
            .map(|(slot, ids)| {
                let mut tasks: Vec<Task> = ids.iter().filter_map(|id| self.tasks.get(id)).cloned().collect();
                tasks.sort_by_key(|task| (task.status.at, task.meta.created));
                (slot.clone(), tasks)
            })
            .collect()
    }
}
