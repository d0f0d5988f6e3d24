//! Follows what is declared: every change asks for the keys that it concerns.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use tokio::time::sleep;

use crate::queue::Queue;
use crate::resource::{Key, Kind, Object, Revision, dependents};
use crate::store::{Change, ChangeKind, Store, StoreError, WatchError};
use crate::telemetry::Chain;

use super::collect::{self, Concern};
use super::index::References;

/// Asks for every object, then for each that changes. Never ends: some time after an error it lists again.
pub(super) async fn follow(
    store: &Store,
    queue: &Queue<Key>,
    collected: &Queue<Concern>,
    list_again: Duration,
) {
    loop {
        let mut asking = Asking {
            references: References::default(),
            waiting: BTreeSet::new(),
            queue,
            collected,
        };
        match asking.list(store).await {
            Ok(revision) => {
                if let Err(error) = asking.watch(store, revision).await {
                    tracing::warn!(error = %Chain(&error), "the watch of what is declared ended; listing again");
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot list what is declared"),
        }
        sleep(list_again).await;
    }
}

/// Who is asked for, and what that is decided by.
struct Asking<'a> {
    references: References,
    /// Owners that wait for those that depend on them: whatever changes near them may be what they wait for.
    waiting: BTreeSet<Key>,
    queue: &'a Queue<Key>,
    collected: &'a Queue<Concern>,
}

impl Asking<'_> {
    async fn list(&mut self, store: &Store) -> Result<Revision, StoreError> {
        // The oldest of the lists' revisions: changes between two lists are then seen twice, never missed.
        let revision = store.revision().await?;
        for kind in Kind::stored() {
            let known = |object| match kind.owns_agents() {
                true => self.there(&object),
                // What a template or a Policy concerns is asked for anyway.
                false => self.stands(&object),
            };
            store.each(kind, None, known).await?;
        }
        Ok(revision)
    }

    async fn watch(&mut self, store: &Store, from: Revision) -> Result<(), WatchError> {
        let changes = store.watch(from);
        pin_mut!(changes);
        while let Some(change) = changes.next().await {
            let Change { kind, object, .. } = &*change?;
            match kind {
                ChangeKind::Added | ChangeKind::Modified => self.there(object),
                ChangeKind::Deleted => self.gone(object),
            }
        }
        Ok(())
    }

    fn there(&mut self, object: &Object) {
        let keys = self.references.upsert(object);
        ask(self.queue, keys);
        self.stands(object);
    }

    fn stands(&mut self, object: &Object) {
        let key = object.key();
        ask(self.collected, collect::of_state(object));
        self.ask_the_waiting(&key);
        match dependents::waits(&object.metadata) {
            true => self.waiting.insert(key),
            false => self.waiting.remove(&key),
        };
    }

    fn gone(&mut self, object: &Object) {
        let key = object.key();
        let keys = self.references.remove(&key);
        ask(self.queue, keys);
        ask(self.collected, collect::of_end(object));
        self.waiting.remove(&key);
        self.ask_the_waiting(&key);
    }

    fn ask_the_waiting(&self, changed: &Key) {
        let near = |owner: &&Key| owner.namespace == changed.namespace && *owner != changed;
        ask(
            self.collected,
            self.waiting.iter().filter(near).cloned().map(Concern::Object),
        );
    }
}

fn ask<K: Clone + Debug + Ord>(queue: &Queue<K>, keys: impl IntoIterator<Item = K>) {
    for key in keys {
        queue.add(key);
    }
}
