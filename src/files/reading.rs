//! Reads of files that may hang, as a mount does whose server is gone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Reads by path: those that go on at once share one read, so that a file that hangs costs one thread, however
/// often it is asked for.
///
/// Each has a thread of its own, which, unlike the runtime's, nobody waits for at the end.
pub(super) struct Reads<T> {
    under_way: Arc<Mutex<BTreeMap<PathBuf, Answer<T>>>>,
}

/// `None` when the read came to no end.
type Answer<T> = Shared<BoxFuture<'static, Option<T>>>;

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Self {
            under_way: Arc::default(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Reads<T> {
    /// What `read` makes of the file at `path`; `None` when that takes longer than `patience`.
    pub(super) async fn read(
        &self,
        path: PathBuf,
        patience: Duration,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let answer = self.answer(path, read);
        timeout(patience, answer).await.ok().flatten()
    }

    fn answer(&self, path: PathBuf, read: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
        let mut under_way = lock(&self.under_way);
        if let Some(answer) = under_way.get(&path) {
            return answer.clone();
        }
        let (sender, receiver) = oneshot::channel();
        let answer = receiver.map(Result::ok).boxed().shared();
        let (others, own) = (Arc::clone(&self.under_way), path.clone());
        let thread = std::thread::Builder::new().name("secret".to_owned());
        let started = thread.spawn(move || {
            let result = read();
            lock(&others).remove(&own);
            // Whoever asked may have lost patience.
            let _unheard = sender.send(result);
        });
        if started.is_ok() {
            under_way.insert(path, answer.clone());
        }
        answer
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked did so outside of these short sections.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_is_given_up_and_holds_up_no_other() {
        let reads = Reads::default();
        let (let_go, hangs) = mpsc::channel::<()>();
        let path = PathBuf::from("hung");
        let moment = Duration::from_millis(20);
        let hung = reads.read(path.clone(), moment, move || {
            let _dropped = hangs.recv();
            "late"
        });
        assert_eq!(hung.await, None);
        let patience = Duration::from_secs(60);
        let other = reads.read(PathBuf::from("other"), patience, || "there");
        assert_eq!(other.await, Some("there"));

        let joined = reads.read(path.clone(), moment, || "a second thread");
        assert_eq!(joined.await, None, "it hangs still");
        let joined = reads.read(path.clone(), patience, || "a second thread");
        tokio::pin!(joined);
        assert!(futures::poll!(&mut joined).is_pending());
        drop(let_go);
        assert_eq!(joined.await, Some("late"));
        assert_eq!(reads.read(path, patience, || "new").await, Some("new"));
    }
}
