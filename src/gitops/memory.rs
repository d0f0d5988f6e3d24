//! What one term of the leader remembers of a source between its turns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::source::Source;
use crate::resource::Key;
use crate::resource::variables::Variables;

/// What is remembered of a source.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// When the repository is looked at again.
    pub(super) due: Option<Instant>,
    /// The generation and the request that were looked at last.
    pub(super) seen: Option<(i64, Option<String>)>,
    /// Whether something that the source declares was changed by others since it was looked at.
    pub(super) drifted: bool,
    /// When it is told how its objects are, if that is news.
    pub(super) health_due: Option<Instant>,
    /// The sources that it waits for.
    pub(super) waits_for: BTreeSet<Key>,
    /// Whether all of a commit was applied, or put back, in this term: what others did while nobody led was not seen.
    pub(super) is_applied: bool,
    /// The generation by which the repository is looked at right now, and what breaks that off.
    pub(super) look: Option<(i64, CancellationToken)>,
    /// The commit whose guards were lifted when one was applied last.
    pub(super) allowed: Option<String>,
    /// The last request to look that those were told of that it waits for.
    pub(super) passed_on: Option<String>,
    /// The variables of its secret when one was applied last.
    pub(super) variables: Option<Variables>,
}

/// What a turn is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The repository is looked at.
    Fetch,
    /// What others changed is put back, without a look; then nothing, for so long.
    PutBack(Duration),
    /// How its objects are is told anew; then nothing, for so long.
    Health(Duration),
    /// Nothing, for so long.
    Sleep(Duration),
}

impl Memory {
    /// Whether nothing but another commit makes a difference to what is applied.
    pub(super) fn is_settled(&self, source: &Source, variables: Option<&Variables>) -> bool {
        self.is_applied
            && !self.drifted
            && self.allowed.as_deref() == source.allowed()
            && self.variables.as_ref() == variables
    }

    /// Notes that a turn failed: the next one does the same again. To put back needs no look.
    pub(super) fn begin_anew(&mut self) {
        if !self.drifted {
            self.due = None;
        }
    }

    /// What a turn at `now` is for.
    pub(super) fn wake(&self, source: &Source, now: Instant) -> Wake {
        let seen = (source.object.generation(), source.request().map(str::to_owned));
        let is_seen = self.seen.as_ref() == Some(&seen);
        let left = self.due.and_then(|due| due.checked_duration_since(now));
        let left = left.filter(|left| !left.is_zero());
        let left = left.filter(|_| is_seen);
        if self.drifted && source.applied().is_some() {
            return Wake::PutBack(left.unwrap_or_default());
        }
        match left.filter(|_| !self.drifted) {
            None => Wake::Fetch,
            Some(left) => match self.health_due {
                Some(health_due) if health_due <= now => Wake::Health(left),
                Some(health_due) => Wake::Sleep(left.min(health_due - now)),
                None => Wake::Sleep(left),
            },
        }
    }
}

/// The memories of all sources.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<BTreeMap<Key, Memory>>);

impl Memories {
    /// What is remembered of a source.
    pub(super) fn of(&self, key: &Key) -> Memory {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned().unwrap_or_default()
    }

    /// Changes what is remembered of a source.
    pub(super) fn change(&self, key: &Key, change: impl FnOnce(&mut Memory)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(key.clone()).or_default());
    }

    /// Gives back what a turn took in hand and came to nothing with.
    pub(super) fn give_back(&self, key: &Key, before: &Memory) {
        self.change(key, |memory| {
            memory.drifted |= before.drifted;
            memory.is_applied = before.is_applied;
        });
    }

    /// Notes that a source's repository is looked at by this generation; what is returned is cancelled when that is in vain.
    pub(super) fn looks(&self, key: &Key, generation: i64) -> CancellationToken {
        let token = CancellationToken::new();
        self.change(key, |memory| memory.look = Some((generation, token.clone())));
        token
    }

    /// Breaks off a look that is under way, unless it is by this generation.
    pub(super) fn break_off(&self, key: &Key, generation: Option<i64>) {
        if let Some((looked_by, token)) = self.of(key).look
            && generation != Some(looked_by)
        {
            token.cancel();
        }
    }

    /// The sources that wait for one.
    pub(super) fn waiting_for(&self, key: &Key) -> Vec<Key> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.iter().filter(|(_, memory)| memory.waits_for.contains(key));
        waiting.map(|(source, _)| source.clone()).collect()
    }

    /// Forgets a source that is gone.
    pub(super) fn forget(&self, key: &Key) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Object};

    #[tokio::test(start_paused = true)]
    async fn a_turn_fetches_when_something_asks_for_it_and_sleeps_otherwise() {
        let mut object = Object::new(
            &Key::new(Kind::GitSource, "default", "fleet"),
            json!({"url": "u"}),
        );
        object.metadata.generation = Some(1);
        let source = Source::read(object.clone()).unwrap();
        object.status = Some(json!({"appliedRevision": "1a2b3c4", "appliedGeneration": 1}));
        let applied = Source::read(object).unwrap();
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        let memory = Memory {
            due: Some(now + minute),
            seen: Some((1, None)),
            drifted: false,
            health_due: None,
            waits_for: BTreeSet::new(),
            is_applied: true,
            look: None,
            allowed: None,
            passed_on: None,
            variables: None,
        };
        assert_eq!(Memory::default().wake(&source, now), Wake::Fetch);
        assert_eq!(memory.wake(&source, now), Wake::Sleep(minute));
        assert_eq!(memory.wake(&source, now + minute), Wake::Fetch);
        let other = Memory {
            seen: Some((1, Some("2026-01-01T00:00:00Z".to_owned()))),
            ..memory.clone()
        };
        assert_eq!(other.wake(&source, now), Wake::Fetch);
        let second = Duration::from_secs(1);
        let healed = Memory {
            health_due: Some(now + second),
            ..memory.clone()
        };
        assert_eq!(healed.wake(&source, now), Wake::Sleep(second));
        assert_eq!(healed.wake(&source, now + second), Wake::Health(minute - second));
        assert_eq!(healed.wake(&source, now + minute), Wake::Fetch);
        let drifted = Memory {
            drifted: true,
            ..memory
        };
        assert_eq!(drifted.wake(&source, now), Wake::Fetch);
        assert_eq!(drifted.wake(&applied, now), Wake::PutBack(minute));
        // Also where it is to be looked at now, which others may hold up.
        assert_eq!(
            drifted.wake(&applied, now + minute),
            Wake::PutBack(Duration::ZERO)
        );
    }
}
