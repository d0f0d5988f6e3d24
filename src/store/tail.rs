//! The newest part of the log, read once for all who follow it: what each of them would ask for is the same.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::timeout;

use super::StoreError;
use super::backoff::Backoff;
use super::listen::Wake;
use super::watch::{Change, POLL, Page, Read, woken};
use crate::resource::Revision;

/// Changes that are kept at hand. Whoever is further behind reads the log.
const KEPT: usize = 200;
/// How many bytes of them are kept, as JSON.
const KEPT_BYTES: i64 = 16 << 20;
/// How many of these a follower is handed at once, unless it is one change alone: it holds them until its client reads.
const HANDED_BYTES: i64 = 1 << 20;
/// After every revision: of the log, only its bounds are read.
const END: Revision = Revision(i64::MAX);

/// What followers share.
#[derive(Debug)]
pub(super) struct Tail {
    recent: Arc<Mutex<Recent>>,
    /// Changes when there is more at hand, or when the log must be asked.
    pub(super) wake: Wake,
}

impl Tail {
    /// Reads whenever `wake` says that there may be more, until nobody follows any longer.
    pub(super) fn start(pool: PgPool, wake: Wake) -> Self {
        let recent = Arc::new(Mutex::new(Recent::default()));
        let (sender, receiver) = watch::channel(());
        let mut reader = Reader {
            pool,
            wake,
            recent: Arc::clone(&recent),
            backoff: Backoff::new(),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = reader.run(&sender) => {}
            }
        });
        Self {
            recent,
            wake: receiver,
        }
    }

    /// The next changes after `cursor`; `None` when only the log knows them.
    pub(super) fn after(&self, cursor: Revision) -> Option<Vec<Arc<Change>>> {
        lock(&self.recent).after(cursor)
    }
}

fn lock(recent: &Mutex<Recent>) -> MutexGuard<'_, Recent> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last changes up to a revision, without gaps.
#[derive(Debug, Default)]
struct Recent {
    /// `None` before anything was read.
    head: Option<Revision>,
    changes: VecDeque<Known>,
    bytes: i64,
}

#[derive(Debug)]
struct Known {
    change: Arc<Change>,
    bytes: i64,
}

impl Recent {
    fn after(&self, cursor: Revision) -> Option<Vec<Arc<Change>>> {
        let before_all = self.head?.0 - i64::try_from(self.changes.len()).ok()?;
        let known = usize::try_from(cursor.0 - before_all).ok()?;
        if known > self.changes.len() {
            return None;
        }
        let mut handed = 0;
        let next = self.changes.range(known..).take_while(|next| {
            let is_first = handed == 0;
            handed += next.bytes;
            is_first || handed <= HANDED_BYTES
        });
        Some(next.map(|next| Arc::clone(&next.change)).collect())
    }

    fn push(&mut self, Read { change, bytes }: Read) {
        self.head = Some(change.revision);
        self.bytes += bytes;
        let change = Arc::new(change);
        self.changes.push_back(Known { change, bytes });
        while self.changes.len() > KEPT || (self.bytes > KEPT_BYTES && self.changes.len() > 1) {
            self.bytes -= self.changes.pop_front().map_or(0, |oldest| oldest.bytes);
        }
    }
}

/// Who reads.
struct Reader {
    pool: PgPool,
    wake: Wake,
    recent: Arc<Mutex<Recent>>,
    backoff: Backoff,
}

impl Reader {
    async fn run(&mut self, told: &watch::Sender<()>) {
        loop {
            // Before reading: what wakes us from here on may be newer than what we read.
            self.wake.mark_unchanged();
            let limit = match self.read(told).await {
                Ok(true) => continue,
                Ok(false) => {
                    self.backoff = Backoff::new();
                    POLL
                }
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn Error,
                        "cannot read the newest part of the log"
                    );
                    if !error.is_transient() {
                        self.forget(told);
                    }
                    self.backoff.next()
                }
            };
            let _woken_or_not: Result<(), _> = timeout(limit, woken(&mut self.wake)).await;
        }
    }

    /// Reads on, and says whether there is more.
    async fn read(&mut self, told: &watch::Sender<()>) -> Result<bool, StoreError> {
        let Some(cursor) = lock(&self.recent).head else {
            let page = Page::read(&self.pool, END).await?;
            lock(&self.recent).head = Some(page.head);
            told.send_replace(());
            return Ok(false);
        };
        let page = Page::read(&self.pool, cursor).await?;
        if page.check(cursor).is_err() {
            self.forget(told);
            return Ok(true);
        }
        let Some(last) = page.last() else {
            return Ok(false);
        };
        let mut recent = lock(&self.recent);
        page.changes.into_iter().for_each(|read| recent.push(read));
        drop(recent);
        told.send_replace(());
        Ok(last < page.head)
    }

    /// Begins anew, and leaves it to the followers to find out what is wrong.
    fn forget(&self, told: &watch::Sender<()>) {
        *lock(&self.recent) = Recent::default();
        told.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ChangeKind;
    use super::*;
    use crate::resource::{Key, Kind, Object};

    fn read(revision: i64, bytes: i64) -> Read {
        let change = Change {
            revision: Revision(revision),
            kind: ChangeKind::Added,
            object: Object::new(&Key::new(Kind::Team, "default", "a"), json!({})),
        };
        Read { change, bytes }
    }

    fn after(recent: &Recent, cursor: i64) -> Option<Vec<i64>> {
        let told = recent.after(Revision(cursor));
        told.map(|all| all.iter().map(|change| change.revision.0).collect())
    }

    #[test]
    fn what_is_not_at_hand_is_for_the_log_to_tell() {
        let mut recent = Recent::default();
        assert_eq!(recent.after(Revision(0)), None);
        recent.head = Some(Revision(7));
        (8..=10).for_each(|revision| recent.push(read(revision, 2)));
        for (cursor, expected) in [
            (6, None),
            (7, Some(vec![8, 9, 10])),
            (9, Some(vec![10])),
            (10, Some(vec![])),
            (11, None),
        ] {
            assert_eq!(after(&recent, cursor), expected, "after {cursor}");
        }
        let last = 10 + i64::try_from(KEPT).unwrap();
        (11..=last).for_each(|revision| recent.push(read(revision, 2)));
        assert_eq!(recent.after(Revision(9)), None);
        assert_eq!(recent.after(Revision(10)).unwrap().len(), KEPT);
    }

    #[test]
    fn large_objects_are_kept_and_handed_over_by_their_bytes() {
        let mut recent = Recent {
            head: Some(Revision(0)),
            ..Recent::default()
        };
        for (revision, bytes) in [
            (1, HANDED_BYTES / 2),
            (2, HANDED_BYTES / 2),
            (3, 1),
            (4, KEPT_BYTES - 1),
        ] {
            recent.push(read(revision, bytes));
        }
        assert_eq!(
            after(&recent, 1),
            None,
            "together with the last it would be too much"
        );
        assert_eq!(after(&recent, 2), Some(vec![3]), "the rest is the next part");
        assert_eq!(
            after(&recent, 3),
            Some(vec![4]),
            "one alone is handed over whatever it has"
        );
        recent.push(read(5, KEPT_BYTES + 1));
        assert_eq!(after(&recent, 4), Some(vec![5]));
        recent.push(read(6, 2));
        assert_eq!(after(&recent, 4), None);
        assert_eq!(after(&recent, 5), Some(vec![6]));
    }
}
