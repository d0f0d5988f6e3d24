//! The queue as tasks use it, and the workers that empty it.

use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Backoff;
use super::schedule::{Schedule, Taken};

/// What a worker says of a key that it has worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All is well; look again after this long. Forgets the key's failures.
    After(Duration),
    /// It did not work; wait by the backoff.
    Backoff,
    /// There is nothing left to look at. Forgets the key's failures.
    Never,
}

/// A handle to a keyed queue; clones share it.
#[derive(Debug)]
pub struct Queue<K> {
    shared: Arc<Shared<K>>,
}

#[derive(Debug)]
struct Shared<K> {
    schedule: Mutex<Schedule<K>>,
    changed: Notify,
    backoff: Backoff,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K: Ord + Clone + Debug> Queue<K> {
    /// An empty queue.
    pub fn new(backoff: Backoff) -> Self {
        let shared = Shared {
            schedule: Mutex::default(),
            changed: Notify::new(),
            backoff,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Asks for `key` now.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Asks for `key` after `delay`, unless it is due earlier anyway.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.schedule().request(key, Instant::now() + delay);
        self.shared.changed.notify_one();
    }

    /// Asks now for every key that waits or is worked on.
    pub fn add_all(&self) {
        self.schedule().request_all(Instant::now());
        self.shared.changed.notify_one();
    }

    /// Number of keys that are due and wait for a worker.
    pub fn due(&self) -> usize {
        self.schedule().due(Instant::now())
    }

    /// Works on keys as they become due, up to `workers` at a time, until dropped.
    ///
    /// Dropping the returned future drops the work in progress with it: whoever needs it to end in order
    /// stops asking and waits for the work itself.
    pub async fn run<F, W>(&self, workers: usize, work: F)
    where
        F: Fn(K) -> W,
        W: Future<Output = Next>,
    {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < workers {
                let Taken::Key(key) = self.schedule().take(Instant::now()) else {
                    break;
                };
                running.push(async {
                    let next = work(key.clone()).await;
                    (key, next)
                });
            }
            let due = if running.len() < workers {
                self.next_due()
            } else {
                None
            };
            tokio::select! {
                Some((key, next)) = running.next() => self.finish(&key, next),
                () = self.shared.changed.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    fn finish(&self, key: &K, next: Next) {
        let mut schedule = self.schedule();
        let delay = match next {
            Next::After(delay) => {
                schedule.succeeded(key);
                Some(delay)
            }
            Next::Backoff => Some(schedule.failed(key, &self.shared.backoff, rand::random())),
            Next::Never => {
                schedule.succeeded(key);
                None
            }
        };
        schedule.finish(key, delay.map(|delay| Instant::now() + delay));
    }

    fn next_due(&self) -> Option<Instant> {
        self.schedule().next_due()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule<K>> {
        self.shared
            .schedule
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    /// Runs `work` on a queue for `seconds` of virtual time; returns (second, key) of every turn.
    async fn turns(
        seconds: u64,
        ask: &[(u64, &'static str)],
        next: impl Fn(&str) -> Next,
    ) -> Vec<(u64, &'static str)> {
        let queue = Queue::new(Backoff {
            base: Duration::from_secs(4),
            max: Duration::from_secs(100),
        });
        let start = Instant::now();
        for (delay, key) in ask {
            queue.add_after(*key, Duration::from_secs(*delay));
        }
        let log = RefCell::new(Vec::new());
        let run = queue.run(2, |key| {
            log.borrow_mut().push((start.elapsed().as_secs(), key));
            let answer = next(key);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                answer
            }
        });
        let _ended = tokio::time::timeout(Duration::from_secs(seconds), run).await;
        log.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_settled_key_comes_back_after_its_delay() {
        let seen = turns(25, &[(0, "a")], |_| Next::After(Duration::from_secs(9))).await;
        assert_eq!(seen, [(0, "a"), (10, "a"), (20, "a")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_fails_delays_no_other() {
        let next = |key: &str| {
            if key == "poison" {
                Next::Backoff
            } else {
                Next::After(Duration::from_secs(4))
            }
        };
        let seen = turns(39, &[(0, "poison"), (0, "fine")], next).await;
        let mut counts = BTreeMap::new();
        for (_, key) in seen {
            *counts.entry(key).or_insert(0) += 1;
        }
        assert_eq!(counts["fine"], 8);
        assert!((3..=4).contains(&counts["poison"]), "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_never_runs_twice_at_once_however_often_it_is_asked_for() {
        let queue = Queue::new(Backoff::default());
        queue.add("a");
        let busy = RefCell::new(0);
        let runs = RefCell::new(0);
        let run = queue.run(8, |key| {
            let (queue, busy, runs) = (&queue, &busy, &runs);
            async move {
                *busy.borrow_mut() += 1;
                assert_eq!(*busy.borrow(), 1);
                *runs.borrow_mut() += 1;
                queue.add(key);
                tokio::time::sleep(Duration::from_secs(1)).await;
                *busy.borrow_mut() -= 1;
                Next::Never
            }
        });
        let _ended = tokio::time::timeout(Duration::from_millis(5500), run).await;
        assert_eq!(*runs.borrow(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_request_wakes_a_waiting_queue() {
        let queue = Queue::new(Backoff::default());
        queue.add_after("a", Duration::from_secs(60));
        let start = Instant::now();
        let asked = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            queue.add("a");
            std::future::pending::<()>().await;
        };
        let seen = RefCell::new(None);
        let run = queue.run(1, |_| {
            seen.borrow_mut().get_or_insert(start.elapsed().as_secs());
            std::future::ready(Next::Never)
        });
        let _ended = tokio::time::timeout(Duration::from_secs(100), futures::future::join(asked, run)).await;
        assert_eq!(seen.into_inner(), Some(2));
    }
}
