//! What a Git repository holds at a reference, fetched in a process of its own.
//!
//! ```text
//! fetch(program, request, timeout)                        in the operator
//!    starts `program git-worker`, hands it the request, ends it at the timeout
//!    -> worker::serve()                                   in that process, below limits of memory and file size
//!         what does the reference point at?               one question; what is known already ends it here
//!         receive what is missing into the cache          one pack, of one commit, without its history
//!         read the files below the paths                  from objects: nothing is ever checked out
//!    <- Unchanged, a Snapshot, or why not
//! ```
//!
//! A server may hang, lie or send bombs: that costs the process, whose end is told in words, and never the operator.
//! No configuration of Git's is read, and no hook, filter or submodule is ever looked at.

mod ask;
mod cache;
mod error;
mod fetch;
mod history;
mod http;
mod ignore;
mod limits;
mod nameless;
mod names;
mod reference;
mod remote;
mod secret;
mod signature;
mod ssh;
mod tree;
mod trouble;
mod url;
pub mod worker;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::resource::git_source::Verification;

pub use ask::{WORKER_COMMAND, fetch};
pub use cache::sweep;
pub use error::GitError;
pub use http::certificates;
pub use limits::Limits;
pub use names::check_path;
pub use reference::check_reference;
pub use secret::{Access, Secret, SecretError};
pub use url::{Way, check_url, way};

/// What to fetch, and from where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// `https://…`, `ssh://…`, `user@host:path` or `file:///…`; `http://` and `git://` only from this machine itself.
    pub url: String,
    /// Which commit.
    pub reference: Reference,
    /// The folders whose files are read, relative to the repository's root; none, or an empty one, for all of it.
    pub paths: Vec<String>,
    /// Which files and folders are left out, in the language of `.gitignore`, relative to the repository's root.
    pub ignore: Vec<String>,
    /// Where caches are kept, each in a folder of its own; it is made when it is missing.
    pub cache: PathBuf,
    /// Who is asked for it.
    pub ask: Ask,
    /// How much is too much.
    pub limits: Limits,
    /// How to identify ourselves, to the url's own host alone; without any, the repository has to be open to all (and ssh
    /// is not possible).
    pub credentials: Option<Credentials>,
    /// Certificates in PEM that https servers may be signed by, besides those that the machine trusts.
    pub ca: Option<String>,
    /// Who has to have signed it; without, nobody.
    pub verify: Option<Verification>,
}

/// Who is asked for a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// The repository, whether its reference points at another commit than the one whose files the caller has, for these very
    /// paths and ignores.
    Repository {
        /// That one.
        known: Option<Known>,
    },
    /// Nobody, nor who signed it: it is read once more, as it was when it was fetched.
    Cache(Known),
}

/// A commit that was fetched before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As in the [`Snapshot`] that it came with.
    pub revision: String,
    /// The same.
    pub reference: String,
}

/// What names a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reference {
    /// The branch that the repository shows first.
    Head,
    /// The newest commit of a branch, by its name without `refs/heads/`.
    Branch(String),
    /// A tag, by its name without `refs/tags/`.
    Tag(String),
    /// The tag with the highest version that fits a range like `>=1.2, <2`; tags may begin with `v`.
    SemVer(String),
    /// A commit, by all 40 digits of its hash.
    Commit(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("HEAD"),
            Self::Branch(name) => write!(f, "branch {name:?}"),
            Self::Tag(name) => write!(f, "tag {name:?}"),
            Self::SemVer(range) => write!(f, "version {range:?}"),
            Self::Commit(hash) => write!(f, "commit {hash:?}"),
        }
    }
}

/// How to identify ourselves at the server. Shown nowhere.
#[derive(Clone, Serialize, Deserialize)]
pub enum Credentials {
    /// For https, and never http: a name and a token or password.
    Token {
        /// Any name will do for most servers when there is a token.
        username: String,
        /// The secret.
        token: String,
    },
    /// For ssh.
    Ssh {
        /// A private key without a passphrase, as OpenSSH writes it.
        key: String,
        /// Lines of a `known_hosts` file: a server that is not in it is not spoken to.
        known_hosts: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token { .. } => "Token(…)",
            Self::Ssh { .. } => "Ssh(…)",
        })
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The reference points at the commit that is known.
    Unchanged {
        /// That commit's hash, in 40 hexadecimal digits.
        revision: String,
    },
    /// It points at another, and these are its files.
    Fetched(Snapshot),
    /// It points at another, of which no file is read.
    Refused(Refusal),
}

/// A commit that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The commit's hash, in 40 hexadecimal digits.
    pub revision: String,
    /// As in a [`Snapshot`].
    pub reference: String,
    /// The same; empty where the commit is not there, or not to be believed.
    pub author: String,
    /// The same.
    pub message: String,
    /// What is wrong with it.
    pub error: GitError,
}

/// A commit and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The commit's hash, in 40 hexadecimal digits.
    pub revision: String,
    /// What the reference was found to be: a branch or tag like `main` and `v1.2.0`, `HEAD`, or the hash again.
    pub reference: String,
    /// Who wrote the commit, as `Name <address>`.
    pub author: String,
    /// When it was committed, in RFC 3339.
    pub time: String,
    /// The first line of its message.
    pub message: String,
    /// Who signed it, where that was asked for.
    pub signer: Option<String>,
    /// Its files in `.yaml`, `.yml` and `.json` below the paths that are not ignored, in the order of their paths.
    pub files: Vec<File>,
    /// The paths that it does not have, and how far they go ([`GitError::NoPath`]).
    pub missing: Vec<GitError>,
}

impl Snapshot {
    /// Which commit it is, for later requests.
    pub fn known(&self) -> Known {
        Known {
            revision: self.revision.clone(),
            reference: self.reference.clone(),
        }
    }
}

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path from the repository's root, with slashes.
    pub path: String,
    /// Its text.
    pub content: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_show_nothing_of_themselves() {
        let token = Credentials::Token {
            username: "ann".to_owned(),
            token: "s3cret".to_owned(),
        };
        let ssh = Credentials::Ssh {
            key: "s3cret".to_owned(),
            known_hosts: "s3cret".to_owned(),
        };
        let shown = format!("{token:?} {ssh:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("ann"), "{shown}");
    }
}
