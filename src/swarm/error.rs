//! What a request to the engine can come to, classified once, with advice for people.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Why a request to the Docker engine failed.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// The address of the engine makes no sense.
    #[error("{host:?} is no address of a Docker engine: {why}")]
    BadHost {
        /// The address as given.
        host: String,
        /// What is wrong with it, and what to write instead.
        why: &'static str,
    },
    /// Nobody answered; the request was not sent, or it only reads.
    #[error("the Docker engine at {host} does not answer; check that it runs (`docker info`)")]
    Unavailable {
        /// The address.
        host: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket is there, and not for us.
    #[error("the Docker engine at {host} may not be used by this user; use sudo, or join the group `docker`")]
    NoPermission {
        /// The address.
        host: String,
    },
    /// The cache has lost the engine; old knowledge is not served as new.
    #[error(transparent)]
    Away(Outage),
    /// The connection broke after the request was sent: it may have been carried out.
    #[error("the connection to the Docker engine broke during {what}; it may have been done")]
    Lost {
        /// The request, without its body.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No answer in time: it may have been carried out.
    #[error(
        "the Docker engine did not answer {what} within {after:?}; its managers may have lost their quorum"
    )]
    TimedOut {
        /// The request, without its body.
        what: String,
        /// The bound.
        after: Duration,
    },
    /// The engine is older than what we can speak with.
    #[error(
        "the Docker engine speaks API {found} at most; WHOOSH needs Docker Engine 20.10 (API 1.41) or newer"
    )]
    TooOld {
        /// The engine's newest API version.
        found: String,
    },
    /// The engine is not a manager of a Swarm.
    #[error("{}", not_a_manager(.state))]
    NotAManager {
        /// What the engine says of itself: `inactive`, `pending`, `locked`, `worker`, `error`.
        state: String,
    },
    /// The Swarm has no leader: nothing can be read or written.
    #[error("the Swarm has no leader, more than half of its managers are needed: {message}")]
    NoQuorum {
        /// The engine's words.
        message: String,
    },
    /// The engine's own managers did not answer it in time: the request may have been carried out.
    #[error("the Swarm's managers did not complete {what} in time: {message}")]
    GaveUp {
        /// The request, without its body.
        what: String,
        /// The engine's words.
        message: String,
    },
    /// There is no such object.
    #[error("{message}")]
    NotFound {
        /// The engine's words.
        message: String,
    },
    /// Somebody else changed the object since it was read.
    #[error("the object was changed by somebody else in the meantime")]
    OutOfSequence,
    /// An object of that name exists.
    #[error("{message}")]
    NameTaken {
        /// The engine's words.
        message: String,
    },
    /// The object cannot go while others use it.
    #[error("{message}")]
    InUse {
        /// The engine's words.
        message: String,
    },
    /// The engine does not want the request like that: sending it again does not help.
    #[error("the Docker engine refused {what} ({status}): {message}")]
    Refused {
        /// The request, without its body.
        what: String,
        /// HTTP status code.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The engine failed at the request.
    #[error("the Docker engine failed at {what} ({status}): {message}")]
    Failed {
        /// The request, without its body.
        what: String,
        /// HTTP status code.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("the Docker engine's answer to {what} cannot be read")]
    Unreadable {
        /// The request, without its body.
        what: String,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
}

/// Why the engine is away, and since when.
#[derive(Clone, Debug)]
pub struct Outage {
    /// What the last try to reach it came to.
    pub why: Arc<SwarmError>,
    /// When it was lost.
    pub since: Timestamp,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl Error for Outage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.source()
    }
}

impl SwarmError {
    /// Whether no other request would fare better now: it is the engine, or the way there, that fails.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::BadHost { .. }
            | Self::Unavailable { .. }
            | Self::NoPermission { .. }
            | Self::Away(_)
            | Self::Lost { .. }
            | Self::TimedOut { .. }
            | Self::TooOld { .. }
            | Self::NotAManager { .. }
            | Self::NoQuorum { .. }
            | Self::GaveUp { .. } => true,
            Self::NotFound { .. }
            | Self::OutOfSequence
            | Self::NameTaken { .. }
            | Self::InUse { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}

impl ActError {
    /// Whether no other action would fare better now: it is the engine, or the way there, that fails.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } | Self::Indeterminate { source, .. } => source.is_outage(),
            _ => false,
        }
    }
}

/// Why an action did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The object is not the one, or not in the state, that the plan was made from: observe and plan again.
    #[error("{what} was changed by somebody else in the meantime; it is planned anew")]
    Conflict {
        /// What was to be changed.
        what: String,
    },
    /// The name belongs to an object that is not ours.
    #[error("{what} exists already and is not ours; rename it, or remove it by hand")]
    NameTaken {
        /// What was to be made.
        what: String,
    },
    /// Something that the action needs is not there.
    #[error("{what}: {message}")]
    NotFound {
        /// What was to be done.
        what: String,
        /// What is missing.
        message: String,
    },
    /// It cannot go while others use it; try again when they are gone.
    #[error("{what} is still in use: {message}")]
    InUse {
        /// What was to be removed.
        what: String,
        /// The engine's words.
        message: String,
    },
    /// It is not sent to the engine: the Policies of the namespace do not allow it, or nobody may have it.
    #[error("{what} was refused: {message}")]
    Denied {
        /// What was to be done.
        what: String,
        /// Why.
        message: String,
    },
    /// The engine will not do it: only another spec helps.
    #[error("{what} was refused: {message}")]
    Refused {
        /// What was to be done.
        what: String,
        /// Why.
        message: String,
    },
    /// The content of a secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The engine cannot be reached, or cannot work: nothing was done; try again later.
    #[error("{what} has to wait")]
    Unavailable {
        /// What was to be done.
        what: String,
        /// Why.
        #[source]
        source: SwarmError,
    },
    /// It may have been done or not: observe before trying again.
    #[error("{what} may have been done or not; it is looked up before the next try")]
    Indeterminate {
        /// What was to be done.
        what: String,
        /// Why.
        #[source]
        source: SwarmError,
    },
}

/// Why a secret's content cannot be had. Never holds the content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretError {
    /// The operator was started without a secrets folder.
    #[error(
        "secret {name:?} cannot be read: the operator has no secrets folder; start it with `--secrets-dir`"
    )]
    NoFolder {
        /// The secret's name.
        name: String,
    },
    /// The operator's own secret is wanted, and it has none.
    #[error("the operator's address of NATS holds no password; start it with `--nats-url-file`")]
    NoNatsUrl,
    /// The file is not there.
    #[error("secret {name:?} is missing: put its content into {}", path.display())]
    Missing {
        /// The secret's name.
        name: String,
        /// Where it is looked for.
        path: PathBuf,
    },
    /// The name or the file leads out of the folder.
    #[error("secret {name:?} leads out of the secrets folder; use a plain file named like the secret")]
    Outside {
        /// The secret's name.
        name: String,
    },
    /// Swarm takes no secret over 500 KiB, and none that is empty.
    #[error("secret {name:?} holds {bytes} bytes; Swarm takes 1 to {max}", max = super::secrets::SECRET_MAX)]
    Size {
        /// The secret's name.
        name: String,
        /// Its length.
        bytes: u64,
    },
    /// The file is there and cannot be read.
    #[error("secret {name:?} cannot be read: {reason}")]
    Unreadable {
        /// The secret's name.
        name: String,
        /// What the system said.
        reason: Arc<io::Error>,
    },
    /// The file did not answer in time.
    #[error(
        "secret {name:?} cannot be read: its file does not answer within {seconds} s; look at the mount that it is on"
    )]
    Hung {
        /// The secret's name.
        name: String,
        /// How long it had.
        seconds: u64,
    },
}

fn not_a_manager(state: &str) -> &'static str {
    match state {
        "inactive" => {
            "this Docker engine is in no Swarm, or is stopping; if it stays so, run `docker swarm init`"
        }
        "worker" => {
            "this Docker engine is a worker; name a manager with `--docker-host`, or promote this node"
        }
        "locked" => "this Docker engine's Swarm is locked; run `docker swarm unlock`",
        "pending" => "this Docker engine is still joining its Swarm; try again in a moment",
        _ => "this Docker engine's Swarm is in an error state; see `docker info`",
    }
}
