//! Stands between a client and an engine, and writes down what they say.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::sim::door::Exchange;

/// A socket in front of an engine's.
pub(super) struct Recorder {
    folder: TempDir,
    seen: Arc<Mutex<Vec<Exchange>>>,
    serving: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Recorder {
    pub(super) fn start(engine: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, engine.clone(), Arc::clone(&recorded)));
            }
        });
        Self {
            folder,
            seen,
            serving,
        }
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// The requests so far with their answers; of those that go on, only the statuses.
    pub(super) fn seen(&self) -> Vec<Exchange> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(client: UnixStream, engine: PathBuf, seen: Arc<Mutex<Vec<Exchange>>>) {
    let service = service_fn(|request| {
        let (engine, seen) = (engine.clone(), Arc::clone(&seen));
        async move { Ok::<_, Infallible>(pass_on(request, &engine, &seen).await) }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service);
    // A client that goes away is nothing to report.
    drop(served.await);
}

async fn pass_on(
    request: Request<Incoming>,
    engine: &Path,
    seen: &Mutex<Vec<Exchange>>,
) -> Response<Either<Incoming, Full<Bytes>>> {
    let stream = UnixStream::connect(engine).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let (method, path) = (parts.method.to_string(), unversioned(&parts.uri.to_string()));
    let answer = sender
        .send_request(Request::from_parts(parts, Full::<Bytes>::new(body.clone())))
        .await
        .unwrap();
    let (head, told) = answer.into_parts();
    let mut exchange = Exchange {
        method,
        path,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        status: head.status.as_u16(),
        answer: Value::Null,
    };
    let told = if goes_on(&exchange) {
        Either::Left(told)
    } else {
        let told = told.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(told.to_vec()).unwrap();
        exchange.answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Either::Right(Full::new(told))
    };
    seen.lock().unwrap().push(exchange);
    Response::from_parts(head, told)
}

/// Whether an answer comes bit by bit, for as long as somebody listens.
pub(super) fn goes_on(exchange: &Exchange) -> bool {
    exchange.path.starts_with("/events") || exchange.path.contains("/logs")
}

/// A path without its `/v1.41`.
fn unversioned(path: &str) -> String {
    match path.strip_prefix("/v1.") {
        Some(rest) => rest[rest.find('/').unwrap()..].to_owned(),
        None => path.to_owned(),
    }
}
