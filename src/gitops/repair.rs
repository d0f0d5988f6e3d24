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

/// What was put back, by these variables.
struct Repaired {
    variables: Option<Variables>,
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
        let repaired = self.repair(source, &before).await?;
        let (is_repaired, answered) = (repaired.is_some(), before.is_applied);
        self.memories.change(&key, |memory| match repaired {
            Some(Repaired { variables }) => {
                memory.is_applied = true;
                memory.variables = variables;
            }
            // The repository has it, and answered the last time.
            None if answered => memory.due = None,
            None => {}
        });
        Ok(match is_repaired || !answered {
            true => Next::After(left),
            false => Next::After(Duration::ZERO),
        })
    }

    /// Puts everything back; `None` where more than that is to be done, or it cannot be had without a look.
    async fn repair(&self, source: &Source, before: &Memory) -> Result<Option<Repaired>, TurnError> {
        let Some((found, variables)) = self.found_again(source, before).await else {
            return Ok(None);
        };
        let Outcome {
            ended,
            mut changes,
            put_back,
        } = self.outcome(source, found, Instant::now()).await?;
        let is_as_before = matches!(&ended, Ended::Applied { inventory, kept, .. }
            if *inventory == source.status.inventory && *kept == source.status.kept);
        if !is_as_before {
            return Ok(None);
        }
        let ops = std::mem::take(&mut changes.ops);
        self.expect(&ops);
        let round = self.round(source, &source.status.inventory, &ops);
        let next = status::with_health(&source.status, &round);
        let revision = source.status.revision.as_deref().unwrap_or_default();
        let writing = Writing {
            next: &next,
            ops,
            reason: format!("apply {revision}"),
            spends_word: false,
        };
        self.put(source, writing).await?;
        // What counts for a quota is written; others may go on.
        drop(changes);
        self.tell_put_back(source, &put_back).await;
        Ok(Some(Repaired { variables }))
    }

    /// The commit that is applied, by the values that it was applied by.
    async fn found_again(&self, source: &Source, before: &Memory) -> Option<(Found, Option<Variables>)> {
        let known = source.applied()?;
        let _place = self.slots.take_again().await;
        let variables = self.fetcher.variables(source).await.ok()?;
        if before.variables.is_some() && before.variables != variables {
            return None;
        }
        let snapshot = match self.fetcher.again(source, known).await {
            Ok(Answer::Fetched(snapshot)) => snapshot,
            Ok(Answer::Unchanged { .. } | Answer::Refused(_)) => return None,
            Err(error) => {
                tracing::debug!(source = %source.object.key(), %error, "an applied commit cannot be read again");
                return None;
            }
        };
        let found = Found {
            snapshot,
            variables: variables.clone(),
            differs: before.variables != variables,
        };
        Some((found, variables))
    }

    /// Takes note of what is about to be written, which is nothing that others did.
    pub(super) fn expect(&self, ops: &[Op]) {
        for object in ops.iter().filter_map(Op::written) {
            self.index().expect(object);
        }
    }
}
