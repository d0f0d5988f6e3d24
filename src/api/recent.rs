//! What several watchers look at again and again: read once for all of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::status::ApiError;

/// How old a look may be that is shared. Less than the time between two looks of one watcher, so that none is shown a
/// state older than its last one.
const MAX_AGE: Duration = Duration::from_millis(500);

/// How new what is looked at has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As it is now.
    Now,
    /// As somebody saw it a moment ago.
    Recent,
}

/// The last looks at parts of a collection, such as a namespace. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recent<P, T>(Arc<Mutex<BTreeMap<P, Slot<T>>>>);

/// The last look at one part; held while somebody looks anew.
type Slot<T> = Arc<AsyncMutex<Option<Seen<T>>>>;

#[derive(Debug)]
struct Seen<T> {
    at: Instant,
    found: Arc<Vec<T>>,
}

impl<T> Seen<T> {
    fn is_recent(&self) -> bool {
        self.at.elapsed() < MAX_AGE
    }
}

impl<P, T> Default for Recent<P, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: Ord, T> Recent<P, T> {
    /// What `read` finds in a part, or what was found there a moment ago when that will do.
    ///
    /// Only one reads for all who would share; a failure is nobody's but the one's who met it.
    pub(super) async fn get(
        &self,
        look: Look,
        part: P,
        read: impl Future<Output = Result<Vec<T>, ApiError>>,
    ) -> Result<Arc<Vec<T>>, ApiError> {
        if look == Look::Now {
            return read.await.map(Arc::new);
        }
        let slot = self.slot(part);
        let mut seen = slot.lock().await;
        if let Some(seen) = seen.as_ref().filter(|seen| seen.is_recent()) {
            return Ok(Arc::clone(&seen.found));
        }
        let at = Instant::now();
        let found = Arc::new(read.await?);
        *seen = Some(Seen {
            at,
            found: Arc::clone(&found),
        });
        Ok(found)
    }

    /// The place of a part; those that nobody uses and that are old are given up.
    fn slot(&self, part: P) -> Slot<T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let is_recent = |seen: &Option<Seen<T>>| seen.as_ref().is_some_and(Seen::is_recent);
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|seen| is_recent(&seen))
        });
        Arc::clone(slots.entry(part).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn watchers_share_a_look_and_a_list_is_new() {
        let (recent, reads) = (Recent::default(), AtomicUsize::new(0));
        let look = async |look, namespace: &str| {
            let read = async { Ok(vec![reads.fetch_add(1, Ordering::Relaxed)]) };
            let found = recent.get(look, namespace.to_owned(), read).await.unwrap();
            found[0]
        };
        let watchers = join_all((0..100).map(|_| look(Look::Recent, "prod"))).await;
        assert!(watchers.iter().all(|found| *found == 0), "{watchers:?}");
        assert_eq!(look(Look::Recent, "default").await, 1);
        assert_eq!(look(Look::Now, "prod").await, 2);
        assert_eq!(look(Look::Recent, "prod").await, 0);
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(look(Look::Recent, "prod").await, 3);
    }

    #[tokio::test]
    async fn who_looks_at_one_part_waits_for_nobody_at_another() {
        let recent = Recent::default();
        let slow = recent.get(Look::Recent, "slow", std::future::pending());
        let quick = recent.get(Look::Recent, "quick", async { Ok(vec![1]) });
        tokio::select! {
            biased;
            _ = slow => panic!("it never ends"),
            found = quick => assert_eq!(*found.unwrap(), [1]),
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_shared() {
        let recent = Recent::default();
        let fail = async { Err(ApiError::Internal("away".to_owned())) };
        recent.get(Look::Recent, "", fail).await.unwrap_err();
        let found = recent.get(Look::Recent, "", async { Ok(vec![1]) }).await;
        assert_eq!(*found.unwrap(), [1]);
    }
}
