//! Why a request failed, in words that say what to do next.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens on the socket, or it may not be opened.
    #[error("cannot reach the operator at {}: {why}; {advice}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        why: String,
        /// What to do.
        advice: &'static str,
        /// The whole of it.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("the operator at {} did not answer in time; wait longer with --request-timeout", socket.display())]
    Timeout {
        /// The socket.
        socket: PathBuf,
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
    pub(super) fn from_http(socket: &Path, source: reqwest::Error) -> Self {
        let socket = socket.to_owned();
        if source.is_timeout() {
            return ClientError::Timeout { socket, source };
        }
        if !source.is_connect() {
            return ClientError::Lost(io::Error::other(source));
        }
        let (why, advice) = match io_kind(&source) {
            Some(io::ErrorKind::PermissionDenied) => (
                "permission denied".to_owned(),
                "run this as the user who started it",
            ),
            Some(io::ErrorKind::NotFound) => {
                ("there is no such socket".to_owned(), "start it with `whoosh up`")
            }
            Some(kind) => (kind.to_string(), "start it with `whoosh up`"),
            None => ("it does not answer".to_owned(), "start it with `whoosh up`"),
        };
        ClientError::Unreachable {
            socket,
            why,
            advice,
            source,
        }
    }

    /// Reads a refusal, which may not even come from the API.
    pub(super) fn from_refusal(code: u16, body: &[u8]) -> Self {
        let mut status = serde_json::from_slice(body).unwrap_or_else(|_| Status {
            message: Some(format!(
                "the operator answered {code}: {}",
                String::from_utf8_lossy(body).trim()
            )),
            ..Status::default()
        });
        status.code = Some(i32::from(code));
        ClientError::Refused(Box::new(status))
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

    /// Whether the revision to watch from is too old.
    pub(crate) fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }

    /// Whether asking again may help: the operator is away or restarting.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            ClientError::Unreachable { .. } | ClientError::Timeout { .. } | ClientError::Lost(_)
        ) || self.code() == Some(503)
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

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}
