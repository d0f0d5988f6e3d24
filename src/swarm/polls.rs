//! When whose tasks are looked at: often after a change, ever more seldom while nothing changes, never once settled.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::resource::object::Key;

/// For how long an owner that is settled is looked at after a hint that its tasks change.
const NUDGE: Duration = Duration::from_secs(3);

/// The owners whose tasks are polled.
#[derive(Debug)]
pub(super) struct Polls {
    min: Duration,
    max: Duration,
    owners: BTreeMap<Key, Poll>,
}

#[derive(Debug)]
struct Poll {
    due: Instant,
    interval: Duration,
    /// When it ends; `None` when the owner is settling and says itself when it no longer is.
    until: Option<Instant>,
}

impl Polls {
    /// No owners yet; `min` and `max` bound the time between two polls of an owner.
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            owners: BTreeMap::new(),
        }
    }

    /// Says whether an owner waits for its tasks. One that already does keeps its pace.
    pub(super) fn settling(&mut self, owner: &Key, is_settling: bool, now: Instant) {
        match (is_settling, self.owners.get_mut(owner)) {
            (true, Some(poll)) => poll.until = None,
            (true, None) => self.insert(owner, None, now),
            // What a hint asked for goes on to its own end.
            (false, Some(Poll { until: Some(_), .. }) | None) => {}
            (false, Some(_)) => drop(self.owners.remove(owner)),
        }
    }

    /// Takes a hint that an owner's tasks change about now.
    pub(super) fn nudge(&mut self, owner: &Key, now: Instant) {
        let until = match self.owners.get(owner) {
            Some(Poll { until: None, .. }) => None,
            _ => Some(now + NUDGE),
        };
        self.insert(owner, until, now);
    }

    /// Notes what a poll has shown, and when to look again.
    pub(super) fn polled(&mut self, owner: &Key, has_changed: bool, now: Instant) {
        let Some(poll) = self.owners.get_mut(owner) else {
            return;
        };
        if poll.until.is_some_and(|until| until <= now) {
            self.owners.remove(owner);
            return;
        }
        poll.interval = if has_changed {
            self.min
        } else {
            (poll.interval * 3 / 2).min(self.max)
        };
        poll.due = now + poll.interval;
    }

    /// Forgets every owner.
    pub(super) fn clear(&mut self) {
        self.owners.clear();
    }

    /// The owner whose poll is due first, and when.
    pub(super) fn next(&self) -> Option<(&Key, Instant)> {
        let poll = self.owners.iter().min_by_key(|(_, poll)| poll.due)?;
        Some((poll.0, poll.1.due))
    }

    fn insert(&mut self, owner: &Key, until: Option<Instant>, now: Instant) {
        let poll = Poll {
            due: now + self.min,
            interval: self.min,
            until,
        };
        self.owners.insert(owner.clone(), poll);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kind::Kind;

    const MIN: Duration = Duration::from_millis(200);
    const MAX: Duration = Duration::from_secs(2);

    /// The times (in ms from now) of the polls of an owner within `until`; the tasks change at the polls `changes`.
    fn times(polls: &mut Polls, start: Instant, until: Duration, changes: &[usize]) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some((owner, due)) = polls.next().map(|(owner, due)| (owner.clone(), due)) {
            if due > start + until {
                break;
            }
            polls.polled(&owner, changes.contains(&times.len()), due);
            times.push((due - start).as_millis());
        }
        times
    }

    fn team(name: &str) -> Key {
        Key::new(Kind::Team, "default", name)
    }

    #[test]
    fn a_settling_owner_is_polled_ever_more_seldom_until_something_changes() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        let quiet = times(&mut polls, start, Duration::from_secs(12), &[]);
        assert_eq!(quiet, [200, 500, 950, 1625, 2637, 4156, 6156, 8156, 10156]);
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        let busy = times(&mut polls, start, Duration::from_secs(2), &[2]);
        assert_eq!(busy, [200, 500, 950, 1150, 1450, 1900]);
    }

    #[test]
    fn a_settled_owner_is_not_polled() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        polls.settling(&team("b"), true, start);
        polls.settling(&team("a"), false, start);
        assert_eq!(polls.next().unwrap().0, &team("b"));
        polls.settling(&team("b"), false, start);
        assert!(polls.next().is_none());
    }

    #[test]
    fn who_reconciles_no_longer_polls_nobody() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        polls.nudge(&team("b"), start);
        polls.clear();
        assert!(polls.next().is_none());
    }

    #[test]
    fn a_hint_brings_polls_for_a_while() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.nudge(&team("a"), start);
        polls.settling(&team("a"), false, start);
        let seen = times(&mut polls, start, Duration::from_secs(60), &[]);
        assert_eq!(seen, [200, 500, 950, 1625, 2637, 4156]);
        assert!(polls.next().is_none());
    }

    #[test]
    fn saying_again_that_an_owner_is_settling_does_not_put_its_poll_off() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        polls.settling(&team("a"), true, start + Duration::from_millis(150));
        assert_eq!(polls.next().unwrap().1, start + MIN);
    }
}
