//! Watch: changes in commit order, each once, from a revision on or after the present state.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use axum::response::Response;
use futures::StreamExt;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::history::word;
use crate::api::form::Presenter;
use crate::api::options::{ListOptions, Selection};
use crate::api::paths::Collection;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::api::stream::{self, Gone, Lines};
use crate::resource::{Key, Object, Revision};
use crate::store::{Change, ChangeKind, WatchError};

/// How often a client that asked for bookmarks learns how far the log has come.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// Starts the answer to a watch of stored objects.
///
/// Without a revision, the present state comes first as ADDED, unless the client does not want it. An old revision is answered with an ERROR event
/// that holds a 410 Status, before anything else.
pub(super) async fn start(
    api: Api,
    collection: Collection,
    presenter: Presenter,
    options: ListOptions,
) -> Result<Response, ApiError> {
    let (resumes, shows_present) = (options.resumes(), options.shows_present());
    let mut view = View {
        collection,
        selection: options.selection.clone(),
        shown: BTreeMap::new(),
        complete: resumes.is_none(),
    };
    let mut present = Vec::new();
    let from = match resumes {
        Some(from) => from,
        None => {
            let Collection { kind, namespace } = &view.collection;
            let listed = api.store.list(*kind, namespace.as_deref()).await?;
            options.not_older_than_asked(listed.revision)?;
            present = listed.items;
            present.retain(|object| view.selection.matches(object));
            view.shown
                .extend(present.iter().map(|object| (object.key(), true)));
            listed.revision
        }
    };
    if !shows_present {
        present.clear();
    }
    let closing = api.closing.clone();
    let watch = Watch {
        api,
        view,
        presenter,
        cursor: from,
        bookmarks: options.bookmarks,
        marks_present: options.marks_present(),
        limit: options.timeout,
    };
    Ok(stream::respond("application/json", closing, |lines| {
        watch.run(present, lines)
    }))
}

/// A watch under way.
struct Watch {
    api: Api,
    view: View,
    presenter: Presenter,
    /// How far the log was read.
    cursor: Revision,
    bookmarks: bool,
    /// Whether the end of the present state is told.
    marks_present: bool,
    limit: Option<Duration>,
}

impl Watch {
    async fn run(mut self, present: Vec<Object>, lines: Lines) -> Result<(), Gone> {
        let mut over = pin!(stream::over(self.limit));
        let mut changes = pin!(self.api.store.watch(self.cursor));
        let mut ticks = interval_at(Instant::now() + BOOKMARK_PERIOD, BOOKMARK_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for object in present {
            lines
                .object(word(ChangeKind::Added), &self.presenter, &object)
                .await?;
        }
        if self.marks_present {
            lines.bookmark(&self.presenter, self.cursor, true).await?;
        }
        loop {
            tokio::select! {
                change = changes.next() => match change {
                    Some(Ok(change)) => self.tell(&change, &lines).await?,
                    Some(Err(error)) => return lines.event("ERROR", &failure(error).status()).await,
                    None => return Ok(()),
                },
                _ = ticks.tick() => self.bookmark(&lines).await?,
                // The last bookmark is where the client's next watch goes on.
                () = &mut over => return self.bookmark(&lines).await,
            }
        }
    }

    async fn tell(&mut self, change: &Change, lines: &Lines) -> Result<(), Gone> {
        self.cursor = change.revision;
        let Some(kind) = self.view.shows(&self.api, change).await else {
            return Ok(());
        };
        let left = match (kind, change.kind) {
            (ChangeKind::Deleted, ChangeKind::Added | ChangeKind::Modified) => self.before(change).await,
            _ => None,
        };
        let object = left.as_ref().unwrap_or(&change.object);
        lines.object(word(kind), &self.presenter, object).await
    }

    /// What an object was right before a change, at the revision of that: as Kubernetes tells of one that is selected no
    /// more. `None` where the log does not tell.
    async fn before(&self, change: &Change) -> Option<Object> {
        let key = change.object.key();
        match self.api.store.before(&key, change.revision).await {
            Ok(found) => found.map(|(_, mut object)| {
                object.metadata.resource_version = Some(change.revision.to_string());
                object
            }),
            Err(error) => {
                tracing::debug!(%key, %error, "cannot look an object's past up for a watch");
                None
            }
        }
    }

    /// Tells a client that asked for it how far the log was read.
    async fn bookmark(&self, lines: &Lines) -> Result<(), Gone> {
        if !self.bookmarks {
            return Ok(());
        }
        lines.bookmark(&self.presenter, self.cursor, false).await
    }
}

fn failure(error: WatchError) -> ApiError {
    match error {
        WatchError::Gone { .. } | WatchError::Ahead { .. } => {
            ApiError::Expired(format!("too old resource version: {error}"))
        }
        WatchError::Store(error) => error.into(),
    }
}

/// What a client sees of the log: the objects of its collection that match its selection.
struct View {
    collection: Collection,
    selection: Selection,
    /// Whether the client has the object; only kept for selections that an edit can lead into or out of.
    shown: BTreeMap<Key, bool>,
    /// Whether an object that is not in `shown` is one that the client does not have.
    complete: bool,
}

impl View {
    /// What a change is to the client; `None` when it is nothing to it.
    async fn shows(&mut self, api: &Api, change: &Change) -> Option<ChangeKind> {
        let Change {
            revision,
            kind,
            object,
        } = change;
        let key = object.key();
        let within = key.kind == self.collection.kind
            && self
                .collection
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == key.namespace)
            && self.selection.may_match(&key.name);
        if !within {
            return None;
        }
        if self.selection.is_empty() {
            return Some(*kind);
        }
        let matches = self.selection.matches(object);
        let had = match (self.shown.get(&key), kind) {
            (Some(shown), _) => *shown,
            (None, ChangeKind::Added) => false,
            (None, _) if self.complete => false,
            (None, ChangeKind::Deleted) => matches,
            (None, ChangeKind::Modified) => self.matched_before(api, &key, *revision).await,
        };
        let has = matches && *kind != ChangeKind::Deleted;
        if *kind == ChangeKind::Deleted {
            self.shown.remove(&key);
        } else {
            self.shown.insert(key, has);
        }
        transition(had, has)
    }

    /// Whether the object matched before `revision`. Where the log no longer tells, the client is taken to have it:
    /// an event too many is harmless, one too few is not.
    async fn matched_before(&self, api: &Api, key: &Key, revision: Revision) -> bool {
        match api.store.before(key, revision).await {
            Ok(Some((change, object))) => change != ChangeKind::Deleted && self.selection.matches(&object),
            Ok(None) => true,
            Err(error) => {
                tracing::debug!(%key, %error, "cannot look an object's past up for a watch");
                true
            }
        }
    }
}

fn transition(had: bool, has: bool) -> Option<ChangeKind> {
    match (had, has) {
        (false, false) => None,
        (false, true) => Some(ChangeKind::Added),
        (true, true) => Some(ChangeKind::Modified),
        (true, false) => Some(ChangeKind::Deleted),
    }
}
