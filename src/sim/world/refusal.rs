//! The engine's refusals: status code and exact text.

/// What the engine answers instead of doing what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
}

/// The managers' own kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument,
    FailedPrecondition,
    AlreadyExists,
    Unimplemented,
    Unknown,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// A complaint of the managers, as the engine passes it on.
    pub(crate) fn rpc(code: Code, message: &str) -> Self {
        let status = match code {
            Code::InvalidArgument | Code::FailedPrecondition => 400,
            Code::AlreadyExists => 409,
            Code::Unimplemented => 501,
            Code::Unknown => 500,
        };
        Self::new(status, format!("rpc error: code = {code:?} desc = {message}"))
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::rpc(Code::InvalidArgument, message)
    }

    pub(crate) fn not_found(kind: &str, name: &str) -> Self {
        Self::new(404, format!("{kind} {name} not found"))
    }

    pub(crate) fn out_of_sequence() -> Self {
        Self::rpc(Code::Unknown, "update out of sequence")
    }
}
