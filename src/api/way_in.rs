//! Where clients come in over the network, and what they trust: what a kubeconfig says.

use axum::Json;
use axum::extract::State;

use super::state::Api;
use super::status::ApiError;
use crate::resource::token::WayIn;

/// `GET /apis/chorus.services/v1/wayin`
pub(super) async fn get(State(api): State<Api>) -> Result<Json<WayIn>, ApiError> {
    api.way_in.map(Json).ok_or(ApiError::NoSuch {
        resource: "wayin",
        name: "https".to_owned(),
    })
}
