//! What every request handler works with.

use tokio_util::sync::CancellationToken;

use super::jwt::JwtIssuer;
use super::kept::Kept;
use super::quota::Turns;
use super::status::ApiError;
use crate::files::Folder;
use crate::resource::lower::Endpoints;
use crate::resource::token::WayIn;
use crate::resource::{Key, Object};
use crate::store::{Store, StoreError};
use crate::swarm::{Cache, SwarmError};
use crate::telemetry::{Chain, Metrics};

/// The API's surroundings. Everything in it is shared, so a clone is cheap.
#[derive(Clone, Debug)]
pub struct Api {
    /// What is declared.
    pub store: Store,
    /// What is observed. With Docker away, everything but plans, agents and logs is still served.
    pub cache: Cache,
    /// What agents are told of their surroundings: part of every plan.
    pub endpoints: Endpoints,
    /// The installation's id.
    pub instance: String,
    /// Where clients come in over the network, if they may.
    pub way_in: Option<WayIn>,
    /// Whose JWTs count there, if anybody's.
    pub jwt: Option<JwtIssuer>,
    /// The folder of the secrets that GitSources name, if there is one.
    pub git_secrets: Option<Folder>,
    /// Lists that are given in parts.
    pub kept: Kept,
    /// Whose turn it is to store what counts for a quota.
    pub quotas: Turns,
    /// Figures.
    pub metrics: Metrics,
    /// Ends watches and logs when the server closes.
    pub closing: CancellationToken,
}

impl Api {
    /// The stored object of a key.
    pub(super) async fn object(&self, key: &Key) -> Result<Object, ApiError> {
        self.store.get(key).await?.ok_or_else(|| ApiError::NotFound {
            kind: key.kind,
            name: key.name.clone(),
        })
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(key) => Self::NotFound {
                kind: key.kind,
                name: key.name,
            },
            StoreError::AlreadyExists(key) => Self::AlreadyExists(key),
            StoreError::Conflict { key, .. } => Self::modified(key),
            StoreError::TooLarge { limit, .. } => Self::TooLarge(limit),
            StoreError::Unstorable { .. } => Self::BadRequest(error.to_string()),
            StoreError::Unavailable { .. } | StoreError::Timeout => Self::Unavailable {
                what: error.to_string(),
                advice: "nothing can be read or written until it is back; try again then",
            },
            StoreError::StaleLeader
            | StoreError::Url { .. }
            | StoreError::NotMigrated(_)
            | StoreError::Migrate(_)
            | StoreError::Unreadable { .. }
            | StoreError::Query(_) => {
                tracing::error!(error = %Chain(&error), "the store failed");
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<SwarmError> for ApiError {
    fn from(error: SwarmError) -> Self {
        Self::Unavailable {
            what: Chain(&error).to_string(),
            advice: "what is declared can be read and changed meanwhile, and is brought about when Docker is back",
        }
    }
}
