//! The Swarm itself: a state machine without a clock of its own, without waiting and without input or output.
//! Time moves when [`World::advance_to`] says so; what takes time stands in a queue.

pub(crate) mod balancers;
pub(crate) mod blobs;
mod checks;
pub(crate) mod constraint;
pub(crate) mod containers;
mod convert;
mod copy;
pub(crate) mod dice;
pub(crate) mod events;
mod fields;
pub(crate) mod images;
pub(crate) mod managers;
pub(crate) mod model;
pub(crate) mod networks;
pub(crate) mod nodes;
mod orchestrate;
mod ports;
mod queue;
pub(crate) mod refusal;
mod restart;
mod rollout;
mod schedule;
pub(crate) mod services;
mod shape;
pub(crate) mod spec;
pub(crate) mod subnet;
pub(crate) mod table;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use self::balancers::Balancer;
use self::dice::Dice;
use self::events::Events;
use self::images::Images;
use self::managers::Managers;
use self::model::{Blob, Id, Meta, Network, Node, Service, Slot, Task, TaskState};
use self::networks::Addresses;
use self::queue::{Due, Queue};
use self::refusal::Refusal;
use self::restart::{Delayed, Restarts};
use self::rollout::Rollout;
use self::schedule::Load;
use self::table::Table;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Until the managers look at a service that changed.
    pub orchestrate: Duration,
    /// Until a task or network has its addresses.
    pub allocate: Duration,
    /// Until a task has a node.
    pub schedule: Duration,
    /// Until a node has taken a task on.
    pub accept: Duration,
    /// Until a task's container is made.
    pub prepare: Duration,
    /// Until it is started.
    pub start: Duration,
    /// Until a container with a health check is healthy.
    pub healthy: Duration,
    /// Until one that is not is given up.
    pub unhealthy: Duration,
    /// Until a container that is told to stop has done so.
    pub stop: Duration,
    /// Until a task that was removed is forgotten.
    pub reap: Duration,
    /// Until a silent node counts as down.
    pub node_down: Duration,
    /// Until the tasks of a node that is down are given up.
    pub orphan: Duration,
    /// Until managers that lost their leader have another one.
    pub election: Duration,
    /// Until a leader that steps back has handed over.
    pub handover: Duration,
}

impl Default for Timing {
    /// Short ones, but for nodes and managers: their times are the engine's own.
    fn default() -> Self {
        let short = Duration::from_millis(5);
        Self {
            orchestrate: Duration::from_millis(1),
            allocate: Duration::from_millis(1),
            schedule: short,
            accept: short,
            prepare: Duration::from_millis(20),
            start: Duration::from_millis(20),
            healthy: Duration::from_millis(50),
            unhealthy: Duration::from_secs(1),
            stop: Duration::from_millis(20),
            reap: short,
            node_down: Duration::from_secs(15),
            orphan: Duration::from_secs(24 * 60 * 60),
            election: Duration::from_secs(10),
            handover: Duration::from_millis(500),
        }
    }
}

impl Timing {
    /// About those of machines that have the images, with containers that end when they are told to.
    pub fn lifelike() -> Self {
        Self {
            orchestrate: Duration::from_millis(10),
            allocate: Duration::from_millis(20),
            schedule: Duration::from_millis(60),
            accept: Duration::from_millis(50),
            prepare: Duration::from_millis(300),
            start: Duration::from_millis(400),
            healthy: Duration::from_secs(1),
            unhealthy: Duration::from_secs(15),
            stop: Duration::from_millis(500),
            reap: Duration::from_millis(100),
            ..Self::default()
        }
    }
}

/// Whether this engine is in a Swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Active,
    Inactive,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) timing: Timing,
    pub(crate) cluster: Id,
    pub(crate) cluster_created: Timestamp,
    /// The node that this engine is.
    pub(crate) own_node: Id,
    pub(crate) membership: Membership,
    managers: Managers,
    pub(crate) services: Table<Service>,
    pub(crate) tasks: Table<Task>,
    pub(crate) nodes: Table<Node>,
    pub(crate) networks: Table<Network>,
    pub(crate) secrets: Table<Blob>,
    pub(crate) configs: Table<Blob>,
    pub(crate) images: Images,
    pub(crate) events: Events,
    index: u64,
    /// Whether something was written at `index`: what is written together has one number.
    is_written: bool,
    dice: Dice,
    queue: Queue,
    names: BTreeMap<String, Id>,
    /// Tasks by service and slot.
    slots: BTreeMap<Id, BTreeMap<Slot, BTreeSet<Id>>>,
    /// How many tasks of a service run.
    running: BTreeMap<Id, u64>,
    loads: BTreeMap<Id, Load>,
    /// The addresses that are given, by network.
    addresses: BTreeMap<Id, Addresses>,
    /// How many ends this engine's containers have on networks.
    own_ends: BTreeMap<Id, u64>,
    /// Where nodes have ends of their own, by network and node.
    /// The last port of each protocol that the managers chose.
    chosen_ports: BTreeMap<&'static str, u32>,
    balancers: BTreeMap<(Id, Id), Balancer>,
    pending: BTreeSet<Id>,
    /// Tasks that found no address, by the network that had none left.
    without_address: BTreeMap<Id, BTreeSet<Id>>,
    delayed: BTreeMap<Id, Delayed>,
    restarts: Restarts,
    rollouts: BTreeMap<Id, Rollout>,
    /// Services whose tasks' preparing does not end.
    /// Services whose containers are not healthy.
    unhealthy: BTreeSet<String>,
}

impl World {
    pub(crate) fn new(now: Timestamp, seed: u64, timing: Timing) -> Self {
        let mut dice = Dice::new(seed);
        let mut world = Self {
            now,
            timing,
            cluster: dice.id(),
            cluster_created: now,
            own_node: dice.id(),
            membership: Membership::Active,
            managers: Managers::default(),
            services: Table::default(),
            tasks: Table::default(),
            nodes: Table::default(),
            networks: Table::default(),
            secrets: Table::default(),
            configs: Table::default(),
            images: Images::default(),
            events: Events::default(),
            index: 9,
            is_written: false,
            dice,
            queue: Queue::default(),
            names: BTreeMap::new(),
            slots: BTreeMap::new(),
            running: BTreeMap::new(),
            loads: BTreeMap::new(),
            addresses: BTreeMap::new(),
            own_ends: BTreeMap::new(),
            chosen_ports: BTreeMap::new(),
            balancers: BTreeMap::new(),
            pending: BTreeSet::new(),
            without_address: BTreeMap::new(),
            delayed: BTreeMap::new(),
            restarts: Restarts::default(),
            rollouts: BTreeMap::new(),
            unhealthy: BTreeSet::new(),
        };
        world.add_own_networks();
        world
    }

    /// When something happens next; `None` while nothing is under way.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        if self.managers.has_leader() {
            self.queue.next()
        } else {
            self.managers.next_election()
        }
    }

    /// Moves time on, and does what is due by then. Without a leader, everything but an election waits.
    pub(crate) fn advance_to(&mut self, until: Timestamp) {
        self.begin();
        while let Some(at) = self.next_due().filter(|at| *at <= until) {
            if at > self.now {
                self.begin();
            }
            self.now = self.now.max(at);
            if !self.managers.has_leader() {
                self.elect();
            } else if let Some((_, due)) = self.queue.pop(until) {
                self.handle(due);
            }
        }
        self.now = self.now.max(until);
        self.begin();
    }

    /// From here on, what is written gets a new number: the managers write many changes at once, but never those
    /// of two requests.
    pub(crate) fn begin(&mut self) {
        self.is_written = false;
    }

    /// Counts a write; its number.
    fn next_index(&mut self) -> u64 {
        if !self.is_written {
            self.is_written = true;
            self.index += 1;
        }
        self.index
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Orchestrate(service) => self.orchestrate(&service),
            Due::Allocate(task) => self.allocate(&task),
            Due::AllocateWaiting(network) => self.allocate_waiting(&network),
            Due::AllocateService(service) => self.allocate_service(&service),
            Due::AllocateNetwork(network) => self.allocate_network(&network),
            Due::Schedule => self.schedule(),
            Due::Step(task, from) => self.step(&task, from),
            Due::Stopped(task) => self.stopped(&task),
            Due::Unhealthy(task) => self.give_up(&task),
            Due::Start(task) => self.start_if_free(&task),
            Due::Rollout(service) => self.roll(&service),
            Due::Reap(task) => self.forget(&task),
            Due::NodeDown(node, silence) => self.lose_node(&node, silence),
            Due::Orphan(node, silence) => self.give_up_node(&node, silence),
        }
    }

    fn plan(&mut self, after: Duration, due: Due) {
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.queue.plan(at, due);
    }

    /// The `Meta` of an object that is made now.
    fn born(&mut self) -> Meta {
        Meta {
            version: self.next_index(),
            created: self.now,
            updated: self.now,
        }
    }

    /// The same of one that is written now.
    fn written(&mut self, old: Meta) -> Meta {
        Meta {
            version: self.next_index(),
            updated: self.now,
            ..old
        }
    }

    /// Refuses when the managers cannot answer.
    ///
    /// # Errors
    /// As the engine says it.
    pub(crate) fn require_managers(&self) -> Result<(), Refusal> {
        if self.membership == Membership::Inactive {
            return Err(Refusal::new(
                503,
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to \
                 connect this node to swarm and try again.",
            ));
        }
        self.require_leader()
    }

    /// How many tasks of a service run, and how many are meant to.
    pub(crate) fn counts(&self, service: &Service) -> (u64, u64) {
        let running = self.running.get(&service.id).copied().unwrap_or_default();
        let desired = match service.spec.mode {
            spec::Mode::Replicated(replicas) => replicas,
            spec::Mode::Global => self
                .tasks_of(&service.id)
                .iter()
                .filter(|id| {
                    self.tasks
                        .get(id)
                        .is_some_and(|task| task.desired == TaskState::Running)
                })
                .count() as u64,
        };
        (running, desired)
    }

    pub(crate) fn tasks_of(&self, service: &str) -> Vec<Id> {
        let slots = self.slots.get(service).into_iter().flat_map(BTreeMap::values);
        slots.flatten().cloned().collect()
    }
}
