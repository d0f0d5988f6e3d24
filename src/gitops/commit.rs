//! What a commit comes down to: what it declares, judged as a whole, and what it deletes.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::Term;
use super::accepted::{Accepted, applied};
use super::fetcher::FetchError;
use super::read::{self, Declared};
use super::source::Source;
use super::status::Ended;
use super::turn::TurnError;
use crate::api::{self, Declaration, DeclareError, Home, Wanted};
use crate::git::{GitError, Refusal, Snapshot};
use crate::resource::condition::Reason;
use crate::resource::git_source::{ApplicationResult, FetchedCommit};
use crate::resource::manifest::Source as File;
use crate::resource::prune::{self, Guard, Pruned};
use crate::resource::variables::Variables;
use crate::resource::{Key, Kind};
use crate::store::StoreError;

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
        let missing = Missing::of(source, &snapshot);
        let claims = self.claims(source).await?;
        let values = source.spec.values(variables.as_ref());
        let declared = match read_apart(snapshot, source, values, &claims).await {
            Ok(declared) => declared,
            Err(why) => return Ok(refused(commit, why)),
        };
        let pruned = self.pruned(source, &declared, &claims, &commit.revision).await?;
        let pruned = match unguarded(source.object.namespace(), missing.told, pruned) {
            Ok(pruned) => pruned,
            Err(Held::Guarded(guard)) => return Ok(Outcome::guarded(commit, source, &guard)),
            Err(Held::Mistaken(why)) => {
                return Ok(Outcome::refused(commit, Reason::RevisionRefused, why));
            }
        };
        let changes = match self.declare(source, &declared, &pruned).await {
            Ok(changes) => changes,
            Err(DeclareError::Refused(causes)) => {
                return Ok(refused(commit, read::refused(&declared, causes)));
            }
            Err(DeclareError::Unavailable(error)) => return Err(error.into()),
        };
        let accepted = Accepted {
            commit,
            declared: declared.into_iter().map(|(key, _)| key).collect(),
            pruned,
            missing: missing.paths,
            changes,
            differs,
        };
        Ok(applied(source, accepted, started.elapsed()))
    }

    /// What there is to write for a commit.
    async fn declare(
        &self,
        source: &Source,
        declared: &[Declared],
        pruned: &Pruned,
    ) -> Result<api::Changes, DeclareError> {
        let objects: Vec<Wanted> = declared
            .iter()
            .map(|(key, located)| Wanted {
                key: key.clone(),
                manager: source.manager(&key.namespace),
                config: located.value.clone(),
            })
            .collect();
        let variables = source.spec.substitute_from.as_ref();
        let home = Home {
            url: source.spec.secret_ref.as_ref().map(|_| source.spec.url.clone()),
            allowed: self.fetcher.allowed.clone(),
            variables: variables.map(|named| (source.object.namespace().to_owned(), named.name.clone())),
        };
        let declaration = Declaration {
            actor: &source.actor(),
            grant: &source.grant(),
            home: &home,
            objects: &objects,
            remove: &pruned.remove,
        };
        self.api.declare(declaration).await
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

/// Paths of a source that a commit does not have.
struct Missing {
    paths: Vec<String>,
    /// What is to be said of one that was there, or never was, unless that is allowed for this commit.
    told: Option<String>,
}

impl Missing {
    fn of(source: &Source, snapshot: &Snapshot) -> Self {
        let is_known = |error: &&GitError| {
            let path = missing_path(error);
            path.is_none_or(|path| source.status.missing_paths.contains(&path))
        };
        let new = snapshot.missing.iter().find(|error| !is_known(error));
        let new = new.filter(|_| !source.is_allowed(&snapshot.revision));
        Self {
            paths: snapshot.missing.iter().filter_map(missing_path).collect(),
            told: new.map(ToString::to_string),
        }
    }
}

/// What keeps a commit from being applied.
enum Held {
    /// It takes somebody's word.
    Guarded(String),
    /// It has to be mended.
    Mistaken(String),
}

/// What goes with a commit, if no guard holds it and no path is missing.
///
/// # Errors
/// What does.
fn unguarded(here: &str, missing: Option<String>, pruned: Result<Pruned, Guard>) -> Result<Pruned, Held> {
    match (missing, pruned) {
        (None, Ok(pruned)) => Ok(pruned),
        (None, Err(guard)) => Err(Held::Guarded(guard.told(here))),
        (Some(missing), Err(guard)) => Err(Held::Guarded(format!("{missing}, and {}", guard.told(here)))),
        // A path that was never there is a mistake; one that is no more may be meant.
        (Some(missing), Ok(pruned)) => Err(match pruned.remove.as_slice() {
            [] => Held::Mistaken(missing),
            gone => {
                let gone = prune::list(gone, here);
                Held::Guarded(format!("{missing}, and {gone} would be deleted"))
            }
        }),
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
