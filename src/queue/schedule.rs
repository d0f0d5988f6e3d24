//! The queue's memory: which key is due when, and which is being worked on. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Backoff;

/// Keys, each at most once, with the time from which it may be handed out.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    /// Waiting keys in the order in which they are due.
    due: BTreeSet<(Instant, K)>,
    /// When each waiting key is due.
    waiting: BTreeMap<K, Instant>,
    /// Keys being worked on, each with the earliest request that came meanwhile.
    active: BTreeMap<K, Option<Instant>>,
    /// Failures in a row.
    failures: BTreeMap<K, u32>,
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Self {
            due: BTreeSet::new(),
            waiting: BTreeMap::new(),
            active: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone> Schedule<K> {
    /// Asks for `key` at `at`, or earlier where it was asked for earlier.
    pub(super) fn request(&mut self, key: K, at: Instant) {
        if let Some(again) = self.active.get_mut(&key) {
            *again = Some(again.map_or(at, |before| before.min(at)));
            return;
        }
        match self.waiting.get(&key) {
            Some(before) if *before <= at => return,
            Some(before) => {
                self.due.remove(&(*before, key.clone()));
            }
            None => {}
        }
        self.waiting.insert(key.clone(), at);
        self.due.insert((at, key));
    }

    /// Asks for every key that waits or is worked on, at `at`.
    pub(super) fn request_all(&mut self, at: Instant) {
        let known: Vec<K> = self.waiting.keys().chain(self.active.keys()).cloned().collect();
        for key in known {
            self.request(key, at);
        }
    }

    /// Hands out the key that has been due longest, or says when the next one will be.
    pub(super) fn take(&mut self, now: Instant) -> Taken<K> {
        match self.due.first() {
            None => Taken::Nothing,
            Some((at, _)) if *at > now => Taken::At(*at),
            Some(_) => {
                let Some((_, key)) = self.due.pop_first() else {
                    return Taken::Nothing;
                };
                self.waiting.remove(&key);
                self.active.insert(key.clone(), None);
                Taken::Key(key)
            }
        }
    }

    /// Ends the work on `key`. What was asked for meanwhile, or `again`, whichever is earlier, is its next turn.
    pub(super) fn finish(&mut self, key: &K, again: Option<Instant>) {
        let meanwhile = self.active.remove(key).flatten();
        if let Some(at) = [meanwhile, again].into_iter().flatten().min() {
            self.request(key.clone(), at);
        }
    }

    /// Counts a failure of `key`; returns how long it should wait.
    pub(super) fn failed(&mut self, key: &K, backoff: &Backoff, random: f64) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        backoff.delay(*failures, random)
    }

    /// Forgets the failures of `key`.
    pub(super) fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }

    /// When the first waiting key is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Number of keys that are due and not handed out.
    pub(super) fn due(&self, now: Instant) -> usize {
        self.due.iter().take_while(|(at, _)| *at <= now).count()
    }
}

/// What [`Schedule::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<K> {
    /// This key is due; it is now being worked on.
    Key(K),
    /// No key is due before this.
    At(Instant),
    /// No key waits.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_earliest_request_wins() {
        let start = Instant::now();
        for requests in [[5, 3], [3, 5], [3, 3]] {
            let mut schedule = Schedule::default();
            for seconds in requests {
                schedule.request("a", at(start, seconds));
            }
            assert_eq!(schedule.take(at(start, 2)), Taken::At(at(start, 3)));
            assert_eq!(
                [2, 3, 9].map(|seconds| schedule.due(at(start, seconds))),
                [0, 1, 1]
            );
            assert_eq!(schedule.take(at(start, 3)), Taken::Key("a"));
            assert_eq!(schedule.take(at(start, 9)), Taken::Nothing);
        }
    }

    #[test]
    fn keys_leave_in_the_order_in_which_they_are_due() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        for (key, seconds) in [("c", 1), ("a", 3), ("b", 2)] {
            schedule.request(key, at(start, seconds));
        }
        let now = at(start, 9);
        let order = [schedule.take(now), schedule.take(now), schedule.take(now)];
        assert_eq!(order, [Taken::Key("c"), Taken::Key("b"), Taken::Key("a")]);
    }

    #[test]
    fn a_key_asked_for_while_it_runs_runs_again_after_and_not_before() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.request("a", start);
        assert_eq!(schedule.take(start), Taken::Key("a"));
        schedule.request("a", start);
        assert_eq!(schedule.take(start), Taken::Nothing);
        schedule.finish(&"a", Some(at(start, 60)));
        assert_eq!(schedule.take(start), Taken::Key("a"));
        schedule.finish(&"a", Some(at(start, 60)));
        assert_eq!(schedule.take(start), Taken::At(at(start, 60)));
    }

    #[test]
    fn all_keys_are_those_that_wait_and_those_that_run() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.request("runs", start);
        assert_eq!(schedule.take(start), Taken::Key("runs"));
        schedule.request("waits", at(start, 60));
        schedule.request_all(start);
        assert_eq!(schedule.take(start), Taken::Key("waits"));
        schedule.finish(&"runs", None);
        assert_eq!(schedule.take(start), Taken::Key("runs"));
        schedule.finish(&"runs", None);
        schedule.finish(&"waits", None);
        schedule.request_all(start);
        assert_eq!(schedule.take(start), Taken::Nothing);
    }

    #[test]
    fn failures_are_counted_by_key_and_forgotten_on_success() {
        let backoff = Backoff {
            base: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let mut schedule = Schedule::<&str>::default();
        assert_eq!(schedule.failed(&"a", &backoff, 0.5), Duration::from_secs(1));
        assert_eq!(schedule.failed(&"a", &backoff, 0.5), Duration::from_secs(2));
        assert_eq!(schedule.failed(&"b", &backoff, 0.5), Duration::from_secs(1));
        schedule.succeeded(&"a");
        assert_eq!(schedule.failed(&"a", &backoff, 0.5), Duration::from_secs(1));
    }
}
