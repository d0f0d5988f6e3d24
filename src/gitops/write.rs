//! Writes what a turn came to, with what is told of it.

use jiff::Timestamp;

use super::source::Source;
use super::status::{self, Ended, Round};
use super::{Term, tell};
use crate::resource::git_source::GitSourceStatus;
use crate::resource::names::ALLOW_PRUNE;
use crate::resource::{Object, managed};
use crate::store::{Batch, Op, StoreError};

impl Term {
    /// Writes what a turn came to, all of it at once, and tells of it; nothing when nothing is new.
    pub(super) async fn write(&self, source: &Source, ended: &Ended, ops: Vec<Op>) -> Result<(), StoreError> {
        let inventory = match ended {
            Ended::Applied { inventory, .. } => inventory,
            Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => &source.status.inventory,
        };
        let round = self.round(source, inventory, &ops);
        let next = status::next(&source.status, ended, &round);
        let reason = match ended {
            Ended::Applied { commit, .. } => format!("apply {}", status::shown(commit)),
            Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => "status".to_owned(),
        };
        let writing = Writing {
            next: &next,
            ops,
            reason,
            spends_word: spends_word(source, ended),
        };
        if self.put(source, writing).await? {
            let (ready, message) = (&next.ready, &next.message);
            tracing::info!(source = %source.object.key(), %ready, %message, "a source is as it is now");
            for event in tell::events(source, &next, ended) {
                self.tell(event).await;
            }
        }
        Ok(())
    }

    /// What a turn is about whose objects are these, some of which it is about to write.
    pub(super) fn round<'a>(&self, source: &'a Source, inventory: &[String], ops: &[Op]) -> Round<'a> {
        let written: Vec<&Object> = ops.iter().filter_map(Op::written).collect();
        let index = self.index();
        Round {
            generation: source.object.generation(),
            request: source.request(),
            health: index.health(inventory, &written),
            pinned: index.pinned(inventory),
            wait: source.spec.wait,
            namespace: source.object.namespace(),
            name: source.object.name(),
            now: Timestamp::now(),
        }
    }

    /// Writes a status, and with it what it tells of; `false` when nothing is new.
    pub(super) async fn put(&self, source: &Source, writing: Writing<'_>) -> Result<bool, StoreError> {
        let next = writing.next;
        if *next == source.status && writing.ops.is_empty() && !writing.spends_word {
            // Whoever led before may not have come to tell it.
            self.reports.offer(source, next);
            return Ok(false);
        }
        let mut object = source.object.clone();
        while let Err(error) = self.put_once(source, &object, &writing).await {
            // Who touches a source while it is looked at must not have that come to nothing.
            let now = match &error {
                StoreError::Conflict { key, .. } if *key == object.key() => self.api.store.get(key).await?,
                _ => None,
            };
            object = now.filter(|now| is_as_it_was(now, &source.object)).ok_or(error)?;
        }
        for event in tell::pins(source, next) {
            self.tell(event).await;
        }
        self.reports.offer(source, next);
        Ok(true)
    }

    async fn put_once(
        &self,
        source: &Source,
        object: &Object,
        writing: &Writing<'_>,
    ) -> Result<(), StoreError> {
        let Writing {
            next,
            ops,
            reason,
            spends_word,
        } = writing;
        let mut all = Vec::with_capacity(ops.len() + 1);
        // With objects goes their source, as it was seen: nothing is written for one that was changed meanwhile.
        let is_touched = **next != source.status || *spends_word || !ops.is_empty();
        if let (true, Some(expected)) = (is_touched, object.revision()) {
            let status = serde_json::to_value(next).unwrap_or_default();
            let mut object = managed::with_status(object, status, Timestamp::now());
            // Somebody may have said another one meanwhile.
            if *spends_word && object.annotation(ALLOW_PRUNE) == source.allowed() {
                object
                    .metadata
                    .annotations
                    .get_or_insert_default()
                    .remove(ALLOW_PRUNE);
            }
            // First, so that whoever follows the log knows whose objects come after it.
            all.push(Op::Update { object, expected });
        }
        all.extend(ops.iter().cloned());
        let batch = Batch {
            ops: all,
            actor: source.actor(),
            reason: reason.clone(),
            epoch: Some(self.epoch),
        };
        self.api.store.write_all(batch).await.map(drop)
    }
}

/// What is written at once.
pub(super) struct Writing<'a> {
    /// The source's status.
    pub(super) next: &'a GitSourceStatus,
    /// What its commit declares.
    pub(super) ops: Vec<Op>,
    /// What the log calls it.
    pub(super) reason: String,
    /// Whether a word that lifted the guards for a commit is taken back.
    pub(super) spends_word: bool,
}

/// Whether the guards were lifted for the commit that is applied: that was for what it came to then, and for nothing that a
/// change of the spec makes of it later.
pub(super) fn spends_word(source: &Source, ended: &Ended) -> bool {
    match ended {
        Ended::Applied { commit, .. } => source.is_allowed(&commit.revision),
        Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => false,
    }
}

/// Whether what a turn came to still holds for a source that somebody touched meanwhile, with a label or a request to look.
fn is_as_it_was(now: &Object, before: &Object) -> bool {
    let identity = |object: &Object| (object.uid().to_owned(), object.generation());
    identity(now) == identity(before) && now.status == before.status && !now.is_deleting()
}
