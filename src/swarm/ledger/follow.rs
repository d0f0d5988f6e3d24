//! Whom a change concerns, beside the owner of what changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, ReadNo, Used, remove_from};
use crate::plan::action::Target;
use crate::resource::object::Key;
use crate::swarm::decode::{SeenBlob, SeenNetwork, owner};
use crate::swarm::want::Want;

/// Who is told of what by name: whether it is there or not, and whoever it belongs to.
#[derive(Debug, Default)]
pub(super) struct Followers {
    followed: BTreeMap<Key, Followed>,
    by_service: BTreeMap<String, BTreeSet<Key>>,
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
        for name in self.followed.remove(owner).unwrap_or_default().services {
            remove_from(&mut self.by_service, &name, owner);
        }
        if followed == Followed::default() {
            return;
        }
        for name in &followed.services {
            self.by_service
                .entry(name.clone())
                .or_default()
                .insert(owner.clone());
        }
        self.followed.insert(owner.clone(), followed);
    }

    /// Who follows a service of that name.
    pub(super) fn of_service(&self, name: &str) -> impl Iterator<Item = Key> {
        self.by_service.get(name).into_iter().flatten().cloned()
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

    /// Takes an answer about the networks; the owners to whom it tells something new.
    pub(in crate::swarm) fn networks(&mut self, read: ReadNo, answer: Vec<SeenNetwork>) -> BTreeSet<Key> {
        let changed = self.networks.replace(read, answer, &self.instance);
        self.has_read(read, None, |target| matches!(target, Target::Network(_)));
        self.concerned(&changed)
    }

    /// Takes an answer about the secrets, likewise.
    pub(in crate::swarm) fn secrets(&mut self, read: ReadNo, answer: Vec<SeenBlob>) -> BTreeSet<Key> {
        let changed = self.secrets.replace(read, answer, &self.instance);
        self.has_read(read, None, |target| matches!(target, Target::Secret(_)));
        self.makers(&changed)
    }

    /// Takes an answer about the configs, likewise.
    pub(in crate::swarm) fn configs(&mut self, read: ReadNo, answer: Vec<SeenBlob>) -> BTreeSet<Key> {
        let changed = self.configs.replace(read, answer, &self.instance);
        self.has_read(read, None, |target| matches!(target, Target::Config(_)));
        self.makers(&changed)
    }

    /// The owners to whom changed networks matter.
    fn concerned(&self, changed: &[SeenNetwork]) -> BTreeSet<Key> {
        let names: BTreeSet<&str> = changed.iter().map(|network| network.name.as_str()).collect();
        let follows =
            |followed: &Followed| followed.networks.iter().any(|name| names.contains(name.as_str()));
        let followers = self.followers.followed.iter();
        let followers = followers.filter(|(_, followed)| follows(followed));
        let makers = changed
            .iter()
            .filter_map(|network| owner(&network.network.labels, &self.instance));
        followers.map(|(owner, _)| owner.clone()).chain(makers).collect()
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
