//! Follows the sources and what they declare: every change asks for the sources that it concerns.

use std::sync::PoisonError;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use tokio::time::{Instant, sleep};

use super::Term;
use super::index::News;
use super::source::Source;
use crate::queue::Queue;
use crate::resource::{Key, Kind, Object, Revision};
use crate::store::{Change, ChangeKind, StoreError, WatchError};
use crate::telemetry::Chain;

/// How long news of how a source's objects are wait for more of them.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before everything is listed again, when the database did not answer.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// Asks for every source, then for each that something happens to. Never ends.
pub(super) async fn follow(term: &Term, queue: &Queue<Key>) {
    loop {
        match list(term, queue).await {
            Ok(revision) => {
                if let Err(error) = watch(term, queue, revision).await {
                    tracing::warn!(error = %Chain(&error), "the watch of sources ended; listing again");
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot list the sources"),
        }
        sleep(LIST_AGAIN).await;
    }
}

async fn list(term: &Term, queue: &Queue<Key>) -> Result<Revision, StoreError> {
    // Older than the lists: what changes meanwhile is seen twice, never missed.
    let revision = term.api.store.revision().await?;
    let sources = term.api.store.list(Kind::GitSource, None).await?.items;
    let url = |object: &Object| Some(object.spec.get("url")?.as_str()?.to_owned());
    term.fetcher
        .keep_only(&sources.iter().filter_map(url).collect::<Vec<String>>());
    for object in &sources {
        queue.add(object.key());
        term.note(object.clone());
    }
    // Sources may be declared by others.
    for object in &sources {
        term.changed(object);
    }
    for kind in Kind::stored().filter(|kind| *kind != Kind::GitSource) {
        term.api
            .store
            .each(kind, None, |object| {
                term.changed(&object);
            })
            .await?;
    }
    Ok(revision)
}

async fn watch(term: &Term, queue: &Queue<Key>, from: Revision) -> Result<(), WatchError> {
    let changes = term.api.store.watch(from);
    pin_mut!(changes);
    while let Some(change) = changes.next().await {
        let Change {
            revision: _,
            kind,
            object,
        } = &*change?;
        let key = object.key();
        if key.kind == Kind::GitSource {
            let waiting = term.memories.waiting_for(&key);
            waiting.into_iter().for_each(|source| queue.add(source));
        }
        let news = match (key.kind, kind) {
            (Kind::GitSource, ChangeKind::Deleted) => {
                queue.add(key.clone());
                let mut index = term.index();
                index.remove(&key);
                index.gone(&key).map(|source| (source, News::Drifted))
            }
            (Kind::GitSource, ChangeKind::Added | ChangeKind::Modified) => {
                queue.add(key.clone());
                if term.note(object.clone()) {
                    term.health_is_news(queue, key.clone());
                }
                term.changed(object)
            }
            (_, ChangeKind::Deleted) => term.index().gone(&key).map(|source| (source, News::Drifted)),
            (_, ChangeKind::Added | ChangeKind::Modified) => term.changed(object),
        };
        match news {
            Some((source, News::Drifted)) => {
                term.memories.change(&source, |memory| memory.drifted = true);
                queue.add(source);
            }
            Some((source, News::Health)) => term.health_is_news(queue, source),
            None => {}
        }
    }
    Ok(())
}

impl Term {
    pub(super) fn index(&self) -> std::sync::MutexGuard<'_, super::Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a source declares, and returns whether its status tells something else of how that is.
    fn note(&self, object: Object) -> bool {
        Source::read(object).is_ok_and(|source| self.index().put(&source))
    }

    /// Has a source tell how its objects are, soon.
    fn health_is_news(&self, queue: &Queue<Key>, source: Key) {
        self.memories.change(&source, |memory| {
            memory.health_due.get_or_insert(Instant::now() + HEALTH_EVERY);
        });
        queue.add_after(source, HEALTH_EVERY);
    }

    fn changed(&self, object: &Object) -> Option<(Key, News)> {
        self.index().changed(object)
    }
}
