//! What the engine means: by status code and text, and for the action that asked.

use super::error::{ActError, SwarmError};

const NO_LEADER: &[&str] = &[
    "not have a leader",
    "no leader",
    "code = Unavailable",
    "lost quorum",
    "no elected cluster leader",
];
/// A leader that loses its office does not know whether the next one commits what it was asked for.
const GAVE_UP: &[&str] = &[
    "DeadlineExceeded",
    "context deadline exceeded",
    "context canceled",
    "lost leader status",
];
/// A manager's complaints about the request itself. It passes most on as errors of unknown kind, along with its
/// own failures, so that only the text tells.
const COMPLAINTS: &[&str] = &[
    "code = InvalidArgument",
    "code = Unimplemented",
    "constraint expected one operator",
    "desc = key '",
    "desc = value '",
    "raft message is too large",
    "message larger than max",
];

/// Tells from status code and text what the engine means.
///
/// Many of a Swarm's refusals arrive as a 500 and differ in their text alone. One whose text is not known is a
/// failure, which may pass: to stop trying would need a person for what needs none.
pub(super) fn classify(what: String, status: u16, text: &str) -> SwarmError {
    let message = plain(text).to_owned();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match status {
        404 => SwarmError::NotFound { message },
        409 => SwarmError::NameTaken { message },
        400 | 403 if has(&["in use", "has active endpoints"]) => SwarmError::InUse { message },
        503 if has(&["not a swarm manager", "Swarm is encrypted"]) => SwarmError::NotAManager {
            state: manager_state(text).to_owned(),
        },
        500.. if has(&["out of sequence"]) => SwarmError::OutOfSequence,
        500.. if has(NO_LEADER) => SwarmError::NoQuorum { message },
        500.. if has(GAVE_UP) => SwarmError::GaveUp { what, message },
        500 if text.ends_with("not found") => SwarmError::NotFound { message },
        // Of the engine's own making, or of something between us and it: either may pass.
        408 | 429 | 500.. if status != 501 && !has(COMPLAINTS) => SwarmError::Failed {
            what,
            status,
            message,
        },
        _ => SwarmError::Refused {
            what,
            status,
            message,
        },
    }
}

/// The engine's words without the wrapping of its own transport: `rpc error: code = X desc = words`.
fn plain(text: &str) -> &str {
    match text
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
    {
        Some((_, words)) => words,
        None => text,
    }
}

fn manager_state(text: &str) -> &'static str {
    if text.contains("encrypted") {
        "locked"
    } else if text.contains("Worker nodes can't") {
        "worker"
    } else {
        "inactive"
    }
}

impl ActError {
    /// What a failed request means for the action that sent it.
    pub(super) fn from_engine(what: &str, error: SwarmError) -> Self {
        let what = what.to_owned();
        match error {
            SwarmError::OutOfSequence => Self::Conflict { what },
            SwarmError::NameTaken { .. } => Self::NameTaken { what },
            SwarmError::NotFound { message } => Self::NotFound { what, message },
            SwarmError::InUse { message } => Self::InUse { what, message },
            SwarmError::Refused { message, .. } => Self::Refused { what, message },
            source @ (SwarmError::Lost { .. }
            | SwarmError::TimedOut { .. }
            | SwarmError::GaveUp { .. }
            | SwarmError::Unreadable { .. }) => Self::Indeterminate { what, source },
            source @ (SwarmError::BadHost { .. }
            | SwarmError::Unavailable { .. }
            | SwarmError::NoPermission { .. }
            | SwarmError::Away(_)
            | SwarmError::TooOld { .. }
            | SwarmError::NotAManager { .. }
            | SwarmError::NoQuorum { .. }
            | SwarmError::Failed { .. }) => Self::Unavailable { what, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn the_engines_words_are_understood() {
        for (status, text, expect) in [
            (
                404,
                "service x not found",
                "NotFound: service s: service x not found",
            ),
            (
                500,
                "network x not found",
                "NotFound: service s: network x not found",
            ),
            (
                409,
                "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service s already exists",
                "NameTaken: service s exists already",
            ),
            (
                500,
                "rpc error: code = Unknown desc = update out of sequence",
                "Conflict: service s was changed by somebody else",
            ),
            (
                400,
                "rpc error: code = FailedPrecondition desc = network n is in use by service x",
                "InUse: service s is still in use: network n is in use by service x",
            ),
            (
                400,
                "rpc error: code = InvalidArgument desc = secret 'x' is in use by the following service: y",
                "InUse: service s is still in use: secret 'x' is in use by",
            ),
            (
                400,
                "rpc error: code = InvalidArgument desc = ContainerSpec: \"x\" is not a valid repository/tag",
                "Refused: service s was refused: ContainerSpec",
            ),
            (
                500,
                "rpc error: code = Unknown desc = constraint expected one operator from ==, !=",
                "Refused: service s was refused: constraint expected",
            ),
            (
                500,
                "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few",
                "Unavailable: the Swarm has no leader",
            ),
            (
                503,
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\"",
                "Unavailable: this Docker engine is in no Swarm, or is stopping; if it stays so, run `docker swarm init`",
            ),
            (
                503,
                "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
                "Unavailable: this Docker engine is a worker",
            ),
            (
                503,
                "Swarm is encrypted and needs to be unlocked before it can be used.",
                "Unavailable: this Docker engine's Swarm is locked",
            ),
            (
                500,
                "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                "Indeterminate: the Swarm's managers did not complete POST /x in time",
            ),
            (
                500,
                "rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status",
                "Indeterminate: the Swarm's managers did not complete POST /x in time",
            ),
            (
                500,
                "rpc error: code = Unknown desc = raft: no elected cluster leader",
                "Unavailable: the Swarm has no leader",
            ),
            (
                500,
                "something broke",
                "Unavailable: the Docker engine failed at POST /x (500): something broke",
            ),
            (
                500,
                "rpc error: code = Unknown desc = raft: failed to process the request: node is stopped",
                "Unavailable: the Docker engine failed at POST /x (500): raft: failed",
            ),
            (
                500,
                "rpc error: code = Internal desc = transport is closing",
                "Unavailable: the Docker engine failed at POST /x (500): transport is closing",
            ),
            (
                503,
                "upstream is down",
                "Unavailable: the Docker engine failed at POST /x (503): upstream is down",
            ),
            (
                429,
                "slow down",
                "Unavailable: the Docker engine failed at POST /x (429): slow down",
            ),
            (
                500,
                "rpc error: code = Unknown desc = value 'a b' is invalid",
                "Refused: service s was refused: value 'a b' is invalid",
            ),
            (
                500,
                "rpc error: code = Unknown desc = raft: raft message is too large and can't be sent",
                "Refused: service s was refused: raft: raft message is too large",
            ),
            (
                501,
                "rpc error: code = Unimplemented desc = no such thing",
                "Refused: service s was refused: no such thing",
            ),
        ] {
            let error = ActError::from_engine("service s", classify("POST /x".to_owned(), status, text));
            let debug = format!("{error:?}");
            let kind = debug.split(' ').next().unwrap();
            let words = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            let told = format!("{kind}: {words}");
            assert!(
                told.starts_with(expect),
                "{status} {text} is told as {told}, not {expect}"
            );
        }
    }
}
