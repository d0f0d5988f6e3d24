//! Follows what is declared: every change asks for the keys that it concerns.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use tokio::time::sleep;

use crate::queue::Queue;
use crate::resource::{Key, Kind, Revision};
use crate::store::{Change, ChangeKind, Store, StoreError, WatchError};
use crate::telemetry::Chain;

use super::index::References;

/// Asks for every object, then for each that changes. Never ends: some time after an error it lists again.
pub(super) async fn follow(store: &Store, queue: &Queue<Key>, list_again: Duration) {
    loop {
        let mut references = References::default();
        match list(store, &mut references, queue).await {
            Ok(revision) => {
                if let Err(error) = watch(store, revision, &mut references, queue).await {
                    tracing::warn!(error = %Chain(&error), "the watch of what is declared ended; listing again");
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot list what is declared"),
        }
        sleep(list_again).await;
    }
}

async fn list(
    store: &Store,
    references: &mut References,
    queue: &Queue<Key>,
) -> Result<Revision, StoreError> {
    // The oldest of the lists' revisions: changes between two lists are then seen twice, never missed.
    let revision = store.revision().await?;
    for kind in Kind::owners() {
        let known = |object| ask(queue, references.upsert(&object));
        store.each(kind, None, known).await?;
    }
    Ok(revision)
}

async fn watch(
    store: &Store,
    from: Revision,
    references: &mut References,
    queue: &Queue<Key>,
) -> Result<(), WatchError> {
    let changes = store.watch(from);
    pin_mut!(changes);
    while let Some(change) = changes.next().await {
        let Change {
            revision: _,
            kind,
            object,
        } = &*change?;
        ask(
            queue,
            match kind {
                ChangeKind::Added | ChangeKind::Modified => references.upsert(object),
                ChangeKind::Deleted => references.remove(&object.key()),
            },
        );
    }
    Ok(())
}

fn ask(queue: &Queue<Key>, keys: BTreeSet<Key>) {
    for key in keys {
        queue.add(key);
    }
}
