//! One turn of a source: fetch, read, decide, write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::depend::Waits;
use super::memory::Wake;
use super::prune::{self, Guard, Pruned, Question};
use super::read::{self, Declared};
use super::source::Source;
use super::status::{self, Changes, Ended, Round};
use super::{Term, tell};
use crate::api::{self, Declaration, DeclareError, Home, Wanted};
use crate::git::{Answer, Snapshot};
use crate::queue::Next;
use crate::resource::git_source::{ApplicationResult, FetchedCommit, GitSourceStatus};
use crate::resource::manifest::Source as File;
use crate::resource::names::PRUNE;
use crate::resource::{Key, Kind, Object, lifecycle};
use crate::store::{Batch, Op, StoreError};
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
    NeedsSlot,
    /// It is over.
    Ended(Next),
}

/// What a commit comes down to.
struct Application {
    ended: Ended,
    changes: api::Changes,
    /// What was put back as the commit has it, after others changed it.
    put_back: Vec<Key>,
}

impl Application {
    fn held(commit: FetchedCommit, result: ApplicationResult, why: String) -> Self {
        Self::of(Ended::Held { commit, result, why })
    }

    /// An end that changes nothing.
    fn of(ended: Ended) -> Self {
        Self {
            ended,
            changes: api::Changes::default(),
            put_back: Vec::new(),
        }
    }
}

impl Term {
    /// Works on a source that something asked for.
    pub(super) async fn reconcile(&self, key: Key) -> Next {
        let mut slot = None;
        let ended = loop {
            match self.turn(&key, slot.is_some()).await {
                // Its turn begins anew: what it knew may not be true any more.
                Ok(Turn::NeedsSlot) => slot = Some(self.slots.take(&key.namespace).await),
                Ok(Turn::Ended(next)) => break Ok(next),
                Err(error) => break Err(error),
            }
        };
        match ended {
            Ok(next) => next,
            // Somebody else wrote meanwhile: their change is looked at, soon.
            Err(TurnError::Store(StoreError::Conflict { .. } | StoreError::AlreadyExists(_))) => {
                self.memories.change(&key, |memory| memory.due = None);
                Next::Backoff
            }
            Err(error) => {
                tracing::warn!(source = %key, error = %Chain(&error), "cannot reconcile a source now");
                self.memories.change(&key, |memory| memory.due = None);
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
        if let Some((why, until)) = source.spec.suspended(Timestamp::now()) {
            self.memories.forget(key);
            self.write(&source, Ended::Suspended { why }, Vec::new()).await?;
            let left = |until: Timestamp| {
                until
                    .duration_since(Timestamp::now())
                    .try_into()
                    .unwrap_or_default()
            };
            let next = until.map_or(Next::Never, |until| Next::After(left(until)));
            return Ok(Turn::Ended(next));
        }
        if let Some(ended) = self.held_up(&source, None) {
            return self.wait(&source, ended).await;
        }
        let memory = self.memories.of(key);
        match memory.wake(&source, Instant::now()) {
            Wake::Sleep(left) => return Ok(Turn::Ended(Next::After(left))),
            Wake::Health(left) => {
                self.memories.change(key, |memory| memory.health_due = None);
                let round = self.round(&source, &source.status.inventory, &[]);
                let next = status::with_health(&source.status, &round);
                self.put(&source, &next, Vec::new(), "status".to_owned()).await?;
                return Ok(Turn::Ended(Next::After(left)));
            }
            Wake::Fetch if !has_slot => return Ok(Turn::NeedsSlot),
            Wake::Fetch => {}
        }
        // From now on a change is one that this turn does not see.
        self.memories.change(key, |memory| {
            memory.drifted = false;
            memory.health_due = None;
            // Until it is again: a turn that fails leaves everything to the next one.
            memory.is_applied = false;
        });
        let known = source.known().filter(|_| memory.is_settled(&source));
        let broken_off = self.memories.looks(key, source.object.generation());
        let answer = tokio::select! {
            answer = self.fetcher.fetch(&source, known) => answer,
            () = broken_off.cancelled() => return Ok(Turn::Ended(Next::After(Duration::ZERO))),
        };
        tracing::debug!(source = %key, ok = answer.is_ok(), "looked at a repository");
        if let Ok(Answer::Fetched(snapshot)) = &answer
            && let Some(ended) = self.held_up(&source, Some(&snapshot.revision))
        {
            return self.wait(&source, ended).await;
        }
        let Application {
            ended,
            mut changes,
            put_back,
        } = match answer {
            Ok(Answer::Unchanged { .. }) => Application::of(Ended::as_before(&source.status)),
            Ok(Answer::Fetched(snapshot)) => self.application(&source, snapshot, Instant::now()).await?,
            Err(error) => Application::of(Ended::Failed {
                reason: error.reason(),
                why: Chain(&error).to_string(),
                transient: error.is_transient(),
            }),
        };
        let applied = match &ended {
            Ended::Applied { commit, .. } => Some(commit.clone()),
            Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => None,
        };
        let wait = match &ended {
            Ended::Failed { transient: true, .. } => source.retry_interval(),
            _ => source.interval(),
        };
        let ops = std::mem::take(&mut changes.ops);
        for object in ops.iter().filter_map(Op::written) {
            self.index().expect(object);
        }
        let is_applied = match self.write(&source, ended, ops).await {
            Ok(()) => applied.is_some(),
            Err(error) => {
                let refused = applied.and_then(|commit| Ended::unstorable(commit, &error));
                self.write(&source, refused.ok_or(error)?, Vec::new()).await?;
                false
            }
        };
        // What counts for a quota is written; others may go on.
        drop(changes);
        if is_applied {
            self.tell_put_back(&source, &put_back).await;
        }
        self.memories.change(key, |memory| {
            memory.is_applied = is_applied;
            memory.allowed = source.allowed().map(str::to_owned);
        });
        Ok(Turn::Ended(self.sleep(&source, wait)))
    }

    /// Ends a turn that must wait for other sources, which ask for it when something happens to them.
    async fn wait(&self, source: &Source, ended: Ended) -> Result<Turn, TurnError> {
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
        for needed in waits.iter().flat_map(Waits::behind) {
            // It has not seen what this one found: it looks before its interval is over.
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

    /// What a commit comes down to now.
    async fn application(
        &self,
        source: &Source,
        snapshot: Snapshot,
        started: Instant,
    ) -> Result<Application, TurnError> {
        let commit = commit(&snapshot);
        let claims = self.claims(source).await?;
        let declared = match read_apart(snapshot, source, &claims).await {
            Ok(declared) => declared,
            Err(why) => return Ok(Application::held(commit, ApplicationResult::Refused, why)),
        };
        let pruned = match self.pruned(source, &declared, &claims, &commit.revision).await? {
            Ok(pruned) => pruned,
            Err(guard) => {
                let short = commit.revision.get(..12).unwrap_or(&commit.revision);
                let why = format!(
                    "{}; if that is meant: `whoosh reconcile gitsource/{} -n {} --allow-prune {short}`",
                    guard.told(source.object.namespace()),
                    source.object.name(),
                    source.object.namespace()
                );
                return Ok(Application::held(commit, ApplicationResult::Guarded, why));
            }
        };
        let objects: Vec<Wanted> = declared
            .iter()
            .map(|(key, located)| Wanted {
                key: key.clone(),
                manager: source.manager(&key.namespace),
                config: located.value.clone(),
            })
            .collect();
        let declaration = Declaration {
            actor: &source.actor(),
            grant: &source.grant(),
            home: &Home {
                url: source.spec.secret_ref.as_ref().map(|_| source.spec.url.clone()),
                allowed: self.fetcher.allowed.clone(),
            },
            objects: &objects,
            remove: &pruned.remove,
        };
        let changes = match self.api.declare(declaration).await {
            Ok(changes) => changes,
            Err(DeclareError::Refused(refused)) => {
                let why = read::refused(&declared, refused);
                return Ok(Application::held(commit, ApplicationResult::Refused, why));
            }
            Err(DeclareError::Unavailable(error)) => return Err(error.into()),
        };
        let again = source.status.applied_revision.as_ref() == Some(&commit.revision);
        // The same commit by the same spec: whatever differs, others changed.
        let again = again && source.status.applied_generation == Some(source.object.generation());
        let put_back = match again {
            true => changes
                .ops
                .iter()
                .filter_map(Op::written)
                .map(Object::key)
                // What was pinned until now is told of as that.
                .filter(|key| !source.status.pinned.contains(&key.to_string()))
                .collect(),
            false => Vec::new(),
        };
        let told = told(&changes, &pruned);
        let inventory: BTreeSet<Key> = declared
            .into_iter()
            .map(|(key, _)| key)
            .chain(pruned.kept.iter().cloned())
            .chain(pruned.pinned)
            .chain(changes.pinned.clone())
            .collect();
        let ended = Ended::Applied {
            inventory: inventory.iter().map(Key::to_string).collect(),
            kept: pruned.kept.iter().map(Key::to_string).collect(),
            changes: (!again || !pruned.remove.is_empty()).then(|| Changes {
                told,
                duration_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
            }),
            commit,
        };
        Ok(Application {
            ended,
            changes,
            put_back,
        })
    }

    /// What other sources declare, by what those are called where this one is.
    async fn claims(&self, source: &Source) -> Result<BTreeMap<Key, String>, StoreError> {
        let (itself, here) = (source.object.key(), source.object.namespace());
        let mut claims = BTreeMap::new();
        for object in self.api.store.list(Kind::GitSource, None).await?.items {
            if object.key() == itself {
                continue;
            }
            if let Ok(other) = Source::read(object) {
                let name = other.name_in(here);
                claims.extend(other.inventory().into_iter().map(|key| (key, name.clone())));
            }
        }
        Ok(claims)
    }

    async fn pruned(
        &self,
        source: &Source,
        declared: &[Declared],
        claims: &BTreeMap<Key, String>,
        revision: &str,
    ) -> Result<Result<Pruned, Guard>, StoreError> {
        let mut inventory = source.inventory();
        // What another source has taken over is not ours to delete.
        inventory.retain(|key| !claims.contains_key(key));
        let declared: BTreeSet<Key> = declared.iter().map(|(key, _)| key.clone()).collect();
        let mut protected = BTreeSet::new();
        let (mut pinned, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for key in inventory.difference(&declared) {
            match self.api.store.get(key).await? {
                None => drop(gone.insert(key.clone())),
                Some(object) if object.is_pinned() => drop(pinned.insert(key.clone())),
                Some(object) if stays(&object) => drop(protected.insert(key.clone())),
                Some(_) => {}
            }
        }
        // What somebody deleted already is nothing that the commit deletes.
        let inventory = &inventory - &gone;
        Ok(prune::prune(Question {
            prune: source.spec.prune,
            max_prune: source.spec.max_prune,
            inventory: &inventory,
            declared: &declared,
            protected: &protected,
            pinned: &pinned,
            revision,
            allowed: source.allowed(),
        }))
    }

    /// Writes what a turn came to, all of it at once, and tells of it; nothing when nothing is new.
    async fn write(&self, source: &Source, ended: Ended, ops: Vec<Op>) -> Result<(), StoreError> {
        let inventory = match &ended {
            Ended::Applied { inventory, .. } => inventory,
            Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => &source.status.inventory,
        };
        let round = self.round(source, inventory, &ops);
        let next = status::next(&source.status, &ended, &round);
        let reason = match &ended {
            Ended::Applied { commit, .. } => format!("apply {}", status::shown(commit)),
            Ended::Held { .. } | Ended::Failed { .. } | Ended::Suspended { .. } => "status".to_owned(),
        };
        if self.put(source, &next, ops, reason).await? {
            for event in tell::events(source, &next, &ended) {
                self.tell(event).await;
            }
        }
        Ok(())
    }

    /// What a turn is about whose objects are these, some of which it is about to write.
    fn round<'a>(&self, source: &'a Source, inventory: &[String], ops: &[Op]) -> Round<'a> {
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
    async fn put(
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

/// Reads a commit's files on a thread of its own: that may take its time, and others wait for this one.
async fn read_apart(
    snapshot: Snapshot,
    source: &Source,
    claims: &BTreeMap<Key, String>,
) -> Result<Vec<Declared>, String> {
    let (source, claims) = (source.clone(), claims.clone());
    let work = tokio::task::spawn_blocking(move || {
        let files: Vec<File> = snapshot
            .files
            .into_iter()
            .map(|file| File {
                name: file.path,
                bytes: file.content.into_bytes(),
            })
            .collect();
        read::read(&files, &source, &claims)
    });
    work.await
        .unwrap_or_else(|error| Err(format!("its files cannot be read: {error}")))
}

fn commit(snapshot: &Snapshot) -> FetchedCommit {
    FetchedCommit {
        revision: snapshot.revision.clone(),
        reference: snapshot.reference.clone(),
        author: snapshot.author.clone(),
        message: snapshot.message.clone(),
        signer: snapshot.signer.clone(),
    }
}

/// Whether an object says that it stays when it leaves its repository.
fn stays(object: &Object) -> bool {
    object.annotation(PRUNE) == Some("disabled")
}

/// `2 created, 1 configured, 1 deleted`.
fn told(changes: &api::Changes, pruned: &Pruned) -> String {
    let api::Changes {
        ops: _,
        created,
        configured,
        deleted,
        pinned,
        ..
    } = changes;
    let counts = [
        (*created, "created"),
        (*configured, "configured"),
        (*deleted, "deleted"),
        (pruned.kept.len(), "kept that left the repository"),
        (pinned.len() + pruned.pinned.len(), "pinned"),
        (pruned.left.len(), "no longer declared here"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match told.is_empty() {
        true => "nothing changed".to_owned(),
        false => told.join(", "),
    }
}
