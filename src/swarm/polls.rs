//! When whose tasks are looked at: often after a change, ever more seldom while nothing changes, never once settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::resource::object::Key;

/// For how long an owner that is settled is looked at after a hint that its tasks change.
const NUDGE: Duration = Duration::from_secs(3);
/// What has not changed for so long that its polls are further apart than the usual longest time is polled this many
/// times in as much time again.
const QUIET_POLLS: u32 = 10;
/// The longest time between two polls of an owner for which nothing changes: as long as between two full lists.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// The owners whose tasks are polled.
#[derive(Debug)]
pub(super) struct Polls {
    min: Duration,
    max: Duration,
    owners: BTreeMap<Key, Poll>,
    /// The same owners in the order in which their polls are due.
    due: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Poll {
    due: Instant,
    interval: Duration,
    /// When its tasks changed last, as far as is known.
    changed: Instant,
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
            due: BTreeSet::new(),
        }
    }

    /// Says whether an owner waits for its tasks. One that already does keeps its pace.
    pub(super) fn settling(&mut self, owner: &Key, is_settling: bool, now: Instant) {
        match (is_settling, self.owners.get_mut(owner)) {
            (true, Some(poll)) => poll.until = None,
            (true, None) => self.insert(owner, None, now),
            // What a hint asked for goes on to its own end.
            (false, Some(Poll { until: Some(_), .. }) | None) => {}
            (false, Some(_)) => self.remove(owner),
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

    /// An owner that is polled, and for which something was done, is polled as often as at first.
    pub(super) fn hurry(&mut self, owner: &Key, now: Instant) {
        if let Some(Poll { until, .. }) = self.owners.get(owner) {
            self.insert(owner, *until, now);
        }
    }

    /// Notes what a poll has shown, and when to look again.
    pub(super) fn polled(&mut self, owner: &Key, has_changed: bool, now: Instant) {
        let Some(poll) = self.owners.get_mut(owner) else {
            return;
        };
        self.due.remove(&(poll.due, owner.clone()));
        if poll.until.is_some_and(|until| until <= now) {
            self.owners.remove(owner);
            return;
        }
        if has_changed {
            poll.interval = self.min;
            poll.changed = now;
        } else {
            let quiet = now.saturating_duration_since(poll.changed) / QUIET_POLLS;
            let max = quiet.min(QUIET_MAX).max(self.max);
            poll.interval = (poll.interval * 3 / 2).min(max);
        }
        poll.due = now + poll.interval;
        self.due.insert((poll.due, owner.clone()));
    }

    /// Forgets every owner.
    pub(super) fn clear(&mut self) {
        self.owners.clear();
        self.due.clear();
    }

    /// The owner whose poll is due first, and when.
    pub(super) fn next(&self) -> Option<(&Key, Instant)> {
        self.due.first().map(|(due, owner)| (owner, *due))
    }

    fn insert(&mut self, owner: &Key, until: Option<Instant>, now: Instant) {
        let soon = now + self.min;
        // One hint after another must not put the poll off.
        let due = self.owners.get(owner).map_or(soon, |poll| poll.due.min(soon));
        self.remove(owner);
        let poll = Poll {
            due,
            interval: self.min,
            changed: now,
            until,
        };
        self.owners.insert(owner.clone(), poll);
        self.due.insert((due, owner.clone()));
    }

    fn remove(&mut self, owner: &Key) {
        if let Some(poll) = self.owners.remove(owner) {
            self.due.remove(&(poll.due, owner.clone()));
        }
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
    fn an_owner_for_which_nothing_changes_for_long_is_polled_as_seldom_as_all_is_listed() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.settling(&team("a"), true, start);
        let hour = Duration::from_secs(3600);
        let seen = times(&mut polls, start, hour, &[]);
        let gaps: Vec<u128> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(seen.len() < 180, "{seen:?}");
        assert_eq!(gaps.last(), Some(&QUIET_MAX.as_millis()));
        let is_bounded = |(gap, at): (&u128, &u128)| *gap <= MAX.as_millis().max(at / 10 + 1);
        assert!(gaps.iter().zip(&seen).all(is_bounded), "{seen:?}");

        let later = start + hour;
        polls.polled(&team("a"), true, later);
        assert_eq!(polls.next().unwrap().1, later + MIN, "it changes again");
    }

    #[test]
    fn an_owner_for_which_something_was_done_is_polled_as_often_as_at_first() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        polls.hurry(&team("a"), start);
        assert!(polls.next().is_none(), "nobody waits for its tasks");
        polls.settling(&team("a"), true, start);
        times(&mut polls, start, Duration::from_secs(600), &[]);
        let later = start + Duration::from_secs(600);
        polls.hurry(&team("a"), later);
        let again = times(&mut polls, later, Duration::from_secs(1), &[]);
        assert_eq!(again, [200, 500, 950]);
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
    fn hints_that_follow_one_another_do_not_put_a_poll_off() {
        let start = Instant::now();
        let mut polls = Polls::new(MIN, MAX);
        for hint in 0..10 {
            polls.nudge(&team("a"), start + hint * MIN / 4);
        }
        assert_eq!(polls.next().unwrap().1, start + MIN);
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
