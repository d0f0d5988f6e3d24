//! Puts back what others changed, from the commit that is applied, as it was when it was fetched: its repository is not asked,
//! and need neither answer nor be in order.

use std::time::Duration;

use tokio::time::Instant;

use super::Term;
use super::commit::{Found, Outcome};
use super::memory::Memory;
use super::source::Source;
use super::status::{self, Ended};
use super::turn::TurnError;
use super::write::Writing;
use crate::git::Answer;
use crate::queue::Next;
use crate::resource::variables::Variables;
use crate::store::Op;

/// What came of a try to put everything back.
enum Repair {
    /// All is as the commit has it, by these variables.
    Done(Option<Variables>),
    /// More than that is to be done, or it cannot be had here: that takes a look at the repository.
    NeedsLook,
}

impl Term {
    /// A turn that puts back what others changed. Its source's next look, if that is not needed sooner, is in `left`.
    pub(super) async fn put_back(&self, source: &Source, left: Duration) -> Result<Next, TurnError> {
        let key = source.object.key();
        let before = self.memories.of(&key);
        self.memories.change(&key, |memory| {
            memory.drifted = false;
            memory.is_applied = false;
        });
        let broken_off = self.memories.looks(&key, source.object.generation());
        let found = tokio::select! {
            found = self.found_again(source, &before) => found,
            () = broken_off.cancelled() => {
                self.memories.give_back(&key, &before);
                return Ok(Next::After(Duration::ZERO));
            }
        };
        let repair = match found {
            Some(found) => self.repair(source, found).await,
            None => Ok(Repair::NeedsLook),
        };
        match repair {
            Ok(Repair::Done(variables)) => {
                self.memories.change(&key, |memory| {
                    memory.is_applied = true;
                    memory.variables = variables;
                });
                Ok(Next::After(left))
            }
            // A look was tried since, and came to nothing: another one has its time.
            Ok(Repair::NeedsLook) if !before.is_applied => Ok(Next::After(left)),
            Ok(Repair::NeedsLook) => {
                self.memories.change(&key, |memory| memory.due = None);
                Ok(Next::After(Duration::ZERO))
            }
            Err(error) => {
                self.memories.give_back(&key, &before);
                Err(error)
            }
        }
    }

    async fn repair(&self, source: &Source, found: Found) -> Result<Repair, TurnError> {
        let variables = found.variables.clone();
        let Outcome {
            ended,
            mut changes,
            put_back,
        } = self.outcome(source, found, Instant::now()).await?;
        let is_as_before = matches!(&ended, Ended::Applied { inventory, kept, .. }
            if *inventory == source.status.inventory && *kept == source.status.kept);
        if !is_as_before {
            return Ok(Repair::NeedsLook);
        }
        let ops = std::mem::take(&mut changes.ops);
        self.expect(&ops);
        let mut round = self.round(source, &source.status.inventory, &ops);
        // Who asked for a look has not had it.
        round.request = source.status.handled_request.as_deref();
        let next = status::with_health(&source.status, &round);
        let revision = source.status.revision.as_deref().unwrap_or_default();
        let writing = Writing {
            next: &next,
            ops,
            reason: format!("apply {revision}"),
            spends_word: false,
        };
        match self.put(source, writing).await {
            Err(error) if error.is_about_an_object() => return Ok(Repair::NeedsLook),
            written => written?,
        };
        // What counts for a quota is written; others may go on.
        drop(changes);
        self.tell_put_back(source, &put_back).await;
        Ok(Repair::Done(variables))
    }

    /// The commit that is applied, with the values that it was applied by, where they are known.
    async fn found_again(&self, source: &Source, before: &Memory) -> Option<Found> {
        let known = source.applied()?;
        let _place = self.slots.take_again().await;
        let variables = match &before.variables {
            Some(variables) => Some(variables.clone()),
            None => self.fetcher.variables(source).await.ok()?,
        };
        let snapshot = match self.fetcher.again(source, known).await {
            Ok(Answer::Fetched(snapshot)) => snapshot,
            Ok(Answer::Unchanged { .. } | Answer::Refused(_)) => return None,
            Err(error) => {
                tracing::debug!(source = %source.object.key(), %error, "an applied commit cannot be read again");
                return None;
            }
        };
        Some(Found {
            snapshot,
            differs: before.variables != variables,
            variables,
        })
    }

    /// Takes note of what is about to be written, which is nothing that others did.
    pub(super) fn expect(&self, ops: &[Op]) {
        for object in ops.iter().filter_map(Op::written) {
            self.index().expect(object);
        }
    }
}
