//! Why a request failed, in words that say what to do next.

use std::error::Error;
use std::io;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause};
use serde_json::Value;

use crate::cli::endpoint::Endpoint;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens on the socket, or it may not be opened.
    #[error("cannot reach the operator at {place}: {why}; {advice}")]
    Unreachable {
        /// Where it should be.
        place: Box<Endpoint>,
        /// What the system said.
        why: String,
        /// What to do.
        advice: &'static str,
        /// The whole of it.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("the operator at {place} did not answer in time; wait longer with --request-timeout")]
    Timeout {
        /// Where it should be.
        place: Box<Endpoint>,
        /// The whole of it.
        #[source]
        source: reqwest::Error,
    },
    /// Something else than an operator answers.
    #[error(
        "what answers at {place} is not a WHOOSH operator ({said}); name the operator's socket with --socket, or start one \
         with `whoosh up`"
    )]
    Stranger {
        /// Where it should be.
        place: Box<Endpoint>,
        /// What it answered.
        said: String,
    },
    /// Somebody listens on the socket and hangs up.
    #[error(
        "the connection was closed without an answer; try again, and if that does not help, what listens at {place} is \
         not a WHOOSH operator: start one with `whoosh up`"
    )]
    HungUp {
        /// Where it should be.
        place: Box<Endpoint>,
        /// The whole of it.
        #[source]
        source: reqwest::Error,
    },
    /// The operator said no.
    #[error("{}", .0.message.as_deref().unwrap_or("the operator refused the request without a reason"))]
    Refused(Box<Status>),
    /// The connection broke during an answer.
    #[error("the connection to the operator was lost; try again")]
    Lost(#[source] io::Error),
    /// The answer is not what this version understands.
    #[error("the operator's answer cannot be read; `whoosh version` shows whether both are of one version")]
    Unreadable(#[source] serde_json::Error),
    /// The request itself could not be made.
    #[error("the request cannot be made")]
    SetUp(#[source] reqwest::Error),
}

impl ClientError {
    /// Sorts what the HTTP library said.
    pub(super) fn from_http(place: &Endpoint, source: reqwest::Error) -> Self {
        let here = Box::new(place.clone());
        if source.is_timeout() {
            return ClientError::Timeout { place: here, source };
        }
        if source.is_body() || source.is_decode() {
            return ClientError::Lost(io::Error::other(source));
        }
        if !source.is_connect() {
            let said = cause::<hyper::Error>(&source).filter(|error| error.is_parse());
            return match said.map(ToString::to_string) {
                Some(said) => ClientError::Stranger { place: here, said },
                None => ClientError::HungUp { place: here, source },
            };
        }
        let (why, advice) = match (place, cause(&source).map(io::Error::kind)) {
            (Endpoint::Server(_), _) => (deepest(&source), place.advice()),
            (_, Some(io::ErrorKind::PermissionDenied)) => (
                "permission denied".to_owned(),
                "run this as the user who started it",
            ),
            (_, Some(io::ErrorKind::NotFound)) => ("there is no such socket".to_owned(), place.advice()),
            (_, Some(io::ErrorKind::InvalidInput)) => (
                "its path is too long".to_owned(),
                "a socket's path may have at most 107 bytes",
            ),
            (_, Some(kind)) => (kind.to_string(), place.advice()),
            (_, None) => ("it does not answer".to_owned(), place.advice()),
        };
        ClientError::Unreachable {
            place: here,
            why,
            advice,
            source,
        }
    }

    /// Reads a refusal: an operator's is a `Status`.
    pub(super) fn from_refusal(place: &Endpoint, code: u16, body: &[u8]) -> Self {
        let read: Option<Value> = serde_json::from_slice(body).ok();
        let status = read
            .filter(|answer| answer["kind"] == "Status")
            .and_then(|answer| serde_json::from_value(answer).ok());
        match status {
            Some(status) => ClientError::Refused(Box::new(Status {
                code: Some(i32::from(code)),
                ..status
            })),
            None => Self::stranger(
                place,
                &format!("{code}: {}", String::from_utf8_lossy(body).trim()),
            ),
        }
    }

    /// What something else than an operator said, cut where it is long.
    pub(super) fn stranger(place: &Endpoint, said: &str) -> Self {
        const LONGEST: usize = 80;
        let head: String = said.chars().take(LONGEST).collect();
        let more = if head.len() < said.len() { "…" } else { "" };
        ClientError::Stranger {
            place: Box::new(place.clone()),
            said: format!("{head}{more}"),
        }
    }

    /// The HTTP status code of a refusal.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            ClientError::Refused(status) => status.code,
            _ => None,
        }
    }

    /// Whether the object does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether somebody else changed the object in between.
    pub(crate) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether there is nothing to watch from the revision on: it is too old, or the store was restored to before it.
    pub(crate) fn is_gone(&self) -> bool {
        let restored = |cause: &StatusCause| cause.reason.as_deref() == Some("ResourceVersionTooLarge");
        self.code() == Some(410) || self.causes().iter().any(restored)
    }

    /// When to ask again, if the operator was too busy to look at the request.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        let ClientError::Refused(status) = self else {
            return None;
        };
        let details = status.details.as_ref();
        let seconds = details.and_then(|details| details.retry_after_seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        (status.code == Some(429)).then(|| Duration::from_secs(seconds.unwrap_or(1)))
    }

    /// Whether reading again may help: the operator is away, restarting or busy. A change may have happened.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            ClientError::Unreachable { .. }
                | ClientError::Timeout { .. }
                | ClientError::HungUp { .. }
                | ClientError::Lost(_)
        ) || matches!(self.code(), Some(429 | 503 | 504))
    }

    /// Each thing that is wrong with the object that was sent.
    pub(crate) fn causes(&self) -> &[StatusCause] {
        let ClientError::Refused(status) = self else {
            return &[];
        };
        let details = status.details.as_ref();
        details
            .and_then(|details| details.causes.as_deref())
            .unwrap_or_default()
    }
}

/// What went wrong in the end.
fn deepest(error: &reqwest::Error) -> String {
    let mut last: &dyn Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// The first error of a type among the causes.
fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<E>() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_about_it() {
        let too_large = json!([{"reason": "ResourceVersionTooLarge"}]);
        for (code, causes, transient, gone, busy) in [
            (404, json!([]), false, false, None),
            (410, json!([]), false, true, None),
            (429, json!([]), true, false, Some(3)),
            (503, json!([]), true, false, None),
            (504, json!([]), true, false, None),
            (504, too_large, true, true, None),
        ] {
            let details = json!({"causes": causes, "retryAfterSeconds": 3});
            let body = json!({"kind": "Status", "details": details}).to_string();
            let error = ClientError::from_refusal(&Endpoint::Socket("/x".into()), code, body.as_bytes());
            assert_eq!(error.is_transient(), transient, "{code}");
            assert_eq!(error.is_gone(), gone, "{code}");
            assert_eq!(error.busy_for(), busy.map(Duration::from_secs), "{code}");
        }
    }
}
