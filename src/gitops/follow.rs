//! Follows the sources and what they declare: every change asks for the sources that it concerns.

use std::sync::PoisonError;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Term;
use super::index::{self, Index, News};
use crate::resource::{Key, Kind, Object, Revision};
use crate::store::{Change, ChangeKind, StoreError, WatchError};
use crate::telemetry::Chain;

/// How long news of how a source's objects are wait for more of them.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before everything is listed again, when the database did not answer.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// Takes in everything that there is and asks for every source; then for each that something happens to. Never ends.
pub(super) async fn follow(term: &Term) {
    loop {
        match list(term).await {
            Ok((revision, asked)) => {
                term.ask(asked);
                if let Err(error) = watch(term, revision).await {
                    tracing::warn!(error = %Chain(&error), "the watch of sources ended; listing again");
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot list the sources"),
        }
        sleep(LIST_AGAIN).await;
    }
}

/// A source that is asked for, and how soon.
type Asked = (Key, Duration);

/// Takes in everything that there is: the sources that it asks for, all of them among them, and a revision that is older.
async fn list(term: &Term) -> Result<(Revision, Vec<Asked>), StoreError> {
    // Older than the lists: what changes meanwhile is seen twice, never missed.
    let revision = term.api.store.revision().await?;
    let sources = term.api.store.list(Kind::GitSource, None).await?.items;
    let url = |object: &Object| Some(object.spec.get("url")?.as_str()?.to_owned());
    term.fetcher
        .keep_only(&sources.iter().filter_map(url).collect::<Vec<String>>());
    // First, since everything may be declared by one of them.
    for source in sources.iter().filter_map(index::source) {
        term.index().put(&source);
    }
    let (mut gone, mut asked) = (term.index().seen(), Vec::new());
    let mut take = |object: &Object| {
        gone.remove(&object.key());
        asked.extend(term.shown(ChangeKind::Modified, object));
    };
    sources.iter().for_each(&mut take);
    for kind in Kind::stored().filter(|kind| *kind != Kind::GitSource) {
        term.api.store.each(kind, None, |object| take(&object)).await?;
    }
    for key in gone {
        asked.extend(term.shown(ChangeKind::Deleted, &Object::new(&key, Value::Null)));
    }
    Ok((revision, asked))
}

async fn watch(term: &Term, from: Revision) -> Result<(), WatchError> {
    let changes = term.api.store.watch(from);
    pin_mut!(changes);
    while let Some(change) = changes.next().await {
        let Change {
            revision: _,
            kind,
            object,
        } = &*change?;
        term.ask(term.shown(*kind, object));
    }
    Ok(())
}

impl Term {
    pub(super) fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, asked: Vec<Asked>) {
        for (source, wait) in asked {
            self.queue.add_after(source, wait);
        }
    }

    /// Takes in what became of an object, whoever tells of it: the sources that it asks for.
    fn shown(&self, kind: ChangeKind, object: &Object) -> Vec<Asked> {
        let key = object.key();
        let news = match kind {
            ChangeKind::Deleted => Vec::from_iter(self.index().gone(&key)),
            ChangeKind::Added | ChangeKind::Modified => self.index().changed(object),
        };
        let told = news.into_iter().map(|(source, news)| match news {
            News::Drifted => {
                self.memories.change(&source, |memory| memory.drifted = true);
                (source, Duration::ZERO)
            }
            News::Health => {
                self.memories.change(&source, |memory| {
                    memory.health_due.get_or_insert(Instant::now() + HEALTH_EVERY);
                });
                (source, HEALTH_EVERY)
            }
        });
        let mut asked: Vec<Asked> = told.collect();
        if key.kind == Kind::GitSource {
            let is_there = kind != ChangeKind::Deleted && !object.is_deleting();
            self.memories
                .break_off(&key, is_there.then(|| object.generation()));
            let concerned = self.memories.waiting_for(&key).into_iter().chain([key]);
            asked.extend(concerned.map(|source| (source, Duration::ZERO)));
        }
        asked
    }
}
