//! Following the log.

use std::collections::VecDeque;
use std::error::Error;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use sqlx::PgPool;
use sqlx::types::Json;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::listen::Wake;
use super::tail::Tail;
use super::{Store, StoreError, WatchError, ask, row};
use crate::resource::{Object, Revision};

/// How many changes are read at once.
const PAGE: i64 = 100;
/// How many bytes they may have together, as JSON, unless it is one alone: an object may have megabytes.
const PAGE_BYTES: i64 = 4 << 20;
/// How long a watcher trusts that a notification would have come. One that was lost delays a change by this much.
pub(super) const POLL: Duration = Duration::from_secs(5);

/// One change of one object, of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the log.
    pub revision: Revision,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the change, or as it was last when it was deleted; its resourceVersion is `revision`.
    pub object: Object,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl Store {
    /// Every change strictly after `from`, of every kind, and then each new one as it is committed.
    ///
    /// # Guarantees
    /// In commit order, without gaps or repetitions, however connections break: revisions are consecutive. While
    /// Postgres is away the stream waits, and goes on where it stood.
    ///
    /// # Errors
    /// An error is the last item. [`WatchError::Gone`] comes before any change that it would leave a gap to.
    pub fn watch(
        &self,
        from: Revision,
    ) -> impl Stream<Item = Result<Arc<Change>, WatchError>> + Send + use<> {
        let follower = Follower {
            store: self.clone(),
            wake: self.tail().wake.clone(),
            cursor: from,
            unread: VecDeque::new(),
            next: Next::Read,
            backoff: Backoff::new(),
        };
        stream::try_unfold(follower, |mut follower| async move {
            let change = follower.next().await?;
            Ok(Some((change, follower)))
        })
    }

    /// The newest part of the log; read from the first watch on.
    fn tail(&self) -> &Tail {
        let shared = &self.shared;
        let start = || Tail::start(shared.pool.clone(), shared.wake.clone());
        shared.tail.get_or_init(start)
    }
}

/// A reader of the log and where it stands.
struct Follower {
    store: Store,
    wake: Wake,
    /// The last revision that was read.
    cursor: Revision,
    /// Read, and not delivered yet.
    unread: VecDeque<Arc<Change>>,
    next: Next,
    backoff: Backoff,
}

/// What to do once everything that was read is delivered.
enum Next {
    Read,
    /// Take what is at hand when woken; read after this long, and when it is not at hand.
    Wait(Duration),
}

impl Follower {
    async fn next(&mut self) -> Result<Arc<Change>, WatchError> {
        loop {
            if let Some(change) = self.unread.pop_front() {
                return Ok(change);
            }
            if let Next::Wait(limit) = self.next {
                let at_hand = self.store.tail().after(self.cursor).unwrap_or_default();
                if let Some(last) = at_hand.last() {
                    self.cursor = last.revision;
                    self.unread = at_hand.into();
                    continue;
                }
                if timeout(limit, woken(&mut self.wake)).await.is_ok()
                    && self.store.tail().after(self.cursor).is_some()
                {
                    continue;
                }
            }
            // Before reading: what wakes us from here on may be newer than what we read.
            self.wake.mark_unchanged();
            self.next = self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<Next, WatchError> {
        let page = match Page::read(self.store.pool(), self.cursor).await {
            Ok(page) => page,
            Err(error) if error.is_transient() => {
                tracing::warn!(error = &error as &dyn Error, from = %self.cursor, "cannot read the log; trying again");
                return Ok(Next::Wait(self.backoff.next()));
            }
            Err(error) => return Err(error.into()),
        };
        page.check(self.cursor)?;
        self.backoff = Backoff::new();
        if let Some(last) = page.last() {
            self.cursor = last;
        }
        let more = self.cursor < page.head;
        self.unread = page
            .changes
            .into_iter()
            .map(|read| Arc::new(read.change))
            .collect();
        Ok(if more { Next::Read } else { Next::Wait(POLL) })
    }
}

/// Without a listener nothing wakes, and the limit alone counts.
pub(super) async fn woken(wake: &mut Wake) {
    if wake.changed().await.is_err() {
        future::pending::<()>().await;
    }
}

/// A piece of the log, and the log's bounds, as of one moment.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) head: Revision,
    /// Revisions up to this one are gone.
    compacted: Revision,
    pub(super) changes: Vec<Read>,
}

/// A change as it was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) change: Change,
    /// What its object has as JSON.
    pub(super) bytes: i64,
}

impl Page {
    /// The piece of the log after `cursor`.
    pub(super) async fn read(pool: &PgPool, cursor: Revision) -> Result<Self, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT head.revision AS head, head.compacted,
                   log.revision AS "revision?", log.change AS "change?", log.object AS "object?: Json<Object>",
                   log.bytes::bigint AS "bytes?"
            FROM head
            LEFT JOIN LATERAL (
                SELECT *, sum(bytes) OVER (ORDER BY revision) AS total
                FROM (
                    SELECT revision, change, object, octet_length(object::text) AS bytes
                    FROM revisions
                    WHERE revision > $1
                    ORDER BY revision
                    LIMIT $2
                ) AS next
            ) AS log ON log.total <= $3 OR log.revision = $1 + 1
            ORDER BY log.revision
            "#,
            cursor.0,
            PAGE,
            PAGE_BYTES,
        );
        let rows = ask(query.fetch_all(pool)).await?;
        let (head, compacted) = rows
            .first()
            .map(|row| (row.head, row.compacted))
            .unwrap_or_default();
        let changes = rows.into_iter().filter_map(|row| {
            // With nothing to read, one row holds the bounds alone.
            let (revision, change, object) = (Revision(row.revision?), row.change?, row.object?);
            let bytes = row.bytes?;
            Some(row::change_kind(&change).map(|kind| Read {
                change: Change {
                    revision,
                    kind,
                    object: row::at(object.0, revision),
                },
                bytes,
            }))
        });
        Ok(Self {
            head: Revision(head),
            compacted: Revision(compacted),
            changes: changes.collect::<Result<_, _>>()?,
        })
    }

    fn revisions(&self) -> impl DoubleEndedIterator<Item = Revision> {
        self.changes.iter().map(|read| read.change.revision)
    }

    /// Where it ends.
    pub(super) fn last(&self) -> Option<Revision> {
        self.revisions().next_back()
    }

    /// Whether this page goes on from `cursor` without a gap.
    pub(super) fn check(&self, cursor: Revision) -> Result<(), WatchError> {
        if cursor > self.head {
            return Err(WatchError::Ahead {
                from: cursor,
                head: self.head,
            });
        }
        let expected = (cursor.0 + 1..).map(Revision);
        let has_gap = self
            .revisions()
            .zip(expected)
            .any(|(found, expected)| found != expected);
        let is_cut_short = self.changes.is_empty() && cursor < self.head;
        if cursor < self.compacted || has_gap || is_cut_short {
            let oldest = self.revisions().next().unwrap_or(Revision(self.compacted.0 + 1));
            return Err(WatchError::Gone { from: cursor, oldest });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Key, Kind};
    use serde_json::json;

    fn check(cursor: i64, (compacted, head): (i64, i64), revisions: &[i64], expected: &str) {
        let changes = revisions.iter().map(|revision| Read {
            change: Change {
                revision: Revision(*revision),
                kind: ChangeKind::Added,
                object: Object::new(&Key::new(Kind::Team, "default", "a"), json!({})),
            },
            bytes: 2,
        });
        let page = Page {
            head: Revision(head),
            compacted: Revision(compacted),
            changes: changes.collect(),
        };
        let told = match page.check(Revision(cursor)) {
            Ok(()) => "goes on".to_owned(),
            Err(WatchError::Gone { oldest, .. }) => format!("gone, oldest {oldest}"),
            Err(other) => other.to_string(),
        };
        assert_eq!(told, expected, "{revisions:?} after {cursor}");
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended_or_says_why_not() {
        check(0, (0, 0), &[], "goes on");
        check(0, (0, 3), &[1, 2, 3], "goes on");
        check(2, (0, 9), &[3, 4], "goes on");
        check(9, (0, 9), &[], "goes on");
        check(4, (4, 6), &[5, 6], "goes on");
        check(3, (4, 6), &[5, 6], "gone, oldest 5");
        check(3, (4, 6), &[4, 5, 6], "gone, oldest 4");
        check(0, (0, 6), &[5, 6], "gone, oldest 5");
        check(0, (0, 6), &[1, 3], "gone, oldest 1");
        check(0, (0, 6), &[], "gone, oldest 1");
        check(
            7,
            (0, 6),
            &[],
            "resourceVersion 7 is ahead of the store, which is at 6; list again",
        );
    }
}
