//! What a commit comes down to: what it declares, judged as a whole, and what it deletes.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::Term;
use super::fetcher::FetchError;
use super::read::{self, Declared};
use super::source::Source;
use super::status::{Changes, Ended};
use super::tell;
use super::turn::TurnError;
use crate::api::{self, Declaration, DeclareError, Home, Wanted};
use crate::git::{GitError, Refusal, Snapshot};
use crate::resource::condition::Reason;
use crate::resource::git_source::{ApplicationResult, FetchedCommit};
use crate::resource::manifest::Source as File;
use crate::resource::prune::{self, Guard, Pruned};
use crate::resource::variables::Variables;
use crate::resource::{Key, Kind};
use crate::store::{Op, StoreError};

/// A commit to apply.
pub(super) struct Found {
    pub(super) snapshot: Snapshot,
    pub(super) variables: Option<Variables>,
    /// Whether it comes to something else than when it was applied last, although it is the same one.
    pub(super) differs: bool,
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
            differs,
        } = found;
        let commit = commit(&snapshot);
        // Where values may be in what is told, no more is quoted than what the commit says itself.
        let written: Vec<String> = match variables {
            Some(_) => snapshot.files.iter().map(|file| file.content.clone()).collect(),
            None => Vec::new(),
        };
        let refused = |commit, why| {
            let is_written = |quoted: &str| written.iter().any(|text| text.contains(quoted));
            let why = variables.clone().unwrap_or_default().hide_in(why, is_written);
            Outcome::refused(commit, Reason::RevisionRefused, why)
        };
        let missing: Vec<String> = snapshot.missing.iter().filter_map(missing_path).collect();
        let is_known = |error: &&GitError| {
            let path = missing_path(error);
            path.is_none_or(|path| source.status.missing_paths.contains(&path))
        };
        let new = snapshot.missing.iter().find(|error| !is_known(error));
        let new = new.filter(|_| !source.is_allowed(&commit.revision));
        let new = new.map(ToString::to_string);
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
                let told = new.map_or(told.clone(), |missing| format!("{missing}, and {told}"));
                return Ok(Outcome::guarded(commit, source, &told));
            }
        };
        // A path that was never there is a mistake; one that is no more may be meant.
        if let Some(missing) = new {
            return Ok(match pruned.remove.as_slice() {
                [] => Outcome::refused(commit, Reason::RevisionRefused, missing),
                gone => {
                    let gone = prune::list(gone, source.object.namespace());
                    let told = format!("{missing}, and {gone} would be deleted");
                    Outcome::guarded(commit, source, &told)
                }
            });
        }
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
                variables: source.spec.substitute_from.as_ref().map(|named| {
                    let namespace = source.object.namespace().to_owned();
                    (namespace, named.name.clone())
                }),
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
        let is_this = source.status.applied_revision.as_ref() == Some(&commit.revision);
        let is_same = is_this && source.status.applied_generation == Some(source.object.generation());
        let is_resumed = tell::is_suspended(&source.status);
        let put_back = put_back(source, &changes, (is_same || is_resumed && is_this) && !differs);
        let is_told = !is_same || !pruned.remove.is_empty() || (differs && !changes.ops.is_empty());
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
            missing,
            changes: is_told.then(|| Changes {
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
        let mut live = Vec::new();
        for key in inventory.difference(&declared) {
            live.extend(self.api.store.get(key).await?);
        }
        let word = (revision, source.allowed());
        let pruned = prune::decide(&source.spec, &inventory, &declared, &live, word);
        // What it may not declare any more it may not delete, either.
        Ok(pruned.map(|mut pruned| {
            let left = source.out_of_reach().into_iter();
            pruned.left.extend(left.filter(|key| !claims.contains_key(key)));
            pruned
        }))
    }
}

/// What of the changes puts back what others changed; all of what the source had before, where `is_same` commit is applied by
/// the same spec and values.
fn put_back(source: &Source, changes: &api::Changes, is_same: bool) -> Vec<Key> {
    let inventory = source.inventory();
    let is_lost = |op: &Op, key: &Key| matches!(op, Op::Create(_)) || changes.overridden.contains(key);
    let written = changes
        .ops
        .iter()
        .filter_map(|op| Some((op, op.written()?.key())));
    written
        .filter(|(op, key)| inventory.contains(key) && (is_same || is_lost(op, key)))
        .map(|(_, key)| key)
        // What was pinned until now is told of as that.
        .filter(|key| !source.status.pinned.contains(&key.to_string()))
        .collect()
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

/// The path that a commit does not have.
fn missing_path(error: &GitError) -> Option<String> {
    match error {
        GitError::NoPath { path, .. } => Some(path.clone()),
        _ => None,
    }
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
