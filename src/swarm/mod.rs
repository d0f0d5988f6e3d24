//! Observe the Swarm, act on one Action, engine events: the only room that knows bollard.
//!
//! Services, tasks, nodes and all lists are read and written as our own JSON through bollard's transport:
//! bollard's models hold a version in 31 bits, drop what they do not know, and fail a whole list over one new
//! word. bollard itself makes and removes by id, and asks about images.

mod act;
mod blobs;
mod cache;
mod classify;
mod decode;
mod documents;
mod elements;
mod engine;
mod error;
mod gateway;
mod images;
mod ledger;
mod logs;
mod networks;
mod policy;
mod polls;
mod secrets;
mod spec;
mod subnet;
mod transport;
mod triggers;
mod want;
mod watch;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use act::Done;
pub use cache::{Cache, Owned, Tuning};
pub use documents::{Documents, Picture};
pub use error::{ActError, Outage, SecretError, SwarmError};
pub use logs::{LogLine, LogOptions, LogSource};
pub use secrets::SecretsDir;
pub use transport::Limits;
pub use triggers::Trigger;
pub use want::Want;

use engine::Engine;

/// A handle on one Docker engine that manages a Swarm. Cheap to clone.
///
/// It connects when it is first used and again whenever needed, so it can be made while the engine is down.
#[derive(Clone, Debug)]
pub struct Swarm {
    engine: Arc<Engine>,
}

/// What the engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    /// The engine's own version, for example `20.10.24`.
    pub engine: String,
    /// The API version that was agreed on, for example `1.41`.
    pub api: String,
}

/// How many requests were sent, by route: `GET /services`, `POST /services/{id}/update`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Requests by method and route.
    pub by_route: BTreeMap<String, u64>,
}

impl CallCounts {
    /// How many requests changed something (everything but GET and HEAD).
    pub fn mutations(&self) -> u64 {
        let reads = |route: &str| route.starts_with("GET ") || route.starts_with("HEAD ");
        let changes = self.by_route.iter().filter(|(route, _)| !reads(route));
        changes.map(|(_, count)| count).sum()
    }
}

impl Swarm {
    /// A handle on the engine at `host`: `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`.
    ///
    /// # Errors
    /// [`SwarmError::BadHost`] when the address makes no sense. Nothing is sent yet.
    pub fn connect(host: &str) -> Result<Self, SwarmError> {
        Self::with_limits(host, Limits::default())
    }

    /// The same, with other limits of time.
    ///
    /// # Errors
    /// As [`Swarm::connect`].
    pub fn with_limits(host: &str, limits: Limits) -> Result<Self, SwarmError> {
        let engine = Arc::new(Engine::new(host, limits)?);
        Ok(Self { engine })
    }

    /// The address that it was made with.
    pub fn host(&self) -> &str {
        self.engine.transport.host()
    }

    /// Asks whether the engine answers.
    ///
    /// # Errors
    /// When it does not, or is too old for us.
    pub async fn ping(&self) -> Result<(), SwarmError> {
        self.engine.transport.negotiate().await.map(drop)
    }

    /// What the engine is.
    ///
    /// # Errors
    /// When it does not answer, or is too old for us.
    pub async fn version(&self) -> Result<EngineVersion, SwarmError> {
        self.engine.version().await
    }

    /// Fails unless the engine is a manager of a Swarm that has a leader.
    ///
    /// # Errors
    /// [`SwarmError::NotAManager`] and [`SwarmError::NoQuorum`] say what to do; others when it does not answer.
    pub async fn require_manager(&self) -> Result<(), SwarmError> {
        self.engine.require_manager().await
    }

    /// The requests sent so far, by all clones of this handle.
    pub fn calls(&self) -> CallCounts {
        CallCounts {
            by_route: self.engine.transport.calls(),
        }
    }
}
