//! What the cache knows: services with their indexes, tasks by owner, and the short lists. Pure data.
//!
//! Reads overlap and their answers may come back in any order, so every read takes a number when it begins.
//! An answer never overwrites what a later read has shown: neither a newer version, nor an absence, nor an
//! object that was made after the read began. Engine ids are never used twice.

mod follow;
mod services;
mod shelf;
mod slice;
#[cfg(test)]
mod tests;
mod unread;
mod usage;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use self::follow::Followers;
pub(in crate::swarm) use self::shelf::{Names, Shelf, Shelved};
use self::unread::Acted;
pub(in crate::swarm) use self::unread::Unread;
use self::usage::Usages;
use crate::plan::action::Target;
use crate::plan::observed::{Node, Service, Task, TaskState};
use crate::plan::service::ServiceSpec;
use crate::resource::object::Key;
use crate::swarm::decode::{SeenBlob, SeenNetwork, SeenNode, SeenService, SeenTask, owner};

/// When a read began, among all reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::swarm) struct ReadNo(u64);

/// Of which services an answer speaks: those of these that it does not hold are gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::swarm) enum Scope<'a> {
    /// All services.
    All,
    /// The services with these ids.
    Ids(&'a BTreeSet<String>),
    /// The services of this owner.
    Owner(&'a Key),
    /// The services with these names, which this owner has or wants.
    Names(&'a Key, &'a BTreeSet<String>),
}

/// What a service may refer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Used {
    /// A network, by id.
    Network(String),
    /// A secret, by name.
    Secret(String),
    /// A config, by name.
    Config(String),
}

/// All that is known.
#[derive(Debug, Default)]
pub(in crate::swarm) struct Ledger {
    instance: String,
    reads: u64,
    services: BTreeMap<String, Entry>,
    by_name: BTreeMap<String, String>,
    by_owner: BTreeMap<Key, BTreeSet<String>>,
    /// What services refer to, with the ids of these services.
    users: BTreeMap<Used, BTreeSet<String>>,
    /// How many addresses services take on each network.
    addresses: BTreeMap<String, u64>,
    usages: Usages,
    /// Services that were found gone, and by which read; kept over two full lists, while reads that began before may
    /// still answer.
    gone: BTreeMap<String, ReadNo>,
    /// When the last full list began.
    listed: ReadNo,
    tasks: BTreeMap<Key, OwnerTasks>,
    /// Owners that were acted on, until what that changed is read.
    acted_on: BTreeMap<Key, Acted>,
    /// The same owners, by what of them was acted on.
    actors: BTreeMap<Target, BTreeSet<Key>>,
    followers: Followers,
    nodes_read: ReadNo,
    /// By id.
    nodes: BTreeMap<String, Node>,
    networks: Shelf<SeenNetwork>,
    secrets: Shelf<SeenBlob>,
    configs: Shelf<SeenBlob>,
}

#[derive(Debug)]
struct Entry {
    read: ReadNo,
    seen: SeenService,
    owner: Option<Key>,
}

#[derive(Debug, Default)]
struct OwnerTasks {
    /// When they were read; zero when they never were.
    read: ReadNo,
    tasks: Vec<SeenTask>,
    /// Whether those of services that are gone are among them.
    has_leftovers: bool,
    /// When there was reason to believe that they change.
    doubted: ReadNo,
}

impl Ledger {
    pub(in crate::swarm) fn new(instance: String) -> Self {
        Self {
            instance,
            ..Self::default()
        }
    }

    /// A read begins.
    pub(in crate::swarm) fn begin(&mut self) -> ReadNo {
        self.reads += 1;
        ReadNo(self.reads)
    }

    /// Takes an answer about the tasks of one owner's services, and of those that are gone if `has_leftovers`; says
    /// whether it tells something new.
    pub(in crate::swarm) fn owner_tasks(
        &mut self,
        read: ReadNo,
        owner: &Key,
        mut answer: Vec<SeenTask>,
        has_leftovers: bool,
    ) -> bool {
        answer.sort_by(|a, b| a.task.id.cmp(&b.task.id));
        let known = self.tasks.entry(owner.clone()).or_default();
        if read < known.read {
            return false;
        }
        let is_new = known.tasks != answer;
        known.read = read;
        known.tasks = answer;
        known.has_leftovers = has_leftovers;
        if known.tasks.is_empty() && !self.by_owner.contains_key(owner) {
            self.tasks.remove(owner);
        }
        is_new
    }

    /// Takes an answer about all tasks of this installation. Those of services that are gone cannot be told
    /// apart by owner here; they are seen when their owner's tasks are read. Returns whom it tells something new.
    pub(in crate::swarm) fn all_tasks(&mut self, read: ReadNo, answer: Vec<SeenTask>) -> BTreeSet<Key> {
        let mut by_owner: BTreeMap<Key, Vec<SeenTask>> = self
            .by_owner
            .keys()
            .map(|owner| (owner.clone(), Vec::new()))
            .collect();
        for task in answer {
            let entry = self.services.get(&task.service);
            if let Some(tasks) = entry.and_then(|entry| by_owner.get_mut(entry.owner.as_ref()?)) {
                tasks.push(task);
            }
        }
        let mut touched = BTreeSet::new();
        for (owner, tasks) in by_owner {
            if self.owner_tasks(read, &owner, tasks, false) {
                touched.insert(owner);
            }
        }
        touched
    }

    /// Whether an owner's tasks were read, those of services that are gone too if `leftovers`, and nothing hints
    /// that they changed since. An owner without services may still have tasks that are ending.
    pub(in crate::swarm) fn knows_tasks(&self, owner: &Key, leftovers: bool) -> bool {
        self.tasks
            .get(owner)
            .is_some_and(|known| known.read > known.doubted && (known.has_leftovers || !leftovers))
    }

    /// Whether the last read of an owner's tasks was to find those of services that are gone, too.
    pub(in crate::swarm) fn has_leftovers(&self, owner: &Key) -> bool {
        self.tasks.get(owner).is_some_and(|known| known.has_leftovers)
    }

    /// Ids of an owner's services.
    pub(in crate::swarm) fn services_of(&self, owner: &Key) -> BTreeSet<String> {
        self.by_owner.get(owner).cloned().unwrap_or_default()
    }

    /// The services of an owner, with the tasks that are known, and the tasks of services that are gone.
    pub(in crate::swarm) fn owned(&self, owner: &Key) -> (Vec<Service>, Vec<Task>) {
        let known = self
            .tasks
            .get(owner)
            .filter(|known| known.read > ReadNo::default());
        let mut by_service: BTreeMap<&str, Vec<&SeenTask>> = BTreeMap::new();
        for task in known.iter().flat_map(|known| &known.tasks) {
            by_service.entry(&task.service).or_default().push(task);
        }
        let services = self
            .by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .filter_map(|id| self.services.get(id))
            .map(|entry| {
                let tasks = by_service
                    .remove(entry.seen.service.id.as_str())
                    .unwrap_or_default();
                let mut service = self.named(entry);
                service.tasks = known.map(|_| judged(tasks, Some(entry.seen.template)));
                service
            })
            .collect();
        let leftover = judged(by_service.into_values().flatten().collect(), None);
        (services, leftover)
    }

    /// A service of somebody else that has a name which `owner` wants.
    fn foreign(&self, owner: &Key, name: &str) -> Option<Service> {
        let id = self.by_name.get(name)?;
        let entry = self
            .services
            .get(id)
            .filter(|entry| entry.owner.as_ref() != Some(owner))?;
        Some(self.named(entry))
    }

    /// Takes an answer about the nodes; says whether it tells something new. Any task may have changed then.
    pub(in crate::swarm) fn nodes(&mut self, read: ReadNo, answer: Vec<SeenNode>) -> bool {
        if read < self.nodes_read {
            return false;
        }
        self.nodes_read = read;
        let nodes: BTreeMap<String, Node> = answer.into_iter().map(|seen| (seen.id, seen.node)).collect();
        let has_changed = nodes != self.nodes;
        if has_changed {
            self.nodes = nodes;
            let now = self.begin();
            self.tasks.values_mut().for_each(|known| known.doubted = now);
        }
        has_changed
    }

    /// The owner of a service.
    pub(in crate::swarm) fn owner_of(&self, service: &str) -> Option<&Key> {
        self.services.get(service)?.owner.as_ref()
    }

    /// All nodes, by id.
    pub(in crate::swarm) fn nodes_by_id(&self) -> BTreeMap<String, Node> {
        self.nodes.clone()
    }

    /// Every owner that has services.
    pub(in crate::swarm) fn service_owners(&self) -> impl Iterator<Item = &Key> {
        self.by_owner.keys()
    }

    /// Every owner that has services, or for whom a network, secret or config was made.
    pub(in crate::swarm) fn owners(&self) -> BTreeSet<Key> {
        let blobs = self.secrets.makers().chain(self.configs.makers());
        let makers = self.networks.makers().chain(blobs);
        self.by_owner.keys().chain(makers).cloned().collect()
    }

    /// Names of the services that refer to something, whoever owns them.
    fn users(&self, of: &Used) -> BTreeSet<String> {
        let ids = self.users.get(of).into_iter().flatten();
        ids.filter_map(|id| Some(self.services.get(id)?.seen.service.spec.name.clone()))
            .collect()
    }

    /// Whether an owner's services are on a network that is not in the list of networks.
    pub(in crate::swarm) fn lacks_networks(&self, owner: &Key) -> bool {
        self.by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .filter_map(|id| self.services.get(id))
            .flat_map(|entry| &entry.seen.service.spec.networks)
            .any(|id| self.networks.get(id).is_none())
    }

    /// A count of running tasks that is not what we know of them is a hint that they changed.
    fn compare_count(&mut self, read: ReadNo, id: &str, running: Option<u64>, touched: &mut BTreeSet<Key>) {
        let owner = self.services.get(id).and_then(|entry| entry.owner.as_ref());
        let known = owner.and_then(|owner| self.tasks.get_mut(owner));
        let (Some(running), Some(owner), Some(known)) = (running, owner, known) else {
            return;
        };
        let is_running = |task: &&SeenTask| task.service == id && task.task.state == TaskState::Running;
        if known.read < read && known.tasks.iter().filter(is_running).count() as u64 != running {
            known.doubted = known.doubted.max(read);
            touched.insert(owner.clone());
        }
    }

    fn put(&mut self, read: ReadNo, seen: SeenService, touched: &mut BTreeSet<Key>) {
        let id = seen.service.id.clone();
        if self.gone.get(&id).is_some_and(|found| *found > read) {
            return;
        }
        if let Some(old) = self.services.get_mut(&id) {
            old.read = old.read.max(read);
            if seen.service.version <= old.seen.service.version {
                return;
            }
        }
        // Names are never shared: whoever had it is gone.
        let namesake = self
            .by_name
            .get(&seen.service.spec.name)
            .filter(|other| **other != id);
        if let Some(namesake) = namesake.cloned() {
            self.miss(read, &namesake, touched);
            if self.services.contains_key(&namesake) {
                return;
            }
        }
        let old = self.unlink(&id);
        let owner = owner(&seen.service.spec.labels, &self.instance);
        if old.is_none()
            && let Some(owner) = &owner
        {
            // Whoever reads its tasks now may have asked before it was known.
            let now = self.begin();
            self.tasks.entry(owner.clone()).or_default().doubted = now;
        }
        touched.extend(old.and_then(|old| old.owner));
        touched.extend(owner.clone());
        touched.extend(self.followers.of_service(&seen.service.spec.name));
        self.link(&id, Entry { read, seen, owner });
    }

    fn miss(&mut self, read: ReadNo, id: &str, touched: &mut BTreeSet<Key>) {
        if self.services.get(id).is_some_and(|entry| entry.read > read) {
            return;
        }
        let found = self.gone.entry(id.to_owned()).or_default();
        *found = read.max(*found);
        if let Some(entry) = self.unlink(id) {
            let name = &entry.seen.service.spec.name;
            touched.extend(self.followers.of_service(name));
            if let Some(owner) = &entry.owner {
                self.has_read_service(read, owner, name);
            }
            if let Some(known) = entry.owner.as_ref().and_then(|owner| self.tasks.get_mut(owner)) {
                known.doubted = known.doubted.max(read);
            }
            touched.extend(entry.owner);
        }
    }

    fn link(&mut self, id: &str, entry: Entry) {
        let name = &entry.seen.service.spec.name;
        self.by_name.insert(name.clone(), id.to_owned());
        if let Some(owner) = &entry.owner {
            self.by_owner
                .entry(owner.clone())
                .or_default()
                .insert(id.to_owned());
        }
        for used in refers_to(&entry.seen.service) {
            self.users.entry(used).or_default().insert(id.to_owned());
        }
        for network in &entry.seen.service.spec.networks {
            *self.addresses.entry(network.clone()).or_default() += addresses(&entry.seen.service);
        }
        self.usages.add(&entry);
        self.services.insert(id.to_owned(), entry);
    }

    fn unlink(&mut self, id: &str) -> Option<Entry> {
        let entry = self.services.remove(id)?;
        self.usages.subtract(&entry);
        let name = &entry.seen.service.spec.name;
        if self.by_name.get(name).is_some_and(|current| current == id) {
            self.by_name.remove(name);
        }
        if let Some(owner) = &entry.owner {
            remove_from(&mut self.by_owner, owner, id);
        }
        for used in refers_to(&entry.seen.service) {
            remove_from(&mut self.users, &used, id);
        }
        for network in &entry.seen.service.spec.networks {
            if let Some(taken) = self.addresses.get_mut(network) {
                *taken = taken.saturating_sub(addresses(&entry.seen.service));
                if *taken == 0 {
                    self.addresses.remove(network);
                }
            }
        }
        Some(entry)
    }

    /// A service with its networks by name; a network that is not known keeps its id.
    fn named(&self, entry: &Entry) -> Service {
        let mut service = entry.seen.service.clone();
        service.spec.networks = service
            .spec
            .networks
            .iter()
            .map(|id| {
                self.networks
                    .get(id)
                    .map_or_else(|| id.clone(), |network| network.name.clone())
            })
            .collect();
        service
    }
}

/// How many addresses a service takes on each of its networks: one a task, and one for its virtual address. One that
/// wants no task is on them, too.
fn addresses(service: &Service) -> u64 {
    let ServiceSpec { replicas, dnsrr, .. } = &service.spec;
    (*replicas).max(1) + u64::from(!dnsrr)
}

fn refers_to(service: &Service) -> impl Iterator<Item = Used> {
    let spec = &service.spec;
    let networks = spec.networks.iter().cloned().map(Used::Network);
    let secrets = spec
        .container
        .secrets
        .iter()
        .map(|file| Used::Secret(file.source.clone()));
    let configs = spec
        .container
        .configs
        .iter()
        .map(|file| Used::Config(file.source.clone()));
    networks.chain(secrets).chain(configs)
}

fn remove_from<K, V, Q>(index: &mut BTreeMap<K, BTreeSet<V>>, key: &K, member: &Q)
where
    K: Ord,
    V: Ord + Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(members) = index.get_mut(key) {
        members.remove(member);
        if members.is_empty() {
            index.remove(key);
        }
    }
}

/// Tasks, newest first, each with whether it runs the current template.
fn judged(tasks: Vec<&SeenTask>, template: Option<u64>) -> Vec<Task> {
    let mut tasks: Vec<Task> = tasks
        .into_iter()
        .map(|seen| Task {
            current: Some(seen.template) == template,
            ..seen.task.clone()
        })
        .collect();
    tasks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    tasks
}
