//! Whom a change concerns, beside the owner of what changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Names, ReadNo, Shelved, Used, remove_from};
use crate::plan::action::Target;
use crate::resource::object::Key;
use crate::swarm::decode::{SeenBlob, SeenNetwork, owner};
use crate::swarm::want::Want;

/// Who is told of what by name: whether it is there or not, and whoever it belongs to.
#[derive(Debug, Default)]
pub(super) struct Followers {
    followed: BTreeMap<Key, Followed>,
    by_service: BTreeMap<String, BTreeSet<Key>>,
    by_network: BTreeMap<String, BTreeSet<Key>>,
}

/// The names that one owner follows.
#[derive(Debug, Default, PartialEq)]
struct Followed {
    services: BTreeSet<String>,
    networks: BTreeSet<String>,
}

impl Followers {
    /// From now on `owner` follows these, and nothing else; with `Followed::default()`, nothing is kept of it.
    fn set(&mut self, owner: &Key, followed: Followed) {
        if self.followed.get(owner) == Some(&followed) {
            return;
        }
        let before = self.followed.remove(owner).unwrap_or_default();
        for name in &before.services {
            remove_from(&mut self.by_service, name, owner);
        }
        for name in &before.networks {
            remove_from(&mut self.by_network, name, owner);
        }
        if followed == Followed::default() {
            return;
        }
        let add = |index: &mut BTreeMap<String, BTreeSet<Key>>, name: &String| {
            index.entry(name.clone()).or_default().insert(owner.clone());
        };
        for name in &followed.services {
            add(&mut self.by_service, name);
        }
        for name in &followed.networks {
            add(&mut self.by_network, name);
        }
        self.followed.insert(owner.clone(), followed);
    }

    /// Who follows a service of that name.
    pub(super) fn of_service(&self, name: &str) -> impl Iterator<Item = Key> {
        self.by_service.get(name).into_iter().flatten().cloned()
    }

    /// Who follows networks of that name.
    fn of_network(&self, name: &str) -> impl Iterator<Item = Key> {
        self.by_network.get(name).into_iter().flatten().cloned()
    }
}

impl Ledger {
    /// From now on, changes of the services and networks that `want` names are its owner's, too, and those of
    /// what it named before are not.
    pub(in crate::swarm) fn follow(&mut self, want: &Want<'_>) {
        let followed = Followed {
            services: want.service_names.clone(),
            networks: want.networks.clone(),
        };
        self.followers.set(want.owner, followed);
    }

    /// Takes an answer about all networks, secrets and configs, or about those of these names alone; the owners to whom
    /// it tells something new.
    pub(in crate::swarm) fn shelved(
        &mut self,
        read: ReadNo,
        names: Option<&Names>,
        answer: Shelved,
    ) -> BTreeSet<Key> {
        let mut touched = self.networks(read, names.map(|names| &names.networks), answer.networks);
        touched.extend(self.secrets(read, names.map(|names| &names.secrets), answer.secrets));
        touched.extend(self.configs(read, names.map(|names| &names.configs), answer.configs));
        touched
    }

    /// Takes an answer about all networks, or about those of these names alone; the owners to whom it tells something
    /// new.
    pub(in crate::swarm) fn networks(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        answer: Vec<SeenNetwork>,
    ) -> BTreeSet<Key> {
        let changed = self.networks.replace(read, names, answer, &self.instance);
        self.has_read_shelf(read, names, Target::Network);
        self.concerned(&changed)
    }

    /// Takes an answer about secrets, likewise.
    pub(super) fn secrets(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        answer: Vec<SeenBlob>,
    ) -> BTreeSet<Key> {
        let changed = self.secrets.replace(read, names, answer, &self.instance);
        self.has_read_shelf(read, names, Target::Secret);
        self.makers(&changed)
    }

    /// Takes an answer about configs, likewise.
    pub(super) fn configs(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        answer: Vec<SeenBlob>,
    ) -> BTreeSet<Key> {
        let changed = self.configs.replace(read, names, answer, &self.instance);
        self.has_read_shelf(read, names, Target::Config);
        self.makers(&changed)
    }

    /// The owners to whom changed networks matter.
    fn concerned(&self, changed: &[SeenNetwork]) -> BTreeSet<Key> {
        let followers = changed
            .iter()
            .flat_map(|network| self.followers.of_network(&network.name));
        let makers = changed
            .iter()
            .filter_map(|network| owner(&network.network.labels, &self.instance));
        followers.chain(makers).collect()
    }

    /// The owners of changed secrets or configs.
    fn makers(&self, changed: &[SeenBlob]) -> BTreeSet<Key> {
        changed
            .iter()
            .filter_map(|blob| owner(&blob.blob.labels, &self.instance))
            .collect()
    }

    /// The owners for whom networks were made that no service uses any more: whoever left one last does not know
    /// of that, and its maker may be gone.
    pub(in crate::swarm) fn makers_of_idle_networks(&self) -> BTreeSet<Key> {
        let is_idle = |seen: &&SeenNetwork| {
            let used = Used::Network(seen.network.id.clone());
            !self.users.contains_key(&used)
        };
        let idle = self.networks.iter().filter(is_idle);
        idle.filter_map(|seen| owner(&seen.network.labels, &self.instance))
            .collect()
    }
}
