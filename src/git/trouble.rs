//! What went wrong first, kept aside: where it happens, deep inside a conversation, only texts can be handed up.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use gix_transport::packetline::read::Error as ServerError;

use super::error::{GitError, quoted};

/// A place for the first error of a conversation. Its clones share it.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<GitError>>>);

/// What was being done when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Asking for the repository and its references.
    Asking,
    /// Receiving objects.
    Receiving,
}

impl Trouble {
    /// Keeps the error, unless there is one already, and hands back one that ends the conversation.
    pub(super) fn note(&self, error: GitError) -> io::Error {
        let text = error.to_string();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        io::Error::other(text)
    }

    /// What an error of the conversation means: what was kept, or what can be told from the error itself.
    pub(super) fn told(&self, error: &gix_error::Error, doing: Doing) -> GitError {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| meaning(error, doing))
    }
}

fn meaning(error: &gix_error::Error, doing: Doing) -> GitError {
    if let Some(said) = error.downcast_any_ref::<ServerError>() {
        return said_by_server(&said.message.to_string());
    }
    let io_error = error
        .iter_errors()
        .find_map(|error| error.downcast_ref::<io::Error>());
    let kind = io_error.map(io::Error::kind);
    let why = chain(error);
    match (kind, doing) {
        (Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded), _) => GitError::Cache { why },
        _ if error.is_resource_exhausted() => {
            GitError::too_large("the repository", "fits into the memory of a fetch".to_owned())
        }
        _ if error.is_unauthenticated() || error.is_permission_denied() => GitError::Refused { why },
        (Some(io::ErrorKind::UnexpectedEof), Doing::Asking) => GitError::NoRepository {
            why: "it ended the conversation at once".to_owned(),
        },
        (_, Doing::Asking) if error.is_corrupted() => GitError::Damaged { why },
        (_, Doing::Asking) => GitError::Unreachable { why },
        (_, Doing::Receiving) => GitError::Damaged { why },
    }
}

fn said_by_server(text: &str) -> GitError {
    let said = quoted(text);
    if said.contains("not our ref") || said.contains("unadvertised object") {
        return GitError::NoReference {
            reference: format!("such commit, or does not hand it out ({said})"),
            near: Vec::new(),
        };
    }
    let lower = said.to_lowercase();
    if ["not exported", "not found", "no such", "does not exist"]
        .iter()
        .any(|words| lower.contains(words))
    {
        return GitError::NoRepository { why: said };
    }
    GitError::Unreachable {
        why: format!("it says: {said}"),
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            // Writing to a text does not fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    quoted(&readable(&text))
}

/// A text of libraries as people read it: bytes that they tell as lists of numbers are text again, and without their manuals.
fn readable(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let listed = after.split_once(']');
        let bytes = listed.and_then(|(list, after)| Some((bytes(list)?, after)));
        rest = match bytes {
            Some((bytes, after)) => {
                plain.push_str(&format!("{:?}", String::from_utf8_lossy(&bytes)));
                after
            }
            None => {
                plain.push('[');
                after
            }
        };
    }
    plain.push_str(rest);
    let words = plain
        .split(' ')
        .filter(|word| !word.starts_with("https://docs.rs/"));
    words
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end_matches([':', ' '])
        .to_owned()
}

/// The bytes that a list of numbers holds.
fn bytes(list: &str) -> Option<Vec<u8>> {
    list.split(", ").map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_trouble_is_told() {
        let trouble = Trouble::default();
        let error = |why: &str| GitError::Refused { why: why.to_owned() };
        let passed = trouble.note(error("first"));
        let _later = trouble.note(error("second"));
        let told = trouble.told(&gix_error::Error::from_error(passed), Doing::Receiving);
        assert_eq!(told, error("first"));
    }

    #[test]
    fn what_a_server_says_is_understood() {
        for (said, reason) in [
            ("upload-pack: not our ref 1234", "ReferenceNotFound"),
            (
                "access denied or repository not exported: /a",
                "RepositoryNotFound",
            ),
            ("too busy", "Unreachable"),
        ] {
            assert_eq!(said_by_server(said).reason(), reason, "{said}");
        }
    }

    #[test]
    fn what_libraries_say_is_made_readable() {
        for (said, told) in [
            ("bad line: [55, 50, 10]", "bad line: \"72\\n\""),
            ("[a] and [] and [300, 1]", "[a] and [] and [300, 1]"),
            (
                "cut off without close_notify: https://docs.rs/rustls/x#y",
                "cut off without close_notify",
            ),
            ("cut [1", "cut [1"),
        ] {
            assert_eq!(readable(said), told);
        }
    }

    #[test]
    fn an_end_too_early_depends_on_what_was_done() {
        let early = || gix_error::Error::from_error(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert_eq!(meaning(&early(), Doing::Asking).reason(), "RepositoryNotFound");
        assert_eq!(meaning(&early(), Doing::Receiving).reason(), "DamagedAnswer");
        let full = gix_error::Error::from_error(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(meaning(&full, Doing::Receiving).reason(), "CacheFailed");
    }
}
