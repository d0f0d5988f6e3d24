//! One log line and one count a request: method, path template, code and time. Never a body, never a query.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{debug, info, warn};

use super::options::Params;
use super::paths;
use crate::telemetry::Metrics;

/// Middleware: counts and logs the answer of a request.
pub(super) async fn record(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unknown", MatchedPath::as_str)
        .to_owned();
    let resource = paths::resource(request.uri().path());
    let verb = verb(&method, &template, Params::of(request.uri()).is_watch());
    let response = next.run(request).await;
    let code = response.status();
    let ms = started.elapsed().as_secs_f64() * 1000.0;
    metrics.api_answered(verb, resource, code.as_u16());
    let code_number = code.as_u16();
    if code.is_server_error() && code != StatusCode::SERVICE_UNAVAILABLE {
        warn!(%method, template, code = code_number, ms, "request failed");
    } else if method.is_safe() {
        debug!(%method, template, code = code_number, ms, "request");
    } else {
        info!(%method, template, code = code_number, ms, "request");
    }
    response
}

/// Kubernetes' verb for a request.
fn verb(method: &Method, template: &str, watch: bool) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::GET | Method::HEAD if watch => "watch",
        Method::GET | Method::HEAD if template.starts_with("/api") && !template.contains("{name}") => "list",
        Method::GET | Method::HEAD => "get",
        _ => "other",
    }
}
