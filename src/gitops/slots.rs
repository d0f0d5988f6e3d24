//! Who may look at a repository now. A look may take as long as its server likes, so no namespace has all places.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Looks at once.
const ALL: usize = 12;
/// Looks at once of one namespace.
const OF_ONE: usize = 4;

/// The places of looks at repositories.
#[derive(Debug)]
pub(super) struct Slots {
    all: Arc<Semaphore>,
    of: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// A place, until dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _of_namespace: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            of: Mutex::default(),
        }
    }
}

impl Slots {
    /// Waits for a place. Whoever waits for one of their namespace's takes none of the others'.
    pub(super) async fn take(&self, namespace: &str) -> Slot {
        let own = self.of(namespace);
        // They are never closed.
        Slot {
            _of_namespace: own.acquire_owned().await.ok(),
            _of_all: Arc::clone(&self.all).acquire_owned().await.ok(),
        }
    }

    fn of(&self, namespace: &str) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has a place, or waits for one, holds its semaphore.
        of.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let new = || Arc::new(Semaphore::new(OF_ONE));
        Arc::clone(of.entry(namespace.to_owned()).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_namespace_does_not_have_all_places() {
        let slots = Slots::default();
        let mut taken = Vec::new();
        while let Some(slot) = slots.take("busy").now_or_never() {
            taken.push(slot);
        }
        assert_eq!(taken.len(), OF_ONE);
        let other = slots.take("other").now_or_never();
        assert!(other.is_some());
        taken.pop();
        assert!(slots.take("busy").now_or_never().is_some());
        drop((taken, other));
        drop(slots.take("third").await);
        assert_eq!(slots.of.lock().unwrap().len(), 1, "who has no place is forgotten");
    }
}
