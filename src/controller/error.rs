//! What can go wrong in each step of a turn.

use thiserror::Error;

use crate::store::StoreError;
use crate::swarm::SwarmError;

/// The step that failed; its source says how.
#[derive(Debug, Error)]
pub(super) enum StepError {
    /// The declared objects could not be read.
    #[error("cannot read what is declared now")]
    Fetch(#[source] StoreError),
    /// The Swarm could not be observed.
    #[error("cannot observe the Swarm now")]
    Observe(#[source] SwarmError),
    /// The status could not be written.
    #[error("cannot write the status now")]
    Status(#[source] StoreError),
    /// The finalizer could not be taken off.
    #[error("cannot finish the deletion now")]
    Finalize(#[source] StoreError),
}

impl StepError {
    /// The step's name, for metrics.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "fetch",
            Self::Observe(_) => "observe",
            Self::Status(_) => "status",
            Self::Finalize(_) => "finalize",
        }
    }

    /// Whether the object merely moved on since it was read: the next turn starts from its new state.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Self::Fetch(source) | Self::Status(source) | Self::Finalize(source) => {
                matches!(source, StoreError::Conflict { .. } | StoreError::NotFound(_))
            }
            Self::Observe(_) => false,
        }
    }
}
