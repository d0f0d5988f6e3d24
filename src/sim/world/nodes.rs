//! Nodes: they come, go silent, are drained, return.

use std::time::Duration;

use super::World;
use super::model::{Availability, Id, Labels, Node, Platform, TaskState};
use super::queue::Due;
use super::refusal::{Code, Refusal};
use crate::sim::NodeSettings;

impl World {
    /// Adds a node that is ready; the first one is this engine's own, and a manager whatever is said.
    pub(crate) fn add_node(&mut self, new: NodeSettings) {
        let NodeSettings {
            hostname,
            labels,
            nano_cpus,
            memory_bytes,
            is_manager,
        } = new;
        let is_first = self.nodes.len() == 0;
        let id = if is_first {
            self.own_node.clone()
        } else {
            self.dice.id()
        };
        let meta = self.born();
        let node = Node {
            id: id.clone(),
            meta,
            hostname: hostname.clone(),
            labels,
            manager: is_first || is_manager,
            leads: false,
            availability: Availability::Active,
            ready: true,
            message: "",
            alive: true,
            silences: 0,
            nano_cpus,
            memory_bytes,
            address: format!("10.77.{}.{}", self.nodes.len() / 250, self.nodes.len() % 250 + 1),
            platform: Platform::default(),
            engine_labels: Labels::new(),
        };
        self.nodes.put(id.clone(), node);
        self.join_ingress(&id);
        self.tell("node", "create", &id, &hostname, &[]);
        if is_first {
            self.elect();
        }
        self.nodes_changed();
    }

    /// Finds a node by id, host name, or the start of an id.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_node(&self, name: &str) -> Result<&Node, Refusal> {
        let nodes = || self.nodes.iter().map(|(_, node)| node);
        self.nodes
            .get(name)
            .or_else(|| nodes().find(|node| node.hostname == name))
            .or_else(|| nodes().find(|node| node.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("node", name))
    }

    /// Changes labels, availability and role.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn update_node(
        &mut self,
        name: &str,
        version: u64,
        availability: Availability,
        labels: Labels,
        manager: bool,
    ) -> Result<(), Refusal> {
        let node = self.find_node(name)?.clone();
        if node.meta.version != version {
            return Err(Refusal::out_of_sequence());
        }
        if node.manager && !manager {
            self.check_demotion(&node)?;
        }
        self.edit_node(&node.id, |node| {
            node.labels = labels;
            node.availability = availability;
            node.manager = manager;
        });
        self.review_managers();
        match availability {
            Availability::Drain => self.replace_tasks_on(&node.id),
            Availability::Active => self.reject_misplaced(&node.id),
            Availability::Pause => {}
        }
        self.nodes_changed();
        Ok(())
    }

    /// Takes the tasks off a node that their services' constraints keep off it now.
    fn reject_misplaced(&mut self, node: &Id) {
        for id in self.tasks_on(node) {
            if self.is_misplaced(&id) {
                let err = "assigned node no longer meets constraints";
                self.end(
                    &id,
                    TaskState::Rejected,
                    "task rejected by constraint enforcer",
                    err,
                    0,
                );
            }
        }
    }

    fn is_misplaced(&self, id: &Id) -> bool {
        let Some(task) = self
            .tasks
            .get(id)
            .filter(|task| task.is_wanted() && task.is_alive())
        else {
            return false;
        };
        let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
        let service = self.services.get(&task.service);
        let constraints = service.map_or(&task.spec.constraints, |service| &service.spec.constraints);
        node.is_some_and(|node| !constraints.iter().all(|constraint| constraint.holds(node)))
    }

    /// Changes whether a node takes tasks, and nothing else.
    ///
    /// # Errors
    /// When there is no such node.
    pub(crate) fn set_availability(&mut self, name: &str, availability: Availability) -> Result<(), Refusal> {
        let node = self.find_node(name)?.clone();
        self.update_node(name, node.meta.version, availability, node.labels, node.manager)
    }

    /// Removes a node that is down.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn remove_node(&mut self, name: &str, force: bool) -> Result<(), Refusal> {
        let node = self.find_node(name)?.clone();
        let id = &node.id;
        if node.manager {
            return Err(Refusal::rpc(
                Code::FailedPrecondition,
                &format!(
                    "node {id} is a cluster manager and is a member of the raft cluster. It must be demoted to \
                     worker before removal"
                ),
            ));
        }
        if node.ready && !force {
            return Err(Refusal::rpc(
                Code::FailedPrecondition,
                &format!("node {id} is not down and can't be removed"),
            ));
        }
        self.edit_node(id, |node| {
            node.ready = false;
            node.alive = false;
        });
        self.replace_tasks_on(id);
        self.orphan_tasks(id);
        self.nodes.remove(id);
        self.loads.remove(id);
        self.next_index();
        self.tell("node", "remove", id, &node.hostname, &[]);
        self.nodes_changed();
        Ok(())
    }

    /// A node no longer answers: nothing on it changes, and after a time the managers notice.
    pub(crate) fn fail_node(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.find_node(name)?.id.clone();
        let Some(mut node) = self.nodes.get(&id).filter(|node| node.alive).cloned() else {
            return Ok(());
        };
        node.alive = false;
        node.silences += 1;
        self.plan(self.timing.node_down, Due::NodeDown(id.clone(), node.silences));
        self.nodes.put(id, node);
        self.review_managers();
        Ok(())
    }

    /// A node answers again, with what ran on it.
    pub(crate) fn return_node(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.find_node(name)?.id.clone();
        self.edit_node(&id, |node| {
            node.alive = true;
            node.ready = true;
            node.message = "";
        });
        self.review_managers();
        for task in self.tasks_on(&id) {
            let Some(found) = self.tasks.get(&task).filter(|task| task.is_alive()) else {
                continue;
            };
            if found.is_wanted() {
                self.plan(self.timing.accept, Due::Step(task.clone(), found.status.state));
            } else {
                self.wind_down(&task);
            }
        }
        self.nodes_changed();
        Ok(())
    }

    /// A node answers again after its machine failed, and with it all that ran there.
    pub(crate) fn restart_node(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.find_node(name)?.id.clone();
        for task in self.tasks_on(&id) {
            let Some(found) = self.tasks.get(&task) else {
                continue;
            };
            if matches!(found.status.state, TaskState::Starting | TaskState::Running) {
                let message = found.status.message;
                self.end(
                    &task,
                    TaskState::Failed,
                    message,
                    "task: non-zero exit (255)",
                    255,
                );
            }
        }
        self.return_node(name)
    }

    /// The managers notice that a node is silent.
    pub(super) fn lose_node(&mut self, id: &Id, silence: u64) {
        if !self.is_in_silence(id, silence) {
            return;
        }
        self.edit_node(id, |node| {
            node.ready = false;
            node.message = "heartbeat failure";
        });
        self.replace_tasks_on(id);
        let waiting: Vec<Id> = self.delayed.keys().cloned().collect();
        for task in waiting {
            self.start_if_free(&task);
        }
        self.plan(self.timing.orphan, Due::Orphan(id.clone(), silence));
        self.nodes_changed();
    }

    /// A node that has been silent for long is given up.
    pub(super) fn give_up_node(&mut self, id: &Id, silence: u64) {
        if self.is_in_silence(id, silence) {
            self.orphan_tasks(id);
        }
    }

    /// Whether a node has been silent without a break since it fell silent for that time.
    fn is_in_silence(&self, id: &Id, silence: u64) -> bool {
        let node = self.nodes.get(id);
        node.is_some_and(|node| !node.alive && node.silences == silence)
    }

    /// What ran on a node that is gone is orphaned.
    fn orphan_tasks(&mut self, id: &Id) {
        for task in self.tasks_on(id) {
            if self.tasks.get(&task).is_some_and(|task| task.is_alive()) {
                let message = self.tasks.get(&task).map_or("", |task| task.status.message);
                self.end(&task, TaskState::Orphaned, message, "", 0);
            }
        }
    }

    fn tasks_on(&self, node: &Id) -> Vec<Id> {
        let on = self
            .tasks
            .iter()
            .filter(|(_, task)| task.node.as_ref() == Some(node));
        on.map(|(id, _)| id.clone()).collect()
    }

    fn replace_tasks_on(&mut self, node: &Id) {
        for task in self.tasks_on(node) {
            if let Some(task) = self.tasks.get(&task).filter(|task| task.is_wanted()).cloned() {
                self.restart(&task);
            }
        }
    }

    fn nodes_changed(&mut self) {
        self.plan(self.timing.schedule, Due::Schedule);
        let global = |id: &Id| {
            self.services
                .get(id)
                .is_some_and(|service| service.spec.mode == super::spec::Mode::Global)
        };
        let services: Vec<Id> = self.services.ids().into_iter().filter(global).collect();
        for service in services {
            self.plan(Duration::ZERO, Due::Orchestrate(service));
        }
    }

    fn edit_node(&mut self, id: &Id, edit: impl FnOnce(&mut Node)) {
        let Some(old) = self.nodes.get(id).cloned() else {
            return;
        };
        let mut new = old.clone();
        new.meta = self.written(old.meta);
        edit(&mut new);
        let state = |node: &Node| if node.ready { "ready" } else { "down" };
        let mut more = Vec::new();
        if old.availability != new.availability {
            more.push(("availability.new", new.availability.word()));
            more.push(("availability.old", old.availability.word()));
        }
        if old.ready != new.ready {
            more.push(("state.new", state(&new)));
            more.push(("state.old", state(&old)));
        }
        self.tell("node", "update", id, &new.hostname, &more);
        self.nodes.put(id.clone(), new);
    }
}
