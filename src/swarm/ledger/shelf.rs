//! A list that is only ever read as a whole, and how its members are found.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadNo;
use crate::resource::object::Key;
use crate::swarm::decode::Listed;

/// What was listed, by engine id, by name, and by the owner that it was made for.
#[derive(Debug)]
pub(in crate::swarm) struct Shelf<T> {
    read: ReadNo,
    items: BTreeMap<String, T>,
    by_name: BTreeMap<String, BTreeSet<String>>,
    by_maker: BTreeMap<Option<Key>, BTreeSet<String>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            read: ReadNo::default(),
            items: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_maker: BTreeMap::new(),
        }
    }
}

impl<T: Listed + PartialEq + Clone> Shelf<T> {
    /// Takes an answer; returns what is new, changed or gone.
    pub(in crate::swarm) fn replace(&mut self, read: ReadNo, answer: Vec<T>, instance: &str) -> Vec<T> {
        if read < self.read {
            return Vec::new();
        }
        self.read = read;
        let items = answer
            .into_iter()
            .map(|item| (item.id().to_owned(), item))
            .collect();
        let old = std::mem::replace(&mut self.items, items);
        let new = self.items.iter().filter(|(id, item)| old.get(*id) != Some(item));
        let gone = old.iter().filter(|(id, _)| !self.items.contains_key(*id));
        let changed: Vec<T> = new.chain(gone).map(|(_, item)| item.clone()).collect();
        if !changed.is_empty() {
            self.index(instance);
        }
        changed
    }

    fn index(&mut self, instance: &str) {
        self.by_name.clear();
        self.by_maker.clear();
        for (id, item) in &self.items {
            let same_name = self.by_name.entry(item.name().to_owned()).or_default();
            same_name.insert(id.clone());
            let same_maker = self.by_maker.entry(item.maker(instance)).or_default();
            same_maker.insert(id.clone());
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

    /// Ids of those that were made for an owner of this installation; with `None`, of those that were not.
    pub(super) fn made_for(&self, owner: Option<&Key>) -> impl Iterator<Item = &String> {
        self.by_maker.get(&owner.cloned()).into_iter().flatten()
    }

    /// The owners for whom something was made.
    pub(super) fn makers(&self) -> impl Iterator<Item = &Key> {
        self.by_maker.keys().flatten()
    }
}
