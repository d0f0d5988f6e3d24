//! Which images there are.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use super::dice::Dice;
use super::model::{Image, TaskState};
use super::queue::Due;

/// The images that nodes have or can pull.
#[derive(Debug)]
pub(crate) struct Images {
    /// Whether every image is there that was not taken away.
    pub(crate) has_all: bool,
    known: BTreeMap<String, Option<String>>,
    missing: BTreeSet<String>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            has_all: true,
            known: BTreeMap::new(),
            missing: BTreeSet::new(),
        }
    }
}

impl Images {
    /// The image that a reference names, with or without a digest.
    pub(crate) fn find(&self, reference: &str) -> Option<Image> {
        let name = tagged(reference.split('@').next().unwrap_or_default());
        if self.missing.contains(&name) || !(self.has_all || self.known.contains_key(&name)) {
            return None;
        }
        Some(Image {
            id: format!("sha256:{}", Dice::of(&name).hex()).into(),
            digest: self.known.get(&name).cloned().flatten(),
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.known.keys()
    }

    pub(crate) fn set(&mut self, reference: &str, is_there: bool, digest: Option<&str>) {
        let name = tagged(reference);
        if is_there {
            self.missing.remove(&name);
            self.known.insert(name, digest.map(str::to_owned));
        } else {
            self.known.remove(&name);
            self.missing.insert(name);
        }
    }
}

impl World {
    /// Makes a service's containers healthy or unhealthy.
    pub(crate) fn set_healthy(&mut self, service: &str, is_healthy: bool) {
        let has_changed = if is_healthy {
            self.unhealthy.remove(service)
        } else {
            self.unhealthy.insert(service.to_owned())
        };
        if !has_changed {
            return;
        }
        let Some(id) = self.names.get(service).cloned() else {
            return;
        };
        for task in self.tasks_of(&id) {
            if !self.tasks.get(&task).is_some_and(|task| task.spec.is_checked) {
                continue;
            }
            if is_healthy {
                self.plan(self.timing.healthy, Due::Step(task, TaskState::Starting));
            } else {
                self.plan(self.timing.unhealthy, Due::Unhealthy(task));
            }
        }
    }
}

/// A reference without its digest, as its repository and its tag, if it has one. What follows a registry's colon is a
/// port.
pub(crate) fn split_tag(reference: &str) -> (&str, Option<&str>) {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

/// A reference by which an image is known, with a tag.
pub(crate) fn tagged(reference: &str) -> String {
    match split_tag(reference) {
        (_, Some(_)) => reference.to_owned(),
        _ => format!("{reference}:latest"),
    }
}
