//! One turn of a source: fetch, read, decide, write.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Term;
use super::commit::{Found, Outcome};
use super::depend::Waits;
use super::fetcher::FetchError;
use super::memory::{Memory, Wake};
use super::source::Source;
use super::status::{self, Ended};
use super::write::{Writing, spends_word};
use crate::git::Answer;
use crate::queue::Next;
use crate::resource::Key;
use crate::resource::condition::Reason;
use crate::resource::git_source::ApplicationResult;
use crate::resource::repository::RepositoryUrl;
use crate::resource::variables::Variables;
use crate::store::StoreError;
use crate::telemetry::Chain;

/// Why a turn came to no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object is not one of this version.
    #[error("the stored source cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

/// What comes of a turn.
enum Turn {
    /// Nothing yet: the repository has to be looked at, for which there must be a place.
    NeedsSlot {
        /// Who is asked.
        server: String,
    },
    /// It is over.
    Ended(Next),
}

/// What a look at a source's repository found.
struct Looked {
    answer: Answer,
    /// The variables that stand in a secret.
    variables: Option<Variables>,
}

impl Term {
    /// Works on a source that something asked for.
    pub(super) async fn reconcile(&self, key: Key) -> Next {
        let mut slot = None;
        let ended = loop {
            match self.turn(&key, slot.is_some()).await {
                // Its turn begins anew: what it knew may not be true any more.
                Ok(Turn::NeedsSlot { server }) => slot = Some(self.slots.take(&key.namespace, &server).await),
                Ok(Turn::Ended(next)) => break Ok(next),
                Err(error) => break Err(error),
            }
        };
        match ended {
            Ok(next) => next,
            // Somebody else wrote meanwhile: their change is looked at, soon.
            Err(TurnError::Store(StoreError::Conflict { .. } | StoreError::AlreadyExists(_))) => {
                self.memories.change(&key, Memory::begin_anew);
                Next::Backoff
            }
            Err(error) => {
                tracing::warn!(source = %key, error = %Chain(&error), "cannot reconcile a source now");
                self.memories.change(&key, Memory::begin_anew);
                Next::Backoff
            }
        }
    }

    async fn turn(&self, key: &Key, has_slot: bool) -> Result<Turn, TurnError> {
        let Some(object) = self
            .api
            .store
            .get(key)
            .await?
            .filter(|object| !object.is_deleting())
        else {
            self.memories.forget(key);
            self.reports.forget(key);
            return Ok(Turn::Ended(Next::Never));
        };
        let source = Source::read(object)?;
        if let Some(turn) = self.rest(&source, has_slot).await? {
            return Ok(turn);
        }
        let memory = self.memories.of(key);
        // From now on a change is one that this turn does not see.
        self.memories.change(key, |memory| {
            memory.drifted = false;
            memory.health_due = None;
            // Until it is again: a turn that fails leaves everything to the next one.
            memory.is_applied = false;
        });
        let broken_off = self.memories.looks(key, source.object.generation());
        let looked = tokio::select! {
            looked = self.look(&source, &memory) => looked,
            () = broken_off.cancelled() => return Ok(Turn::Ended(Next::After(Duration::ZERO))),
        };
        tracing::debug!(source = %key, ok = looked.is_ok(), "looked at a repository");
        self.settle(&source, &memory, looked).await
    }

    /// How a turn ends that does not look at the repository; `None` when it does.
    async fn rest(&self, source: &Source, has_slot: bool) -> Result<Option<Turn>, TurnError> {
        let key = source.object.key();
        if let Some((why, until)) = source.spec.suspended(Timestamp::now()) {
            self.memories.forget(&key);
            self.write(source, &Ended::Suspended { why }, Vec::new()).await?;
            let left = |until: Timestamp| {
                until
                    .duration_since(Timestamp::now())
                    .try_into()
                    .unwrap_or_default()
            };
            let next = until.map_or(Next::Never, |until| Next::After(left(until)));
            return Ok(Some(Turn::Ended(next)));
        }
        if self.end_suspension(source).await? {
            return Ok(Some(Turn::Ended(Next::After(Duration::ZERO))));
        }
        let wake = self.memories.of(&key).wake(source, Instant::now());
        // What is applied stays so, whomever the source waits for.
        if !matches!(wake, Wake::PutBack(_))
            && let Some(ended) = self.held_up(source, None)
        {
            return self.wait(source, &ended).await.map(Some);
        }
        Ok(match wake {
            Wake::Sleep(left) => Some(Turn::Ended(Next::After(left))),
            Wake::Health(left) => {
                self.memories.change(&key, |memory| memory.health_due = None);
                let round = self.round(source, &source.status.inventory, &[]);
                let next = status::with_health(&source.status, &round);
                let writing = Writing {
                    next: &next,
                    ops: Vec::new(),
                    reason: "status".to_owned(),
                    spends_word: false,
                };
                self.put(source, writing).await?;
                Some(Turn::Ended(Next::After(left)))
            }
            Wake::PutBack(left) => Some(Turn::Ended(self.put_back(source, left).await?)),
            Wake::Fetch if !has_slot => {
                if source.status.conditions.is_empty() {
                    let ended = Ended::Failed {
                        reason: Reason::Fetching,
                        why: "its repository is looked at for the first time".to_owned(),
                        transient: true,
                    };
                    self.write(source, &ended, Vec::new()).await?;
                }
                let server = RepositoryUrl::of(&source.spec.url).host.to_ascii_lowercase();
                Some(Turn::NeedsSlot { server })
            }
            Wake::Fetch => None,
        })
    }

    /// Looks at a source's repository, and at what is put for its variables.
    async fn look(&self, source: &Source, memory: &Memory) -> Result<Looked, FetchError> {
        let variables = self.fetcher.variables(source).await?;
        let is_settled = memory.is_settled(source, variables.as_ref());
        let known = source.known().filter(|_| is_settled);
        let answer = self.fetcher.fetch(source, known).await?;
        Ok(Looked { answer, variables })
    }

    /// Applies what a look found, and tells of it.
    async fn settle(
        &self,
        source: &Source,
        memory: &Memory,
        looked: Result<Looked, FetchError>,
    ) -> Result<Turn, TurnError> {
        let variables = match &looked {
            Ok(looked) => looked.variables.clone(),
            Err(_) => memory.variables.clone(),
        };
        let Outcome {
            ended,
            mut changes,
            put_back,
        } = match looked {
            Ok(Looked {
                answer: Answer::Unchanged { .. },
                ..
            }) => Outcome::of(Ended::as_before(&source.status)),
            Ok(Looked {
                answer: Answer::Fetched(snapshot),
                variables,
            }) => {
                if let Some(ended) = self.held_up(source, Some(&snapshot.revision)) {
                    self.memories.give_back(&source.object.key(), memory);
                    return self.wait(source, &ended).await;
                }
                let differs = variables.is_some() && memory.variables != variables;
                let found = Found {
                    snapshot,
                    variables,
                    differs,
                };
                self.outcome(source, found, Instant::now()).await?
            }
            Ok(Looked {
                answer: Answer::Refused(refusal),
                ..
            }) => Outcome::unread(refusal),
            Err(error) => Outcome::of(Ended::Failed {
                reason: error.reason(),
                why: Chain(&error).to_string(),
                transient: error.is_transient(),
            }),
        };
        let ops = std::mem::take(&mut changes.ops);
        self.expect(&ops);
        let ended = match self.write(source, &ended, ops).await {
            Ok(()) => ended,
            Err(error) => {
                let refused = ended.unstorable(&error).ok_or(error)?;
                self.write(source, &refused, Vec::new()).await?;
                refused
            }
        };
        // What counts for a quota is written; others may go on.
        drop(changes);
        let is_applied = matches!(ended, Ended::Applied { .. });
        // A word that was for this commit is spent.
        let allowed = source.allowed().filter(|_| !spends_word(source, &ended));
        let allowed = allowed.map(str::to_owned);
        if is_applied {
            self.tell_put_back(source, &put_back).await;
        }
        // What others changed, or may have while nobody led, need not wait for a look that comes to something.
        let may_differ = memory.drifted || !memory.is_applied;
        let puts_back = may_differ && !is_applied && source.applied().is_some();
        self.memories.change(&source.object.key(), |now| {
            now.is_applied = is_applied || memory.is_applied;
            now.drifted |= puts_back;
            now.allowed = allowed;
            if is_applied {
                now.variables = variables;
            }
        });
        let wait = match ended {
            // What refuses a commit may be none of its own: a quota, another source.
            Ended::Failed { transient: true, .. }
            | Ended::Held {
                result: ApplicationResult::Refused,
                ..
            } => source.retry_interval(),
            _ => source.interval(),
        };
        let next = self.sleep(source, wait);
        Ok(Turn::Ended(match puts_back {
            true => Next::After(Duration::ZERO),
            false => next,
        }))
    }

    /// Ends a turn that must wait for other sources, which ask for it when something happens to them.
    async fn wait(&self, source: &Source, ended: &Ended) -> Result<Turn, TurnError> {
        self.write(source, ended, Vec::new()).await?;
        Ok(Turn::Ended(Next::After(source.retry_interval())))
    }

    /// How a turn ends that must wait for other sources, before a look or with the commit that it found; `None` when it need
    /// not.
    fn held_up(&self, source: &Source, revision: Option<&str>) -> Option<Ended> {
        let key = source.object.key();
        // Before they are looked at: what happens to them from now on is not missed.
        self.memories.change(&key, |memory| {
            memory.waits_for = source.needs().into_iter().collect()
        });
        let waits = self.index().waits(source, revision);
        self.memories.change(&key, |memory| match waits {
            // As soon as it need not wait any more, the repository is looked at.
            Some(_) => memory.due = None,
            None => memory.waits_for.clear(),
        });
        // Once a request, or two that wait for each other's news would go on for ever.
        let request = source.request().map(str::to_owned);
        let is_asked = request.is_some() && self.memories.of(&key).passed_on != request;
        self.memories.change(&key, |memory| memory.passed_on = request);
        for needed in waits.iter().flat_map(|waits| waits.to_look(is_asked)) {
            // It may not have seen what this one found, or is to find: it looks before its interval is over.
            self.memories.change(needed, |memory| memory.due = None);
            self.queue.add(needed.clone());
        }
        waits.map(|waits| Ended::Failed {
            reason: waits.reason(),
            why: waits.told(source),
            transient: matches!(waits, Waits::For(_)),
        })
    }

    /// The repository is looked at again after about this long; not at the same time as others.
    fn sleep(&self, source: &Source, wait: Duration) -> Next {
        let wait = wait.mul_f64(0.95 + 0.1 * rand::random::<f64>());
        let seen = (source.object.generation(), source.request().map(str::to_owned));
        self.memories.change(&source.object.key(), |memory| {
            memory.due = Some(Instant::now() + wait);
            memory.seen = Some(seen);
        });
        Next::After(wait)
    }
}
