//! How a command can end.

use std::io;
use std::process::ExitCode;

use super::client::ClientError;
use super::contexts::ContextError;
use crate::resource::jsonpath::JsonPathError;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// `diff` found differences.
    Different,
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The command line asks for something that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The operator could not be asked, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A path or template on the command line cannot be read.
    #[error(transparent)]
    JsonPath(#[from] JsonPathError),
    /// The operator that is meant cannot be known.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    /// The work cannot be done, for the reason that the text gives.
    #[error("{0}")]
    Failed(String),
    /// The work cannot be done, and each reason was said already.
    #[error("failed")]
    Said,
}

impl CliError {
    /// The exit code: 1 for failures, 2 for usage errors, 141 when the reader of a pipe went away.
    pub(crate) fn code(&self) -> u8 {
        match self {
            CliError::Usage(_) | CliError::JsonPath(_) => 2,
            CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 141,
            CliError::Client(_)
            | CliError::Context(_)
            | CliError::Output(_)
            | CliError::Failed(_)
            | CliError::Said => 1,
        }
    }

    /// What to tell the user; `None` when there is nothing left to say.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            CliError::Said => None,
            CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            told => Some(format!("error: {told}")),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Different => ExitCode::from(1),
        }
    }
}
