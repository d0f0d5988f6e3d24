//! What the engine tells: a ring of the last events, and those that nobody has passed on yet.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::model::{Labels, Task};

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
