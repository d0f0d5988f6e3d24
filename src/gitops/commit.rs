//! What a commit comes down to: what it declares, judged as a whole, and what it deletes.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::Term;
use super::fetcher::FetchError;
use super::read::{self, Declared};
use super::source::Source;
use super::status::{Changes, Ended};
use super::turn::TurnError;
use crate::api::{self, Declaration, DeclareError, Home, Wanted};
use crate::git::{Refusal, Snapshot};
use crate::resource::condition::Reason;
use crate::resource::git_source::{ApplicationResult, FetchedCommit};
use crate::resource::manifest::Source as File;
use crate::resource::prune::{self, Guard, Pruned, Question};
use crate::resource::variables::Variables;
use crate::resource::{Key, Kind, Object};
use crate::store::{Op, StoreError};

/// A commit to apply.
pub(super) struct Found {
    pub(super) snapshot: Snapshot,
    pub(super) variables: Option<Variables>,
    /// Whether it comes to something else than when it was applied last, although it is the same one.
    pub(super) is_new: bool,
}

/// What a commit comes down to.
pub(super) struct Outcome {
    pub(super) ended: Ended,
    pub(super) changes: api::Changes,
    /// What was put back as the commit has it, after others changed it.
    pub(super) put_back: Vec<Key>,
}

impl Outcome {
    fn refused(commit: FetchedCommit, reason: Reason, why: String) -> Self {
        Self::of(Ended::Held {
            commit,
            result: ApplicationResult::Refused,
            reason,
            why,
        })
    }

    /// A guard holds, until somebody lifts it for this commit.
    fn guarded(commit: FetchedCommit, source: &Source, guard: &str) -> Self {
        let (name, namespace) = (source.object.name(), source.object.namespace());
        let short = commit.revision.get(..12).unwrap_or(&commit.revision);
        let why = format!(
            "{guard}; if that is meant: `whoosh reconcile gitsource/{name} -n {namespace} --allow-prune {short}`"
        );
        Self::of(Ended::Held {
            commit,
            result: ApplicationResult::Guarded,
            reason: Reason::PruneGuarded,
            why,
        })
    }

    /// The end of a commit that is not read.
    pub(super) fn unread(refusal: Refusal) -> Self {
        let Refusal {
            revision,
            reference,
            author,
            message,
            error,
        } = refusal;
        let commit = FetchedCommit {
            revision,
            reference,
            author,
            message,
            signer: None,
        };
        let why = error.to_string();
        Self::refused(commit, FetchError::from(error).reason(), why)
    }

    /// An end that changes nothing.
    pub(super) fn of(ended: Ended) -> Self {
        Self {
            ended,
            changes: api::Changes::default(),
            put_back: Vec::new(),
        }
    }
}

impl Term {
    /// What a commit comes down to now.
    pub(super) async fn outcome(
        &self,
        source: &Source,
        found: Found,
        started: Instant,
    ) -> Result<Outcome, TurnError> {
        let Found {
            snapshot,
            variables,
            is_new,
        } = found;
        let commit = commit(&snapshot);
        let refused = |commit, why| {
            let why = match &variables {
                Some(variables) => variables.hide(why),
                None => why,
            };
            Outcome::refused(commit, Reason::RevisionRefused, why)
        };
        if let Some(error) = snapshot.missing.first()
            && !source.is_allowed(&commit.revision)
        {
            let why = error.to_string();
            return Ok(match source.spec.prune && !source.status.inventory.is_empty() {
                true => Outcome::guarded(
                    commit,
                    source,
                    &format!("{why}, and what was declared there would be deleted"),
                ),
                false => Outcome::refused(commit, Reason::RevisionRefused, why),
            });
        }
        let claims = self.claims(source).await?;
        let values = source.spec.values(variables.as_ref());
        let declared = match read_apart(snapshot, source, values, &claims).await {
            Ok(declared) => declared,
            Err(why) => return Ok(refused(commit, why)),
        };
        let pruned = match self.pruned(source, &declared, &claims, &commit.revision).await? {
            Ok(pruned) => pruned,
            Err(guard) => {
                let told = guard.told(source.object.namespace());
                return Ok(Outcome::guarded(commit, source, &told));
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
            Err(DeclareError::Refused(causes)) => {
                return Ok(refused(commit, read::refused(&declared, causes)));
            }
            Err(DeclareError::Unavailable(error)) => return Err(error.into()),
        };
        let again = source.status.applied_revision.as_ref() == Some(&commit.revision);
        // The same commit by the same spec: whatever differs, others changed.
        let again = again && !is_new && source.status.applied_generation == Some(source.object.generation());
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
        let told = told(&changes, &pruned, source.object.namespace());
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
        Ok(Outcome {
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
                Some(object) if prune::stays(&object) => drop(protected.insert(key.clone())),
                Some(_) => {}
            }
        }
        // What somebody deleted already is nothing that the commit deletes.
        let inventory = &inventory - &gone;
        let pruned = prune::prune(Question {
            prune: source.spec.prune,
            max_prune: source.spec.max_prune,
            inventory: &inventory,
            declared: &declared,
            protected: &protected,
            pinned: &pinned,
            revision,
            allowed: source.allowed(),
        });
        // What it may not declare any more it may not delete, either.
        Ok(pruned.map(|mut pruned| {
            pruned.left.extend(source.out_of_reach());
            pruned
        }))
    }
}

/// Reads a commit's files on a thread of its own: that may take its time, and others wait for this one.
async fn read_apart(
    snapshot: Snapshot,
    source: &Source,
    values: Option<BTreeMap<String, String>>,
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
        read::read(&files, &source, values.as_ref(), &claims)
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

/// `2 created, 1 configured, 1 deleted`.
fn told(changes: &api::Changes, pruned: &Pruned, here: &str) -> String {
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
    ];
    let told = counts.into_iter().filter(|(count, _)| *count > 0);
    let mut told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    if !pruned.left.is_empty() {
        let (count, names) = (pruned.left.len(), prune::list(&pruned.left, here));
        told.push(format!(
            "{count} no longer declared here and left as they are ({names})"
        ));
    }
    match told.is_empty() {
        true => "nothing changed".to_owned(),
        false => told.join(", "),
    }
}
