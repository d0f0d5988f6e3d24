//! Manifests of a Git repository at a reference, read as the operator would read them.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use super::error::CliError;
use super::source::Reading;
use super::talk;
use crate::git::{
    self, Access, Answer, Ask, GitError, Limits, Reference, Request, Secret, SecretError, Snapshot,
};
use crate::resource::manifest::Source;
use crate::resource::repository::RepositoryUrl;

/// How long a fetch may take: somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A repository, and perhaps what names a commit of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    url: String,
    reference: Option<String>,
}

/// Reads `URL` or `URL@REF`. A user in front of the host is none of the reference.
///
/// # Errors
/// Why none can be read from there. A password in it is not repeated.
pub(crate) fn parse(text: &str) -> Result<Repository, CliError> {
    let (url, reference) = match RepositoryUrl::of(text).path.rsplit_once('@') {
        Some((_, name)) => (&text[..text.len() - name.len() - 1], Some(name.to_owned())),
        None => (text, None),
    };
    git::check_url(url).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Repository {
        url: url.to_owned(),
        reference,
    })
}

/// A commit.
pub(crate) struct Read {
    /// Its hash.
    pub revision: String,
    /// The files of it that are read.
    pub files: Vec<Source>,
    /// The folders that it does not have.
    pub missing: Vec<GitError>,
}

impl Repository {
    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How it is asked with a secret.
    ///
    /// # Errors
    /// When that cannot be used.
    pub(crate) async fn access(&self, secret: &Secret) -> Result<Access, CliError> {
        let way = git::way(&self.url).map_err(|error| CliError::Usage(error.to_string()))?;
        secret.access(way).await.map_err(unusable)
    }

    /// What is read of it.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub(crate) async fn read(&self, what: &Reading, access: &Access) -> Result<Read, CliError> {
        let snapshot = match self.fetch(what, access).await {
            // A forge may sign it when it is merged.
            Err(error @ GitError::Unverified { .. }) => {
                talk::say(&format!("Its source applies none that is not signed: {error}."));
                let unsigned = Reading {
                    verify: None,
                    ..what.clone()
                };
                self.fetch(&unsigned, access).await
            }
            snapshot => snapshot,
        };
        let snapshot = snapshot.map_err(|error| self.failed(&error))?;
        let files = snapshot.files.into_iter().map(|file| Source {
            name: file.path,
            bytes: file.content.into_bytes(),
        });
        Ok(Read {
            revision: snapshot.revision,
            files: files.collect(),
            missing: snapshot.missing,
        })
    }

    /// What is said when it cannot be read.
    pub(crate) fn failed(&self, error: &GitError) -> CliError {
        CliError::Failed(format!("cannot read {}: {error}", self.url))
    }

    async fn fetch(&self, what: &Reading, access: &Access) -> Result<Snapshot, GitError> {
        let folder = Folder::new();
        let references = match self.reference.clone() {
            None => vec![Reference::Head],
            Some(name) => {
                let commit = Reference::Commit(name.clone());
                match git::check_reference(&commit) {
                    Ok(()) => vec![commit],
                    Err(_) => vec![Reference::Branch(name.clone()), Reference::Tag(name)],
                }
            }
        };
        let mut missing = None;
        for reference in references {
            let answer = fetch(&self.url, reference, what, access, &folder).await;
            match answer {
                Ok(Answer::Fetched(snapshot)) => return Ok(snapshot),
                Ok(Answer::Refused(refusal)) => return Err(refusal.error),
                // What it is like, if it is there as something else, is told of the first.
                Err(error @ GitError::NoReference { .. }) => missing = missing.or(Some(error)),
                Err(error) => return Err(error),
                Ok(Answer::Unchanged { .. }) => {}
            }
        }
        Err(missing.unwrap_or(GitError::Worker {
            why: "it told of nothing new where nothing was known".to_owned(),
        }))
    }
}

/// What is said of a secret that cannot be used.
pub(crate) fn unusable(error: SecretError) -> CliError {
    let why = error.source().map(|why| format!(": {why}")).unwrap_or_default();
    CliError::Failed(format!("{error}{why}"))
}

async fn fetch(
    url: &str,
    reference: Reference,
    what: &Reading,
    access: &Access,
    folder: &Folder,
) -> Result<Answer, GitError> {
    let program = std::env::current_exe().map_err(|error| GitError::Worker {
        why: format!("this program cannot be found ({error})"),
    })?;
    let request = Request {
        url: url.to_owned(),
        reference,
        paths: what.paths.clone(),
        ignore: what.ignore.clone(),
        cache: folder.0.clone(),
        ask: Ask::Repository { known: None },
        limits: Limits::default(),
        credentials: access.credentials.clone(),
        ca: access.ca.clone(),
        verify: what.verify.clone(),
    };
    git::fetch(&program, &request, TIMEOUT).await
}

/// A folder for what is fetched, which goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("whoosh-diff-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_stands_behind_the_path() {
        for (text, url, reference) in [
            (
                "https://git.example/acme/fleet.git",
                "https://git.example/acme/fleet.git",
                None,
            ),
            (
                "https://git.example/acme/fleet.git@feature/x",
                "https://git.example/acme/fleet.git",
                Some("feature/x"),
            ),
            (
                "file:///srv/fleet.git@v1.0.0",
                "file:///srv/fleet.git",
                Some("v1.0.0"),
            ),
            (
                "ssh://git@git.example/fleet.git",
                "ssh://git@git.example/fleet.git",
                None,
            ),
            (
                "git@git.example:acme/fleet.git@main",
                "git@git.example:acme/fleet.git",
                Some("main"),
            ),
        ] {
            let expected = Repository {
                url: url.to_owned(),
                reference: reference.map(str::to_owned),
            };
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert!(parse("ext::sh -c id").is_err());
    }
}
