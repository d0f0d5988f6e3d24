//! One log line and one count a request: verb, key, actor, code and time. Never a body, never a query.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tracing::{debug, info, warn};

use super::caller::{Caller, Peer};
use super::options::Params;
use super::paths;
use crate::resource::Key;
use crate::telemetry::Metrics;

/// Middleware: counts and logs the answer of a request. What reads is only of interest to those who look for it.
pub(super) async fn record(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unknown", MatchedPath::as_str)
        .to_owned();
    let resource = paths::resource(request.uri().path());
    let named = paths::key(request.uri().path());
    let peer = request.extensions().get::<Peer>().map(Peer::to_string);
    let verb = verb(&method, &template, Params::of(request.uri()).is_watch());
    let response = next.run(request).await;
    let code = response.status().as_u16();
    let actor = response
        .extensions()
        .get::<Caller>()
        .map(Caller::to_string)
        .or(peer)
        .map(tracing::field::display);
    metrics.api_answered(verb, resource, code);
    let ms = (started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    let key = named.as_ref().or_else(|| response.extensions().get::<Key>());
    let key = key.map(tracing::field::display);
    let subresource = template
        .rsplit_once("{name}/")
        .map(|(_, subresource)| subresource);
    // A probe reads for itself what is not well, and asks every few seconds.
    if response.status().is_server_error() && resource != "health" {
        warn!(
            verb,
            resource, key, subresource, actor, code, ms, "request failed"
        );
    } else if method.is_safe() || subresource == Some("plan") {
        debug!(verb, resource, key, subresource, actor, code, ms, "request");
    } else {
        info!(verb, resource, key, subresource, actor, code, ms, "request");
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

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use axum::{Extension, Router};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::resource::Kind;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged from `INFO` on of a request that is answered with `code`.
    async fn logged(method: Method, path: &str, code: u16) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let code = StatusCode::from_u16(code).unwrap();
        let key = Key::new(Kind::Team, "prod", "new");
        let handler = get(async move || code)
            .put(async move || code)
            .post(async move || (code, Extension(key)));
        let teams = "/apis/chorus.services/v1/namespaces/{namespace}/teams";
        let app = Router::new()
            .route(teams, handler.clone())
            .route(&format!("{teams}/{{name}}"), handler.clone())
            .route(&format!("{teams}/{{name}}/plan"), handler.clone())
            .route("/readyz", handler)
            .layer(from_fn_with_state(Metrics::new(), record));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Peer::Local { uid: Some(0) });
        let guard = tracing::subscriber::set_default(subscriber);
        let request = request.body(Body::empty()).unwrap();
        TowerToHyperService::new(app).call(request).await.unwrap();
        drop(guard);
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn what_changes_something_is_logged_and_what_reads_is_not() {
        let teams = "/apis/chorus.services/v1/namespaces/prod/teams";
        let one = format!("{teams}/payments?secret=hunter2");
        for (method, path, code, expected) in [
            (Method::GET, one.as_str(), 200, None),
            (Method::GET, "/readyz", 503, None),
            (Method::POST, &format!("{teams}/payments/plan"), 200, None),
            (
                Method::GET,
                &one,
                503,
                Some(("WARN", "get", "team/prod/payments")),
            ),
            (
                Method::PUT,
                &one,
                409,
                Some(("INFO", "update", "team/prod/payments")),
            ),
            (
                Method::POST,
                teams,
                201,
                Some(("INFO", "create", "team/prod/new")),
            ),
        ] {
            let line = logged(method.clone(), path, code).await;
            let Some((level, verb, key)) = expected else {
                assert_eq!(line, "", "{method} {path}");
                continue;
            };
            assert!(line.trim_start().starts_with(level), "{line}");
            let (verb, key) = (format!("verb=\"{verb}\""), format!("key={key}"));
            for part in [&verb, &key, "actor=unix:", &format!("code={code}"), "ms="] {
                assert!(line.contains(part), "no {part} in {line}");
            }
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}
