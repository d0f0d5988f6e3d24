//! Brings the tasks of a service to what its spec says.

use std::collections::BTreeMap;

use super::World;
use super::model::{Availability, Id, Service, Slot, Task, TaskState};
use super::spec::Mode;

impl World {
    pub(super) fn orchestrate(&mut self, id: &Id) {
        let Some(service) = self.services.get(id).cloned() else {
            for task in self.tasks_of(id) {
                self.desire(&task, TaskState::Remove);
            }
            return;
        };
        match service.spec.mode {
            Mode::Replicated(replicas) => self.replicate(&service, replicas),
            Mode::Global => self.globalize(&service),
        }
    }

    fn replicate(&mut self, service: &Service, replicas: u64) {
        let mut live: Vec<(Slot, Vec<Task>)> = Vec::new();
        for (slot, tasks) in self.slots_of(&service.id) {
            if self.holds_slot(&tasks) {
                live.push((slot, tasks));
            } else {
                // A slot that was scaled away leaves nothing behind.
                for task in tasks.iter().filter(|task| !task.is_alive()) {
                    self.forget(&task.id);
                }
            }
        }
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        if live.len() > wanted {
            let runs = |tasks: &[Task]| tasks.iter().any(|task| task.status.state == TaskState::Running);
            live.sort_by_key(|(slot, tasks)| (!runs(tasks), slot.number));
            for (_, tasks) in live.split_off(wanted) {
                for task in tasks.iter().filter(|task| task.is_wanted()) {
                    self.desire(&task.id, TaskState::Remove);
                }
            }
        }
        let taken: std::collections::BTreeSet<u64> = live.iter().map(|(slot, _)| slot.number).collect();
        let missing = wanted - live.len();
        self.begin_rollout(service, live);
        let free = (1..).filter(|number| !taken.contains(number)).take(missing);
        for number in free {
            self.create_task(service, Slot { number, node: None }, TaskState::Running);
        }
    }

    /// Whether a slot counts: something in it is to run, or has ended and is not to be tried again.
    fn holds_slot(&self, tasks: &[Task]) -> bool {
        tasks.iter().any(Task::is_wanted)
            || tasks
                .last()
                .is_some_and(|task| task.desired != TaskState::Remove && !self.should_restart(task))
    }

    fn globalize(&mut self, service: &Service) {
        let mut slots = self.slots_of(&service.id);
        let mut live: Vec<(Slot, Vec<Task>)> = Vec::new();
        let nodes: BTreeMap<Id, (bool, bool)> = self
            .nodes
            .iter()
            .map(|(id, node)| {
                let fits = service
                    .spec
                    .constraints
                    .iter()
                    .all(|constraint| constraint.holds(node));
                let keeps = fits && node.ready && node.availability != Availability::Drain;
                (
                    id.clone(),
                    (keeps, keeps && node.availability == Availability::Active),
                )
            })
            .collect();
        for (node, (keeps, takes)) in nodes {
            let slot = Slot {
                number: 0,
                node: Some(node),
            };
            let tasks = slots.remove(&slot).unwrap_or_default();
            if !keeps {
                for task in tasks.iter().filter(|task| task.is_wanted()) {
                    self.desire(&task.id, TaskState::Shutdown);
                }
            } else if tasks.iter().any(Task::is_wanted) {
                live.push((slot, tasks));
            } else if takes
                && !tasks.last().is_some_and(|task| {
                    !self.should_restart(task)
                        && task.desired != TaskState::Remove
                        && task.status.state != TaskState::Shutdown
                })
            {
                self.create_task(service, slot, TaskState::Running);
            }
        }
        for task in slots.into_values().flatten().filter(Task::is_wanted) {
            self.desire(&task.id, TaskState::Remove);
        }
        self.begin_rollout(service, live);
    }
}
