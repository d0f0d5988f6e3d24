//! The table of paths: which handler answers what.

use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_response};
use axum::routing::{any, delete, get, post};
use axum::{Extension, Router};
use k8s_openapi::api::core::v1::Event;

use super::authenticate::{Door, authenticate, counted};
use super::hooks::Deliveries;
use super::limits::{Limits, Strangers};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;
use super::verbs::{delete as deletion, history, plan, read, scale, simulate, status, write};
use super::{
    agents, definitions, discovery, events, form, health, hooks, limits, logs, namespaces, openapi, paths,
    pods, reviews, services, tokens, trace, transfer, way_in, yaml,
};
use crate::resource::Object;

const GROUP: &str = "/apis/chorus.services/v1";
/// Webhooks that are taken at a time: their senders are strangers until they have been read.
const MAX_HOOKS: usize = 256;

/// Everything that the operator serves. A `/` at the end of a path, which some clients send, changes nothing.
pub fn router(api: Api) -> Router {
    Router::new()
        .fallback_service(table(api))
        .layer(map_request(paths::without_slash))
}

fn table(api: Api) -> Router {
    let (limits, door) = (Limits::default(), Door::new(api.clone()));
    let health = health()
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(health::Postgres::default()))
        .layer(from_fn_with_state(door.clone(), counted));
    let bounded = json()
        .merge(groups())
        .merge(swagger())
        .merge(logs())
        .fallback(unknown)
        .layer(from_fn(yaml::answered))
        .layer(from_fn_with_state(limits.clone(), limits::bounded));
    let long = long()
        .layer(from_fn(yaml::answered))
        .layer(from_fn_with_state(limits.for_long_work(), limits::bounded));
    bounded
        .merge(long)
        .merge(metrics())
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(door.clone(), authenticate))
        .layer(Extension(Recent::<Option<String>, Event>::default()))
        .layer(Extension(Recent::<agents::Part, Object>::default()))
        .merge(webhooks(door).method_not_allowed_fallback(method_not_allowed))
        .merge(health)
        .layer(transfer::compressed())
        .layer(map_response(transfer::secured))
        .layer(from_fn(transfer::closing))
        .layer(from_fn_with_state(api.metrics.clone(), trace::record))
        .with_state(api)
}

/// What is answered with objects.
fn json() -> Router<Api> {
    let all = |rest: &str| format!("{GROUP}/{rest}");
    let one = |rest: &str| format!("{GROUP}/namespaces/{{namespace}}/{rest}");
    Router::new()
        .route("/", get(discovery::root))
        .route("/version", get(discovery::version))
        .route("/openapi/v3", get(openapi::index))
        .route("/openapi/v3/{*group}", get(openapi::of_group))
        .route("/api/v1", get(discovery::core_resources))
        .route(
            "/api/v1/namespaces",
            get(namespaces::list).fallback(namespaces::read_only),
        )
        .route(
            "/api/v1/namespaces/{namespace}",
            get(namespaces::get).fallback(namespaces::read_only),
        )
        .route("/api/v1/pods", any(pods::none))
        .route("/api/v1/namespaces/{namespace}/pods", any(pods::none))
        .route("/api/v1/namespaces/{namespace}/pods/{*rest}", any(pods::none))
        .route("/api/v1/services", get(services::list))
        .route("/api/v1/namespaces/{namespace}/services", get(services::list))
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/namespaces/{namespace}/events", get(events::list))
        .route("/api/v1/namespaces/{namespace}/events/{name}", get(events::get))
        .route("/apis/events.k8s.io/v1/events", get(events::list))
        .route(
            "/apis/events.k8s.io/v1/namespaces/{namespace}/events",
            get(events::list),
        )
        .route(
            "/apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}",
            get(events::get),
        )
        .route("/apis/{group}", get(discovery::group))
        .route("/apis/{group}/v1", get(discovery::resources))
        .merge(reviews())
        .route(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            get(definitions::list),
        )
        .route(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}",
            get(definitions::get),
        )
        .route(&all("agents"), get(agents::list))
        .route(&one("agents"), get(agents::list))
        .route(&one("agents/{name}"), get(agents::get))
        .route(&all("wayin"), get(way_in::get))
        .route(&all("tokens"), get(tokens::list).post(tokens::create))
        .route(&all("tokens/{name}"), delete(tokens::revoke))
        .route(&all("{plural}"), get(read::list))
        .route(
            &one("{plural}"),
            get(read::list).post(write::create).delete(deletion::delete_all),
        )
        .route(
            &one("{plural}/{name}"),
            get(read::get)
                .put(write::change)
                .patch(write::change)
                .delete(deletion::delete),
        )
        .route(
            &one("{plural}/{name}/status"),
            get(status::get).put(status::change).patch(status::change),
        )
        .route(
            &one("{plural}/{name}/scale"),
            get(scale::get).put(scale::change).patch(scale::change),
        )
        .route(
            &one("{plural}/{name}/plan"),
            get(plan::get).post(plan::propose_change),
        )
        .route(&one("{plural}/{name}/history"), get(history::get))
        .route_layer(from_fn(form::known_form))
}

/// What is answered with what takes long to find out.
fn long() -> Router<Api> {
    Router::new()
        .route(&format!("{GROUP}/simulations"), post(simulate::simulate))
        .route_layer(from_fn(form::known_form))
}

/// What somebody is told of themselves.
fn reviews() -> Router<Api> {
    Router::new()
        .route(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            post(reviews::who),
        )
        .route(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            post(reviews::may),
        )
        .route(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            post(reviews::rules),
        )
}

/// What is answered with JSON, and with all at once for clients that ask for that.
fn groups() -> Router<Api> {
    Router::new()
        .route("/api", get(discovery::core_versions))
        .route("/apis", get(discovery::groups))
}

/// What is answered with JSON or protobuf.
fn swagger() -> Router<Api> {
    Router::new().route("/openapi/v2", get(openapi::swagger))
}

/// What is answered with text.
fn logs() -> Router<Api> {
    Router::new().route(
        "/apis/chorus.services/v1/namespaces/{namespace}/agents/{name}/log",
        get(logs::get),
    )
}

/// What forges tell. They have no token, and take no place of those who have one.
fn webhooks(door: Door) -> Router<Api> {
    let strangers = Strangers::new(MAX_HOOKS, Limits::default().for_bodies_of(hooks::MAX_BODY));
    Router::new()
        .route(
            "/hooks/v1/namespaces/{namespace}/gitsources/{name}",
            post(hooks::deliver),
        )
        .layer(Extension(Deliveries::default()))
        .layer(from_fn_with_state(strangers, limits::bounded_strangers))
        .layer(from_fn_with_state(door, counted))
}

/// For those who watch the operator: answered when nothing else is.
fn health() -> Router<Api> {
    Router::new()
        .route("/healthz", get(health::live))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
}

/// For those who measure the operator: answered when nothing else is, but not to everybody.
fn metrics() -> Router<Api> {
    Router::new().route("/metrics", get(health::metrics))
}

async fn unknown(uri: Uri) -> ApiError {
    paths::unknown(&uri)
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let path = uri.path();
    let is_agent = path.starts_with(GROUP) && path.split('/').any(|part| part == "agents");
    let advice = match is_agent {
        true => "; an Agent is what its Team or Council makes of it: change that",
        false => "",
    };
    ApiError::MethodNotAllowed(format!("{method} {path}{advice}"))
}
