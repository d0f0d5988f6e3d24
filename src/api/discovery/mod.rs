//! What this API serves, in the words that Kubernetes clients ask for: `/api`, `/apis` and below.

mod aggregated;
mod groups;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIGroupList, APIResourceList, APIVersions};
use k8s_openapi::apimachinery::pkg::version::Info;
use serde::Serialize;
use tokio::time::timeout;

use super::form::Form;
use super::paths::{self, Name};
use super::state::Api;
use super::status::ApiError;
pub(super) use groups::{Group, has_scale, has_status};

/// How long the engine may take to say its version.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);

/// What is served, in short.
#[derive(Serialize)]
pub(super) struct Paths {
    paths: Vec<String>,
}

/// `GET /`
pub(super) async fn root() -> Json<Paths> {
    let others = [
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ];
    let groups = [Group::Core].into_iter().chain(Group::NAMED);
    let named = Group::NAMED.map(|group| format!("/apis/{}", group.name()));
    let versions = groups.map(|group| format!("/{}", group.path()));
    let mut paths: Vec<String> = others
        .map(str::to_owned)
        .into_iter()
        .chain(named)
        .chain(versions)
        .collect();
    paths.sort();
    Json(Paths { paths })
}

/// `GET /api`
pub(super) async fn core_versions(
    headers: HeaderMap,
    form: Result<Form, ApiError>,
) -> Result<Response, ApiError> {
    if let Some(answer) = aggregated::answer(&headers, &[Group::Core]) {
        return Ok(answer);
    }
    form?;
    let versions = APIVersions {
        server_address_by_client_cidrs: Vec::new(),
        versions: vec!["v1".to_owned()],
    };
    Ok(Json(versions).into_response())
}

/// `GET /apis`
pub(super) async fn groups(headers: HeaderMap, form: Result<Form, ApiError>) -> Result<Response, ApiError> {
    if let Some(answer) = aggregated::answer(&headers, &Group::NAMED) {
        return Ok(answer);
    }
    form?;
    let groups = Group::NAMED.into_iter().map(Group::describe).collect();
    Ok(Json(APIGroupList { groups }).into_response())
}

/// `GET /apis/{group}`
pub(super) async fn group(Name(name): Name, uri: Uri) -> Result<Json<APIGroup>, ApiError> {
    let group = Group::named(&name).ok_or_else(|| paths::unknown(&uri))?;
    Ok(Json(group.describe()))
}

/// `GET /api/v1`
pub(super) async fn core_resources() -> Json<APIResourceList> {
    Json(Group::Core.list())
}

/// `GET /apis/{group}/v1`
pub(super) async fn resources(Name(name): Name, uri: Uri) -> Result<Json<APIResourceList>, ApiError> {
    let group = Group::named(&name).ok_or_else(|| paths::unknown(&uri))?;
    Ok(Json(group.list()))
}

/// What Kubernetes clients read, and what the Swarm runs on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    #[serde(flatten)]
    own: Info,
    /// The Docker Engine's; absent while it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_version: Option<String>,
}

/// `GET /version`
pub(super) async fn version(State(api): State<Api>) -> Json<Versions> {
    let text = |number: &str| number.to_owned();
    let own = Info {
        major: text(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: text(env!("CARGO_PKG_VERSION_MINOR")),
        git_version: format!("v{}", env!("CARGO_PKG_VERSION")),
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        ..Info::default()
    };
    // Nobody waits here for an engine that does not answer.
    let engine = match api.cache.health() {
        Ok(()) => timeout(ENGINE_PATIENCE, api.cache.swarm().version()).await.ok(),
        Err(_) => None,
    };
    let engine_version = engine.and_then(Result::ok).map(|version| version.engine);
    Json(Versions { own, engine_version })
}
