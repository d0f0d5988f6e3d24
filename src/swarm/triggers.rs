//! Hints that wait for whoever reconciles. Giving one never waits, so that nobody's absence stops the observation.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::cache::lock;
use crate::resource::object::Key;

/// Hints of more owners than this are one of all: while nobody listens, owners come and go.
const OWNERS_MAX: usize = 10_000;

/// A hint that something may be worth reconciling; never a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Something of this owner changed, or something that it follows.
    Owner(Key),
    /// Something changed that any owner may depend on: a node, or the engine went or came back.
    All,
}

/// The hints that nobody has taken yet, each once. A hint of all stands for every other.
#[derive(Debug, Default)]
pub(super) struct Triggers {
    waiting: Mutex<BTreeSet<Trigger>>,
    added: Notify,
}

impl Triggers {
    /// Gives hints.
    pub(super) fn add(&self, triggers: impl IntoIterator<Item = Trigger>) {
        let mut waiting = lock(&self.waiting);
        waiting.extend(triggers);
        if waiting.contains(&Trigger::All) || waiting.len() > OWNERS_MAX {
            *waiting = BTreeSet::from([Trigger::All]);
        }
        self.added.notify_one();
    }

    /// Waits for a hint and takes it. For one listener at a time.
    pub(super) async fn next(&self) -> Trigger {
        loop {
            let first = lock(&self.waiting).pop_first();
            match first {
                Some(trigger) => return trigger,
                None => self.added.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::resource::kind::Kind;

    fn owner(number: usize) -> Trigger {
        Trigger::Owner(Key::new(Kind::Team, "default", format!("team{number}")))
    }

    fn all(triggers: &Triggers) -> Vec<Trigger> {
        std::iter::from_fn(|| triggers.next().now_or_never()).collect()
    }

    #[test]
    fn a_hint_that_waits_is_not_doubled() {
        let triggers = Triggers::default();
        triggers.add([owner(2), owner(1)]);
        triggers.add([owner(2)]);
        assert_eq!(all(&triggers), [owner(1), owner(2)]);
        assert_eq!(all(&triggers), []);
        triggers.add([owner(2)]);
        assert_eq!(all(&triggers), [owner(2)]);
    }

    #[test]
    fn all_stands_for_every_owner() {
        let triggers = Triggers::default();
        triggers.add([owner(1), Trigger::All]);
        triggers.add([owner(2)]);
        assert_eq!(all(&triggers), [Trigger::All]);
    }

    #[test]
    fn however_many_hints_nobody_takes_giving_one_never_waits() {
        let triggers = Triggers::default();
        for number in 0..3 * OWNERS_MAX {
            triggers.add([owner(number)]);
        }
        assert_eq!(all(&triggers), [Trigger::All]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hint_wakes_who_waits() {
        let triggers = Triggers::default();
        let (trigger, ()) = tokio::join!(triggers.next(), async { triggers.add([owner(1)]) });
        assert_eq!(trigger, owner(1));
    }
}
