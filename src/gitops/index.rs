//! Which source declares an object, and whether somebody changed what is declared of it. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::source::Source;
use crate::resource::{Key, Object};

/// What sources declare.
#[derive(Debug, Default)]
pub(super) struct Index {
    source: BTreeMap<Key, Key>,
    known: BTreeMap<Key, u64>,
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
    }

    /// Forgets what a source declares.
    pub(super) fn remove(&mut self, source: &Key) {
        self.source.retain(|_, by| by != source);
        self.known.retain(|key, _| self.source.contains_key(key));
    }

    /// The source of an object that is now like this, when something that people declare of it changed since it was seen
    /// last. A status is nothing that anybody declares.
    pub(super) fn changed(&mut self, object: &Object) -> Option<Key> {
        let key = object.key();
        let source = self.source.get(&key)?;
        let print = fingerprint(object);
        let before = self.known.insert(key, print);
        before
            .is_some_and(|before| before != print)
            .then(|| source.clone())
    }

    /// The source of an object that is gone.
    pub(super) fn gone(&mut self, key: &Key) -> Option<Key> {
        self.known.remove(key);
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
        assert_eq!(index.changed(&team), None, "seen for the first time");
        team.status = Some(json!({"state": "Ready"}));
        assert_eq!(index.changed(&team), None, "a status");
        index.put(&object);
        team.metadata.generation = Some(2);
        assert_eq!(index.changed(&team), Some(source.clone()), "a spec");
        team.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(index.changed(&team), Some(source.clone()), "a label");
        assert_eq!(index.gone(&team.key()), Some(source.clone()));
        index.remove(&source);
        assert_eq!(index.gone(&team.key()), None);
    }
}
