//! Services: none are served. `kubectl cluster-info` looks for some of the control plane's before it says where that is.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::answer::warn;
use super::form::{Form, ListMetadata, Presenter, Resource};
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;

const WHERE_THEY_ARE: &str = "the services of the Swarm are agents here: `kubectl get agents` lists them";

/// `GET /api/v1/services`, of a namespace or of all: an empty list, and word of what there is instead.
pub(super) async fn list(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    let resource = Resource {
        api_version: "v1",
        kind: "Service",
        columns: Columns::NameOnly,
    };
    let at = ListMetadata::at(api.store.revision().await?);
    let mut response = Presenter { form, resource }.list(at, Vec::<Value>::new())?;
    warn(&mut response, &[WHERE_THEY_ARE.to_owned()]);
    Ok(response)
}
