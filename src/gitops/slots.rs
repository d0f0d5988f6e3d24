//! Who may look at a repository now. A look may take as long as its server likes, so no namespace has all places.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Looks at once. Those that wait for a server cost little.
const ALL: usize = 24;
/// Looks at once of one namespace.
const OF_ONE: usize = 8;
/// Looks at once of one namespace at one server: while that hangs, its other repositories are looked at.
const OF_SERVER: usize = 4;

/// Commits that are read again at once; no server is asked for them.
const AGAIN: usize = 2;

/// A namespace, or a server of one.
type Whose = (String, Option<String>);

/// The places of looks at repositories.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    again: Semaphore,
    of: Mutex<BTreeMap<Whose, Arc<Semaphore>>>,
}

/// A place, until dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _of_server: Option<OwnedSemaphorePermit>,
    _of_namespace: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            again: Semaphore::new(AGAIN),
            of: Mutex::default(),
        }
    }
}

impl Slots {
    /// Waits for a place of a namespace that looks at a server. Whoever waits for one of their server's, or of their
    /// namespace's, takes none of the others'.
    pub(super) async fn take(&self, namespace: &str, server: &str) -> Slot {
        let of_server = self.of(namespace, Some(server), OF_SERVER);
        let of_namespace = self.of(namespace, None, OF_ONE);
        // They are never closed.
        Slot {
            _of_server: of_server.acquire_owned().await.ok(),
            _of_namespace: of_namespace.acquire_owned().await.ok(),
            _of_all: Arc::clone(&self.all).acquire_owned().await.ok(),
        }
    }

    /// Waits for a place to read a commit again, which takes no other.
    pub(super) async fn take_again(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.again.acquire().await.ok()
    }

    fn of(&self, namespace: &str, server: Option<&str>, places: usize) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has a place, or waits for one, holds its semaphore.
        of.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let key = (namespace.to_owned(), server.map(str::to_owned));
        Arc::clone(of.entry(key).or_insert_with(|| Arc::new(Semaphore::new(places))))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn fill(slots: &Slots, namespace: &str, server: &str) -> Vec<Slot> {
        std::iter::from_fn(|| slots.take(namespace, server).now_or_never()).collect()
    }

    #[tokio::test]
    async fn neither_a_namespace_nor_a_server_has_all_places() {
        let slots = Slots::default();
        let mut taken = fill(&slots, "busy", "hangs");
        assert_eq!(taken.len(), OF_SERVER);
        let beside = fill(&slots, "busy", "well");
        assert_eq!(beside.len(), OF_ONE - OF_SERVER);
        let other = slots.take("other", "hangs").now_or_never();
        assert!(other.is_some());
        assert!(slots.take("busy", "hangs").now_or_never().is_none());
        taken.pop();
        assert!(slots.take("busy", "hangs").now_or_never().is_some());
        drop((taken, beside, other));
        drop(slots.take("third", "well").await);
        assert_eq!(slots.of.lock().unwrap().len(), 2, "who has no place is forgotten");
    }
}
