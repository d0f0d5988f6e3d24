//! The status of a Team or Council, from one round.

use crate::resource::kinds::WorkloadStatus;

use super::round::Round;

/// What people are told after a round. Equal to `old` when nothing but the time has moved, so that a settled
/// workload is never written.
pub fn status(old: Option<&WorkloadStatus>, _round: &Round<'_>) -> WorkloadStatus {
    old.cloned().unwrap_or_default()
}
