//! Which source declares an object, whether somebody changed what is declared of it, and how it is. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::depend::{self, Standing, Waits};
use super::health::{self, Health};
use super::source::Source;
use crate::resource::git_source::{GitSourceStatus, SourceHealth};
use crate::resource::names::{ALLOW_PRUNE, RECONCILE_REQUESTED};
use crate::resource::{Key, Kind, Object};

/// What sources declare, and how everything was that the watch of the store showed: any of it may be declared next.
#[derive(Debug, Default)]
pub(super) struct Index {
    source: BTreeMap<Key, Key>,
    seen: BTreeMap<Key, Seen>,
    standings: BTreeMap<Key, Standing>,
}

/// What is kept of an object.
#[derive(Debug)]
struct Seen {
    print: u64,
    health: Option<Health>,
    is_pinned: bool,
}

/// What happened to the objects that a source declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// What people declare of one is not what it was.
    Drifted,
    /// One is well or ill in another way.
    Health,
}

impl Index {
    /// Notes what a source declares now, and returns whether its status tells anything else of how that is.
    pub(super) fn put(&mut self, source: &Source) -> bool {
        let key = source.object.key();
        self.source.retain(|_, by| *by != key);
        for declared in source.inventory() {
            self.source.insert(declared, key.clone());
        }
        self.standings.insert(key, Standing::of(source));
        let GitSourceStatus {
            inventory,
            health,
            pinned,
            ..
        } = &source.status;
        self.health(inventory, &[]) != health.clone().unwrap_or_default() || self.pinned(inventory) != *pinned
    }

    /// Notes how an object is now: the sources for which that is news. A status is nothing that anybody declares.
    pub(super) fn changed(&mut self, object: &Object) -> Vec<(Key, News)> {
        let key = object.key();
        let mut news = Vec::new();
        if let Some(source) = source(object)
            && self.put(&source)
        {
            news.push((key.clone(), News::Health));
        }
        let (print, health) = (fingerprint(object), Health::of(object));
        let seen = Seen {
            print,
            health,
            is_pinned: object.is_pinned(),
        };
        let before = self.seen.insert(key.clone(), seen);
        let what = match (before, self.seen.get(&key)) {
            (Some(before), Some(seen)) if before.print != seen.print => Some(News::Drifted),
            (Some(before), Some(seen)) if before.health == seen.health => None,
            _ => Some(News::Health),
        };
        news.extend(self.source.get(&key).cloned().zip(what));
        news
    }

    /// Notes an object as it is about to be written, so that nobody takes it for one that others changed.
    pub(super) fn expect(&mut self, object: &Object) {
        let print = fingerprint(object);
        let seen = self.seen.entry(object.key());
        seen.and_modify(|seen| seen.print = print).or_insert(Seen {
            print,
            health: None,
            is_pinned: false,
        });
    }

    /// How those of an inventory are, once some of them are written like this.
    pub(super) fn health(&self, inventory: &[String], written: &[&Object]) -> SourceHealth {
        let written: BTreeMap<Key, Health> = written
            .iter()
            .filter_map(|object| Some((object.key(), Health::of(object)?)))
            .collect();
        let seen = |key: &Key| self.seen.get(key)?.health.as_ref();
        health::sum(inventory, |key| written.get(key).or_else(|| seen(key)))
    }

    /// Those of an inventory that are to be left as they are.
    pub(super) fn pinned(&self, inventory: &[String]) -> Vec<String> {
        let is_pinned = |key: Key| self.seen.get(&key).is_some_and(|seen| seen.is_pinned);
        let pinned = inventory
            .iter()
            .filter(|text| Key::parse(text).is_some_and(is_pinned));
        pinned.cloned().collect()
    }

    /// Notes that an object is gone: the source for which that is news.
    pub(super) fn gone(&mut self, key: &Key) -> Option<(Key, News)> {
        self.seen.remove(key);
        self.standings.remove(key);
        self.source.retain(|_, by| by != key);
        Some((self.source.get(key)?.clone(), News::Drifted))
    }

    /// Why a source has to wait for others, before a look or before it applies the commit that it found.
    pub(super) fn waits(&self, source: &Source, revision: Option<&str>) -> Option<Waits> {
        depend::waits(source, revision, &self.standings)
    }

    /// Everything that was seen and is not known to be gone.
    pub(super) fn seen(&self) -> BTreeSet<Key> {
        self.seen.keys().cloned().collect()
    }
}

/// The source that an object is, if it is one.
pub(super) fn source(object: &Object) -> Option<Source> {
    let source = Some(object).filter(|object| object.kind == Kind::GitSource);
    Source::read(source?.clone()).ok()
}

/// What people declare of an object, in short: that it is written does not change it.
fn fingerprint(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metadata = &object.metadata;
    (&object.spec, &metadata.labels, object.is_deleting()).hash(&mut hasher);
    // What only asks for something says nothing of how the object is to be.
    let annotations = metadata.annotations.iter().flatten();
    let declared =
        annotations.filter(|(name, _)| ![RECONCILE_REQUESTED, ALLOW_PRUNE].contains(&name.as_str()));
    declared.for_each(|annotation| annotation.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::names::PINNED;

    /// The source `fleet`, which declares the team `a`, with that many of it told to be ready.
    fn source(ready: Option<usize>) -> Source {
        let key = Key::new(Kind::GitSource, "default", "fleet");
        let mut object = Object::new(&key, json!({"url": "u"}));
        let health = ready.map(|ready| json!({"ready": ready, "total": 1}));
        object.status = Some(json!({"inventory": [team().key().to_string()], "health": health}));
        Source::read(object).unwrap()
    }

    fn team() -> Object {
        let mut team = Object::new(&Key::new(Kind::Team, "default", "a"), json!({}));
        team.metadata.generation = Some(1);
        team.status = Some(json!({"state": "Ready", "observedGeneration": 1}));
        team
    }

    #[test]
    fn a_change_of_what_a_source_declares_is_noticed() {
        let (source, mut index, mut team) = (source(None), Index::default(), team());
        let seen = |news| vec![(source.object.key(), news)];
        let inventory = &source.status.inventory;
        assert!(index.put(&source), "its status tells nothing of it");
        team.status = None;
        assert_eq!(
            index.changed(&team),
            seen(News::Health),
            "seen for the first time"
        );
        assert_eq!(index.changed(&team), [], "nothing");
        team.status = Some(json!({"state": "Ready", "observedGeneration": 1}));
        assert_eq!(index.changed(&team), seen(News::Health), "a status");
        assert_eq!(index.health(inventory, &[]).ready, 1);
        team.spec = json!({"project": "acme/a"});
        team.metadata.generation = Some(2);
        assert_eq!(index.health(inventory, &[&team]).ready, 0, "it is to be written");
        assert_eq!(index.changed(&team), seen(News::Drifted), "a spec");
        assert_eq!(index.health(inventory, &[]).ready, 0, "nobody looked at it yet");
        team.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(index.changed(&team), seen(News::Drifted), "a label");
        team.metadata.labels = None;
        index.expect(&team);
        assert_eq!(index.changed(&team), [], "what the source wrote itself");
        assert_eq!(index.seen(), BTreeSet::from([team.key()]));
        let gone = (source.object.key(), News::Drifted);
        assert_eq!(index.gone(&team.key()), Some(gone));
        assert_eq!(index.seen(), BTreeSet::new());
        index.gone(&source.object.key());
        assert_eq!(index.gone(&team.key()), None);
    }

    #[test]
    fn what_a_source_takes_over_without_a_change_is_known_already() {
        let (mut index, mut team) = (Index::default(), team());
        assert_eq!(index.changed(&team), [], "nobody declares it");
        let source = source(Some(1));
        assert_eq!(index.health(&source.status.inventory, &[]).ready, 1);
        assert!(!index.put(&source), "its status tells how it is");
        team.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(
            index.changed(&team),
            [(source.object.key(), News::Drifted)],
            "a change right afterwards"
        );
    }

    #[test]
    fn what_is_expected_and_never_written_hides_no_change_of_others() {
        let (mut index, mut team, source) = (Index::default(), team(), source(Some(1)));
        index.put(&source);
        index.changed(&team);
        let mut wanted = team.clone();
        wanted.spec = json!({"project": "acme/a"});
        wanted.metadata.generation = Some(2);
        index.expect(&wanted);
        assert_eq!(index.health(&source.status.inventory, &[]).ready, 1);
        team.spec = json!({"project": "evil/a"});
        team.metadata.generation = Some(2);
        let drifted = (source.object.key(), News::Drifted);
        assert_eq!(index.changed(&team), [drifted], "they were first");
    }

    #[test]
    fn a_pin_is_news_and_so_is_its_end() {
        let (mut index, mut team, mut source) = (Index::default(), team(), source(Some(1)));
        index.put(&source);
        index.changed(&team);
        let drifted = [(source.object.key(), News::Drifted)];
        team.metadata.annotations = Some(BTreeMap::from([(PINNED.to_owned(), "true".to_owned())]));
        assert_eq!(index.changed(&team), drifted);
        let told = vec![team.key().to_string()];
        assert_eq!(index.pinned(&source.status.inventory), told);
        assert_eq!(index.pinned(&[]), [""; 0], "nobody declares it");
        assert!(index.put(&source), "its status does not tell of it");
        source.status.pinned = told;
        assert!(!index.put(&source));
        team.metadata.annotations = None;
        assert_eq!(index.changed(&team), drifted);
        assert_eq!(index.pinned(&source.status.inventory), [""; 0]);
    }

    #[test]
    fn sources_are_known_as_they_were_shown_last() {
        let needed = source(None);
        let key = Key::new(Kind::GitSource, "default", "b");
        let waiting = Object::new(&key, json!({"url": "u", "dependsOn": [{"name": "fleet"}]}));
        let waiting = Source::read(waiting).unwrap();
        let mut index = Index::default();
        let told = |index: &Index| index.waits(&waiting, None).map(|waits| waits.told(&waiting));
        let wait = |why: &str| Some(format!("waits for gitsource/fleet ({why})"));
        assert_eq!(told(&index), wait("is not there"));
        index.changed(&needed.object);
        assert_eq!(told(&index), wait("is not looked at yet as it is now"));
        index.gone(&needed.object.key());
        assert_eq!(told(&index), wait("is not there"));
    }

    #[test]
    fn what_only_asks_is_no_change_of_what_is_declared() {
        let annotated = |name: &str, value: &str| {
            let mut source = source(None).object;
            source.metadata.annotations = Some(BTreeMap::from([(name.to_owned(), value.to_owned())]));
            fingerprint(&source)
        };
        let plain = fingerprint(&source(None).object);
        assert_eq!(annotated(RECONCILE_REQUESTED, "2026-05-01T10:00:00Z"), plain);
        assert_eq!(annotated(ALLOW_PRUNE, "1a2b3c4"), plain);
        assert_ne!(annotated("owner", "ada"), annotated("owner", "bob"));
    }
}
