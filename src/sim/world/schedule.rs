//! Which node a task gets, or why none.

use std::collections::BTreeMap;

use super::World;
use super::constraint::spread_value;
use super::model::{Availability, Id, Node, Task, TaskState, TaskStatus};
use super::queue::Due;

/// What is on a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    tasks: u64,
    nano_cpus: i64,
    memory_bytes: i64,
    by_service: BTreeMap<Id, u64>,
}

impl Load {
    const NONE: Self = Self {
        tasks: 0,
        nano_cpus: 0,
        memory_bytes: 0,
        by_service: BTreeMap::new(),
    };

    pub(super) fn count(&mut self, task: &Task, add: bool) {
        let sign = if add { 1 } else { -1 };
        self.nano_cpus = self.nano_cpus.saturating_add(sign * task.spec.reserved_cpus);
        self.memory_bytes = self.memory_bytes.saturating_add(sign * task.spec.reserved_memory);
        if !task.is_wanted() {
            return;
        }
        let of_service = self.by_service.entry(task.service.clone()).or_default();
        if add {
            self.tasks += 1;
            *of_service += 1;
        } else {
            self.tasks = self.tasks.saturating_sub(1);
            *of_service = of_service.saturating_sub(1);
        }
        if *of_service == 0 {
            self.by_service.remove(&task.service);
        }
    }

    fn of(&self, service: &Id) -> u64 {
        self.by_service.get(service).copied().unwrap_or_default()
    }
}

/// Why a node does not do, in the order in which the managers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    NotReady,
    Resources,
    Constraints,
    Platform,
    MaxReplicas,
}

impl Obstacle {
    fn words(self, count: usize) -> String {
        let nodes = if count == 1 {
            "1 node".to_owned()
        } else {
            format!("{count} nodes")
        };
        match self {
            Self::NotReady => format!("{nodes} not available for new tasks"),
            Self::Resources => format!("insufficient resources on {nodes}"),
            Self::Constraints => format!("scheduling constraints not satisfied on {nodes}"),
            Self::Platform => format!("unsupported platform on {nodes}"),
            Self::MaxReplicas => "max replicas per node limit exceed".to_owned(),
        }
    }
}

impl World {
    /// Gives nodes to the tasks that wait for one.
    pub(super) fn schedule(&mut self) {
        let waiting: Vec<Id> = self.pending.iter().cloned().collect();
        for id in waiting {
            let Some(task) = self.tasks.get(&id).cloned() else {
                continue;
            };
            if !task.is_wanted() || task.status.state != TaskState::Pending {
                self.pending.remove(&id);
                continue;
            }
            match self.choose(&task) {
                Ok(node) => {
                    self.pending.remove(&id);
                    self.assign(&id, node);
                }
                Err(why) => self.stay(&id, &task, why),
            }
        }
    }

    fn assign(&mut self, id: &Id, node: Id) {
        let now = self.now;
        self.edit_task(id, |task| {
            task.node = Some(node);
            task.status = TaskStatus {
                at: now,
                state: TaskState::Assigned,
                message: "scheduler assigned task to node",
                err: String::new(),
            };
        });
        self.join_networks(id);
        self.plan(self.timing.accept, Due::Step(id.clone(), TaskState::Assigned));
    }

    fn stay(&mut self, id: &Id, task: &Task, why: String) {
        if task.status.err == why {
            return;
        }
        let now = self.now;
        self.edit_task(id, |task| {
            task.status.at = now;
            task.status.err = why;
        });
    }

    fn choose(&self, task: &Task) -> Result<Id, String> {
        let mut obstacles: BTreeMap<Obstacle, usize> = BTreeMap::new();
        let mut fitting: Vec<&Node> = Vec::new();
        let own = task.slot.node.as_ref();
        for (_, node) in self
            .nodes
            .iter()
            .filter(|(id, _)| own.is_none_or(|own| own == *id))
        {
            match self.obstacle(task, node) {
                Some(obstacle) => *obstacles.entry(obstacle).or_default() += 1,
                None => fitting.push(node),
            }
        }
        for descriptor in &task.spec.spread {
            fitting = self.least_loaded_branch(task, descriptor, fitting);
        }
        let best = fitting.into_iter().min_by_key(|node| {
            let load = self.load(&node.id);
            (load.of(&task.service), load.tasks)
        });
        if let Some(node) = best {
            return Ok(node.id.clone());
        }
        let mut reasons: Vec<(Obstacle, usize)> = obstacles.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let words: Vec<String> = reasons
            .iter()
            .map(|(obstacle, count)| obstacle.words(*count))
            .collect();
        Err(if words.is_empty() {
            "no suitable node".to_owned()
        } else {
            format!("no suitable node ({})", words.join("; "))
        })
    }

    /// Of the nodes that fit, those of the branch that has the fewest of the service's tasks, on any of its nodes.
    fn least_loaded_branch<'a>(
        &'a self,
        task: &Task,
        descriptor: &str,
        fitting: Vec<&'a Node>,
    ) -> Vec<&'a Node> {
        let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for (id, node) in self.nodes.iter() {
            *counts.entry(spread_value(node, descriptor)).or_default() += self.load(id).of(&task.service);
        }
        let count = |node: &&Node| counts.get(&spread_value(node, descriptor)).copied();
        let least = fitting.iter().min_by_key(|node| count(node));
        let Some(least) = least.map(|node| spread_value(node, descriptor)) else {
            return fitting;
        };
        fitting
            .into_iter()
            .filter(|node| spread_value(node, descriptor) == least)
            .collect()
    }

    fn obstacle(&self, task: &Task, node: &Node) -> Option<Obstacle> {
        let spec = &task.spec;
        let load = self.load(&node.id);
        let platforms = spec
            .template
            .pointer("/Placement/Platforms")
            .and_then(|list| list.as_array());
        let fits = |platform: &serde_json::Value| {
            let word = |key: &str| platform[key].as_str().unwrap_or_default();
            node.platform.runs(word("OS"), word("Architecture"))
        };
        if !node.ready || node.availability != Availability::Active {
            Some(Obstacle::NotReady)
        } else if lacks(node.nano_cpus, load.nano_cpus, spec.reserved_cpus)
            || lacks(node.memory_bytes, load.memory_bytes, spec.reserved_memory)
        {
            Some(Obstacle::Resources)
        } else if !spec.constraints.iter().all(|constraint| constraint.holds(node)) {
            Some(Obstacle::Constraints)
        } else if platforms.is_some_and(|list| !list.is_empty() && !list.iter().any(fits)) {
            Some(Obstacle::Platform)
        } else if spec.max_replicas > 0 && load.of(&task.service) >= spec.max_replicas {
            Some(Obstacle::MaxReplicas)
        } else {
            None
        }
    }

    fn load(&self, node: &Id) -> &Load {
        static NONE: Load = Load::NONE;
        self.loads.get(node).unwrap_or(&NONE)
    }
}

/// Whether a node that has so much, of which so much is taken, cannot bear so much more.
fn lacks(has: i64, taken: i64, more: i64) -> bool {
    more > 0 && more > has.saturating_sub(taken)
}
