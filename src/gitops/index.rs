//! Which source declares an object, whether somebody changed what is declared of it, and how it is. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::health::{self, Health};
use super::source::Source;
use crate::resource::git_source::SourceHealth;
use crate::resource::{Key, Object};

/// What sources declare.
#[derive(Debug, Default)]
pub(super) struct Index {
    source: BTreeMap<Key, Key>,
    known: BTreeMap<Key, u64>,
    health: BTreeMap<Key, Health>,
}

/// What happened to an object that a source declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// What people declare of it is not what it was.
    Drifted,
    /// It is well or ill in another way.
    Health,
}

impl Index {
    /// Notes what a source declares now.
    pub(super) fn put(&mut self, source: &Source) {
        let key = source.object.key();
        self.source.retain(|_, by| *by != key);
        for declared in source.inventory() {
            self.source.insert(declared, key.clone());
        }
        self.known.retain(|key, _| self.source.contains_key(key));
        self.health.retain(|key, _| self.source.contains_key(key));
    }

    /// Forgets what a source declares.
    pub(super) fn remove(&mut self, source: &Key) {
        self.source.retain(|_, by| by != source);
        self.known.retain(|key, _| self.source.contains_key(key));
        self.health.retain(|key, _| self.source.contains_key(key));
    }

    /// The source of an object that is now like this, and what is new of it. A status is nothing that anybody declares.
    pub(super) fn changed(&mut self, object: &Object) -> Option<(Key, News)> {
        let key = object.key();
        let source = self.source.get(&key)?.clone();
        let (health, print) = (Health::of(object), fingerprint(object));
        let is_same = self.health.get(&key) == health.as_ref();
        self.health.extend(health.map(|health| (key.clone(), health)));
        match self.known.insert(key, print) {
            Some(before) if before != print => Some((source, News::Drifted)),
            _ if !is_same => Some((source, News::Health)),
            _ => None,
        }
    }

    /// Notes an object as it is about to be written, so that nobody takes it for one that others changed, nor for one that
    /// is as ready as it was.
    pub(super) fn expect(&mut self, object: &Object) {
        let key = object.key();
        self.health
            .extend(Health::of(object).map(|health| (key.clone(), health)));
        self.known.insert(key, fingerprint(object));
    }

    /// How those of an inventory are.
    pub(super) fn health(&self, inventory: &[String]) -> SourceHealth {
        health::sum(inventory, &self.health)
    }

    /// The source of an object that is gone.
    pub(super) fn gone(&mut self, key: &Key) -> Option<Key> {
        self.known.remove(key);
        self.health.remove(key);
        self.source.get(key).cloned()
    }
}

/// What people declare of an object, in short.
fn fingerprint(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metadata = &object.metadata;
    (object.uid(), object.generation(), object.is_deleting()).hash(&mut hasher);
    (&metadata.labels, &metadata.annotations).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Kind;

    #[test]
    fn a_change_of_what_a_source_declares_is_noticed() {
        let team = Key::new(Kind::Team, "default", "a");
        let source = Key::new(Kind::GitSource, "default", "fleet");
        let mut index = Index::default();
        let mut object = Object::new(&source, json!({"url": "u"}));
        object.status = Some(json!({"inventory": [team.to_string()]}));
        let object = Source::read(object).unwrap();
        index.put(&object);

        let mut team = Object::new(&team, json!({}));
        team.metadata.generation = Some(1);
        let seen = |news| Some((source.clone(), news));
        assert_eq!(
            index.changed(&team),
            seen(News::Health),
            "seen for the first time"
        );
        assert_eq!(index.changed(&team), None, "nothing");
        team.status = Some(json!({"state": "Ready", "observedGeneration": 1}));
        assert_eq!(index.changed(&team), seen(News::Health), "a status");
        let inventory = &object.status.inventory;
        assert_eq!(index.health(inventory).ready, 1);
        index.put(&object);
        team.metadata.generation = Some(2);
        assert_eq!(index.changed(&team), seen(News::Drifted), "a spec");
        assert_eq!(index.health(inventory).ready, 0, "nobody looked at it yet");
        team.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(index.changed(&team), seen(News::Drifted), "a label");
        team.metadata.labels = None;
        index.expect(&team);
        assert_eq!(index.changed(&team), None, "what the source wrote itself");
        assert_eq!(index.gone(&team.key()), Some(source.clone()));
        index.remove(&source);
        assert_eq!(index.gone(&team.key()), None);
    }
}
