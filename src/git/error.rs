//! Why a fetch came to nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a fetch came to nothing, in words for whoever wrote the source. Holds no credentials.
///
/// It crosses the border between two processes, so that its causes are texts.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum GitError {
    /// The url is none that is fetched from.
    #[error("the url is refused: {why}")]
    Url {
        /// What is wrong with it.
        why: String,
    },
    /// The reference, the path or an ignore is not written as it should be.
    #[error("{what} is refused: {why}")]
    Invalid {
        /// Which of them, with its text.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// What is to say who we are cannot be used as it is.
    #[error("the credentials cannot be used: {why}")]
    Credentials {
        /// What is wrong with them.
        why: String,
    },
    /// The server did not accept who we are, or that we may read the repository.
    #[error("the server refuses access: {why}; check the credentials and what they may read")]
    Refused {
        /// What the server said.
        why: String,
    },
    /// There is no such repository, as far as these credentials see.
    #[error("there is no such repository: {why}")]
    NoRepository {
        /// What the server said.
        why: String,
    },
    /// The repository has no such reference.
    #[error("the repository has no {reference}{}", hint(.near))]
    NoReference {
        /// What was looked for.
        reference: String,
        /// Names of that kind that it has, the nearest first; at most three.
        near: Vec<String>,
    },
    /// The commit has no such folder.
    #[error("the path {path:?} is not in {reference}: {why}")]
    NoPath {
        /// The path that was looked for.
        path: String,
        /// Where it was looked for.
        reference: String,
        /// How far it goes.
        why: String,
    },
    /// The server could not be reached, or could not answer.
    #[error("the server cannot be reached: {why}")]
    Unreachable {
        /// What failed.
        why: String,
    },
    /// The server took longer than it may.
    #[error("the server did not answer in full within {seconds} s")]
    Timeout {
        /// How long it had.
        seconds: u64,
    },
    /// There is more of something than is fetched.
    #[error("{what} has more than {limit}, which is the most that is fetched")]
    TooLarge {
        /// What is large.
        what: String,
        /// The most that it may have.
        limit: String,
    },
    /// The commit holds something that is not read below a path.
    #[error("{place:?} is not read: it {why}; remove it, or name it in `ignore`")]
    Unsafe {
        /// Where it is in the repository.
        place: String,
        /// What it does that it must not.
        why: String,
    },
    /// Nobody who is trusted signed it.
    #[error("{what} is not trusted: {why}")]
    Unverified {
        /// The commit or tag.
        what: String,
        /// What is wrong with its signature.
        why: String,
    },
    /// The server's answer makes no sense.
    #[error("the server's answer is damaged: {why}")]
    Damaged {
        /// What was wrong with it.
        why: String,
    },
    /// The cache cannot be used.
    #[error("the cache cannot be used: {why}")]
    Cache {
        /// What failed.
        why: String,
    },
    /// The process that fetched ended without an answer.
    #[error("the process that fetches failed: {why}")]
    Worker {
        /// How it ended.
        why: String,
    },
}

impl GitError {
    /// Whether it may go away by itself, so that asking again soon makes sense.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Damaged { .. }
            | Self::Cache { .. }
            | Self::Worker { .. } => true,
            Self::Url { .. }
            | Self::Invalid { .. }
            | Self::Credentials { .. }
            | Self::Refused { .. }
            | Self::NoRepository { .. }
            | Self::NoReference { .. }
            | Self::NoPath { .. }
            | Self::TooLarge { .. }
            | Self::Unsafe { .. }
            | Self::Unverified { .. } => false,
        }
    }

    /// A word for a condition's reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Url { .. } => "UrlRefused",
            Self::Invalid { .. } => "InvalidSource",
            Self::Credentials { .. } => "InvalidCredentials",
            Self::Refused { .. } => "AuthenticationFailed",
            Self::NoRepository { .. } => "RepositoryNotFound",
            Self::NoReference { .. } => "ReferenceNotFound",
            Self::NoPath { .. } => "PathNotFound",
            Self::Unreachable { .. } => "Unreachable",
            Self::Timeout { .. } => "Timeout",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unsafe { .. } => "UnsafeContent",
            Self::Unverified { .. } => "Unverified",
            Self::Damaged { .. } => "DamagedAnswer",
            Self::Cache { .. } => "CacheFailed",
            Self::Worker { .. } => "WorkerFailed",
        }
    }

    pub(super) fn too_large(what: impl Into<String>, limit: String) -> Self {
        Self::TooLarge {
            what: what.into(),
            limit,
        }
    }
}

fn hint(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    format!("; there is {}", near.join(", "))
}

/// A text of somebody else's as it is passed on: in one line, without control characters, not without end.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 300;
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_there_is() {
        let error = GitError::NoReference {
            reference: "branch \"mian\"".to_owned(),
            near: vec!["main".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "the repository has no branch \"mian\"; there is main"
        );
    }

    #[test]
    fn what_others_say_cannot_move_the_cursor() {
        assert_eq!(quoted("a\u{1b}[2J\n\n b"), "a [2J b");
        assert_eq!(quoted(&"x".repeat(1000)).len(), 300);
    }
}
