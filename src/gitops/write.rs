//! Writes what a turn came to, with what is told of it.

use jiff::Timestamp;

use super::source::Source;
use super::status::{self, Ended, Round};
use super::{Term, tell};
use crate::resource::git_source::GitSourceStatus;
use crate::resource::{Object, lifecycle};
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
        if self.put(source, &next, ops, reason).await? {
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
    pub(super) async fn put(
        &self,
        source: &Source,
        next: &GitSourceStatus,
        ops: Vec<Op>,
        reason: String,
    ) -> Result<bool, StoreError> {
        if *next == source.status && ops.is_empty() {
            // Whoever led before may not have come to tell it.
            self.reports.offer(source, next);
            return Ok(false);
        }
        let mut object = source.object.clone();
        while let Err(error) = self.put_once(source, &object, next, &ops, &reason).await {
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
        next: &GitSourceStatus,
        ops: &[Op],
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut all = Vec::with_capacity(ops.len() + 1);
        if let (true, Some(expected)) = (*next != source.status, object.revision()) {
            let object = lifecycle::update_status(object, serde_json::to_value(next).unwrap_or_default());
            // First, so that whoever follows the log knows whose objects come after it.
            all.push(Op::Update { object, expected });
        }
        all.extend(ops.iter().cloned());
        let batch = Batch {
            ops: all,
            actor: source.actor(),
            reason: reason.to_owned(),
            epoch: Some(self.epoch),
        };
        self.api.store.write_all(batch).await.map(drop)
    }
}

/// Whether what a turn came to still holds for a source that somebody touched meanwhile, with a label or a request to look.
fn is_as_it_was(now: &Object, before: &Object) -> bool {
    let identity = |object: &Object| (object.uid().to_owned(), object.generation());
    identity(now) == identity(before) && now.status == before.status && !now.is_deleting()
}
