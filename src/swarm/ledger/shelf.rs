//! A list that is read as a whole or by name, and how its members are found.

use std::collections::{BTreeMap, BTreeSet};

use super::{ReadNo, remove_from};
use crate::resource::object::Key;
use crate::swarm::decode::{Listed, SeenBlob, SeenNetwork};

/// Names of networks, secrets and configs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::swarm) struct Names {
    /// Of networks.
    pub(in crate::swarm) networks: BTreeSet<String>,
    /// Of secrets.
    pub(in crate::swarm) secrets: BTreeSet<String>,
    /// Of configs.
    pub(in crate::swarm) configs: BTreeSet<String>,
}

/// Networks, secrets and configs as they were read.
#[derive(Debug)]
pub(in crate::swarm) struct Shelved {
    /// Networks.
    pub(in crate::swarm) networks: Vec<SeenNetwork>,
    /// Secrets.
    pub(in crate::swarm) secrets: Vec<SeenBlob>,
    /// Configs.
    pub(in crate::swarm) configs: Vec<SeenBlob>,
}

/// What was listed, by engine id, by name, and by the owner that it was made for.
#[derive(Debug)]
pub(in crate::swarm) struct Shelf<T> {
    /// When all of it was read.
    read: ReadNo,
    /// Names that were read by themselves since, and when.
    named_reads: BTreeMap<String, ReadNo>,
    items: BTreeMap<String, T>,
    by_name: BTreeMap<String, BTreeSet<String>>,
    by_maker: BTreeMap<Key, BTreeSet<String>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            read: ReadNo::default(),
            named_reads: BTreeMap::new(),
            items: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_maker: BTreeMap::new(),
        }
    }
}

impl<T: Listed + PartialEq + Clone> Shelf<T> {
    /// Takes an answer about all, or about those of these `names` alone; returns what is new, changed or gone.
    pub(in crate::swarm) fn replace(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        answer: Vec<T>,
        instance: &str,
    ) -> Vec<T> {
        // Who asks by name is answered about longer names, too; and what a later read has shown stays.
        let speaks_of = |item: &T| {
            names.is_none_or(|names| names.contains(item.name())) && self.read_of(item.name()) <= read
        };
        let new: BTreeMap<String, T> = answer
            .into_iter()
            .filter(speaks_of)
            .map(|item| (item.id().to_owned(), item))
            .collect();
        let known: Vec<&T> = match names {
            None => self.items.values().collect(),
            Some(names) => {
                let ids = names.iter().flat_map(|name| self.named(name));
                ids.filter_map(|id| self.items.get(id)).collect()
            }
        };
        let gone = known
            .into_iter()
            .filter(|item| speaks_of(item) && !new.contains_key(item.id()));
        let mut changed: Vec<T> = gone.cloned().collect();
        for item in &changed {
            self.remove(item.id(), instance);
        }
        for (id, item) in new {
            if self.items.get(&id) != Some(&item) {
                self.remove(&id, instance);
                changed.push(item.clone());
                self.insert(id, item, instance);
            }
        }
        self.has_read(read, names);
        changed
    }

    /// When anything of that name was read last.
    fn read_of(&self, name: &str) -> ReadNo {
        let by_name = self.named_reads.get(name).copied();
        by_name.map_or(self.read, |read| read.max(self.read))
    }

    fn has_read(&mut self, read: ReadNo, names: Option<&BTreeSet<String>>) {
        match names {
            None => {
                self.read = self.read.max(read);
                self.named_reads.retain(|_, at| *at > read);
            }
            Some(names) => {
                for name in names {
                    let last = self.named_reads.entry(name.clone()).or_default();
                    *last = read.max(*last);
                }
            }
        }
    }

    fn insert(&mut self, id: String, item: T, instance: &str) {
        let same_name = self.by_name.entry(item.name().to_owned()).or_default();
        same_name.insert(id.clone());
        if let Some(maker) = item.maker(instance) {
            self.by_maker.entry(maker).or_default().insert(id.clone());
        }
        self.items.insert(id, item);
    }

    fn remove(&mut self, id: &str, instance: &str) {
        if let Some(item) = self.items.remove(id) {
            remove_from(&mut self.by_name, &item.name().to_owned(), id);
            if let Some(maker) = item.maker(instance) {
                remove_from(&mut self.by_maker, &maker, id);
            }
        }
    }

    pub(in crate::swarm) fn get(&self, id: &str) -> Option<&T> {
        self.items.get(id)
    }

    pub(in crate::swarm) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.values()
    }

    /// Ids of those of that name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &String> {
        self.by_name.get(name).into_iter().flatten()
    }

    /// Ids of those that were made for an owner of this installation.
    pub(super) fn made_for(&self, owner: &Key) -> impl Iterator<Item = &String> {
        self.by_maker.get(owner).into_iter().flatten()
    }

    /// The owners for whom something was made.
    pub(super) fn makers(&self) -> impl Iterator<Item = &Key> {
        self.by_maker.keys()
    }
}
