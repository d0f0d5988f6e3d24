//! What the engine tells: a ring of the last events, and those that nobody has passed on yet.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::model::{Labels, Network, Scope, Task};

/// How many events the engine remembers.
const RING: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) action: String,
    pub(crate) id: String,
    /// What the object is called, without anything random.
    pub(crate) name: String,
    pub(crate) attributes: Labels,
    pub(crate) swarm: bool,
    pub(crate) at: Timestamp,
    pub(crate) image: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    ring: VecDeque<Arc<Event>>,
    fresh: Vec<Arc<Event>>,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        let event = Arc::new(event);
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(&event));
        self.fresh.push(event);
    }

    pub(crate) fn take_fresh(&mut self) -> Vec<Arc<Event>> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn since(&self, since: Timestamp) -> Vec<Arc<Event>> {
        self.ring
            .iter()
            .filter(|event| event.at >= since)
            .cloned()
            .collect()
    }
}

impl super::World {
    /// Tells of an object of the managers.
    pub(super) fn tell(
        &mut self,
        kind: &'static str,
        action: &str,
        id: &str,
        name: &str,
        more: &[(&str, &str)],
    ) {
        let mut attributes = Labels::from([("name".to_owned(), name.to_owned())]);
        attributes.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        self.events.push(Event {
            kind,
            action: action.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            attributes,
            swarm: true,
            at: self.now,
            image: None,
        });
    }

    /// Tells of a task's container, if it is on this engine's own node.
    pub(super) fn tell_container(&mut self, task: &Task, action: &str, more: &[(&str, &str)]) {
        let Some(container) = task
            .container
            .as_ref()
            .filter(|_| task.node.as_ref() == Some(&self.own_node))
        else {
            return;
        };
        let mut attributes = container_labels(task);
        attributes.insert("image".to_owned(), task.spec.image.clone());
        attributes.insert("name".to_owned(), task.name());
        attributes.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        self.events.push(Event {
            kind: "container",
            action: action.to_owned(),
            id: container.id.to_string(),
            name: task.stable_name(),
            attributes,
            swarm: false,
            at: self.now,
            image: Some(task.spec.image.clone()),
        });
    }
}

impl super::World {
    /// Tells that a task's container has ended, and with it its ends on its networks.
    pub(super) fn tell_death(&mut self, task: &Task, exit_code: i64) {
        self.tell_container(task, "die", &[("exitCode", &exit_code.to_string())]);
        self.tell_networks(task, false);
    }

    /// Tells of one run of a container's health check.
    pub(super) fn tell_check(&mut self, task: &Task, exit_code: i64) {
        let Some(command) = task.spec.check_command() else {
            return;
        };
        self.tell_container(task, &format!("exec_create: {command}"), &[]);
        self.tell_container(task, &format!("exec_start: {command}"), &[]);
        self.tell_container(task, "exec_die", &[("exitCode", &exit_code.to_string())]);
    }

    /// Tells that a container of this engine's own node is on its networks, or no longer.
    pub(super) fn tell_networks(&mut self, task: &Task, is_there: bool) {
        let Some(container) = task
            .container
            .as_ref()
            .filter(|_| task.node.as_ref() == Some(&self.own_node))
        else {
            return;
        };
        let action = if is_there { "connect" } else { "disconnect" };
        let own = task.attachments.iter().map(|end| end.network.value.clone());
        let mut networks: Vec<Network> = own.collect();
        if networks.is_empty() {
            // What is on no other network is on the engine's own.
            networks.extend(self.find_network("bridge").cloned());
        }
        for network in networks {
            let ends = self.own_ends.entry(network.id.clone()).or_default();
            let before = *ends;
            *ends = if is_there {
                before + 1
            } else {
                before.saturating_sub(1)
            };
            let after = *ends;
            let is_shared = network.scope == Scope::Swarm;
            // The engine has a network of the Swarm for as long as one of its containers is on it.
            if is_shared && before == 0 && is_there {
                self.tell_own_network(&network, "create", None);
            }
            self.tell_own_network(&network, action, Some(&container.id));
            if is_shared && after == 0 {
                self.tell_own_network(&network, "destroy", None);
            }
        }
    }

    /// Tells of this engine's own part in a network.
    fn tell_own_network(&mut self, network: &Network, action: &str, container: Option<&str>) {
        let attributes = [("name", network.name.as_str()), ("type", network.driver())];
        let attributes = attributes
            .into_iter()
            .chain(container.map(|container| ("container", container)));
        self.events.push(Event {
            kind: "network",
            action: action.to_owned(),
            id: network.id.to_string(),
            name: network.name.clone(),
            attributes: attributes
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            swarm: false,
            at: self.now,
            image: None,
        });
    }
}

/// The labels that the engine gives to a task's container.
pub(crate) fn container_labels(task: &Task) -> Labels {
    [
        (
            "com.docker.swarm.node.id",
            task.node.as_deref().unwrap_or_default().to_owned(),
        ),
        ("com.docker.swarm.service.id", task.service.to_string()),
        ("com.docker.swarm.service.name", task.spec.name.clone()),
        ("com.docker.swarm.task", String::new()),
        ("com.docker.swarm.task.id", task.id.to_string()),
        ("com.docker.swarm.task.name", task.name()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}
