//! Pods: there are none. Clients of Kubernetes ask for one when somebody wants to see an agent, to read what it wrote or
//! to run something in it, and are told where that is.

use super::status::ApiError;

/// Anything with pods.
pub(super) async fn none() -> ApiError {
    ApiError::NoPods
}
