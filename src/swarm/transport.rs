//! The one HTTP client: over a Unix socket or TCP, with the agreed API version in every path, a bound on
//! every request, errors classified, and every request counted.
//!
//! bollard sends through it too. What goes through bollard is logged by it in full at debug level, so nothing
//! that holds content (secrets, configs, services with their environment) may.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyperlocal::UnixConnector;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use super::classify::classify;
use super::elements::Elements;
use super::error::SwarmError;

/// How long requests may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One that only reads.
    pub read: Duration,
    /// One that lists all there is of something: a Swarm of 100,000 services takes tens of seconds.
    pub list: Duration,
    /// One that changes something.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            list: Duration::from_secs(30),
            write: Duration::from_secs(30),
        }
    }
}

impl Limits {
    fn of(self, bound: Bound) -> Duration {
        match bound {
            Bound::Read => self.read,
            Bound::List => self.list,
            Bound::Write => self.write,
        }
    }
}

/// Which of the limits holds for a request.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Read,
    List,
    Write,
}

/// Minor number of the oldest API that has what we need (Engine 20.10).
const OLDEST_API: usize = 41;
/// How long an unused connection is kept: less than engines and proxies keep theirs.
const IDLE: Duration = Duration::from_secs(20);

/// A request body, ours or bollard's.
pub(super) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The client.
pub(super) struct Transport {
    host: String,
    /// What paths are appended to: `unix://<hex of the socket's path>`, or `http://<address>`.
    base: String,
    client: Client,
    /// Minor number of the agreed API version; 0 before it was agreed on.
    api: AtomicUsize,
    calls: Mutex<BTreeMap<String, u64>>,
    limits: Limits,
}

enum Client {
    Unix(legacy::Client<UnixConnector, Body>),
    Tcp(legacy::Client<HttpConnector, Body>),
}

/// One request with a JSON answer.
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    body: Option<&'a Value>,
    bound: Bound,
}

impl<'a> Call<'a> {
    /// Reads `path`.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            bound: Bound::Read,
        }
    }

    /// Reads everything that there is of something.
    pub(super) fn list(path: impl Into<String>) -> Self {
        Self {
            bound: Bound::List,
            ..Self::get(path)
        }
    }

    /// Sends `body` to `path`.
    pub(super) fn post(path: impl Into<String>, body: &'a Value) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body: Some(body),
            bound: Bound::Write,
        }
    }

    /// The request for people: without its query, which may be long, and its body, which may be secret.
    fn what(&self) -> String {
        describe(&self.method, self.path.split('?').next().unwrap_or_default())
    }
}

impl Transport {
    /// A client for `host`. Nothing is sent yet.
    pub(super) fn new(host: &str, limits: Limits) -> Result<Self, SwarmError> {
        let (client, base) = match host.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => (
                Client::Unix(builder().build(UnixConnector)),
                format!("unix://{}", crate::resource::names::hex(path.as_bytes())),
            ),
            Some(("unix", _)) => return Err(bad_host(host, "a socket is named by its absolute path")),
            Some(("tcp" | "http", address)) if !address.is_empty() => {
                let mut connector = HttpConnector::new();
                connector.set_connect_timeout(Some(Duration::from_secs(5)));
                // An event stream is silent for long; without probes a dead peer would never be noticed.
                connector.set_keepalive(Some(Duration::from_secs(15)));
                connector.set_nodelay(true);
                let base = format!("http://{}", address.trim_end_matches('/'));
                if base.parse::<Uri>().is_err() {
                    return Err(bad_host(host, "write tcp://<address>:<port>"));
                }
                (Client::Tcp(builder().build(connector)), base)
            }
            Some(("https" | "ssh" | "fd" | "npipe", _)) => {
                return Err(bad_host(
                    host,
                    "only unix:// and tcp:// are spoken; forward it to a Unix socket",
                ));
            }
            _ => {
                return Err(bad_host(
                    host,
                    "write unix:///var/run/docker.sock or tcp://<address>:<port>",
                ));
            }
        };
        Ok(Self {
            host: host.to_owned(),
            base,
            client,
            api: AtomicUsize::new(0),
            calls: Mutex::default(),
            limits,
        })
    }

    /// The address as given.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// How long requests may take.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// What paths are appended to.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The requests sent so far, by route.
    pub(super) fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends one request and reads its answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, SwarmError> {
        let what = call.what();
        let limit = self.limits.of(call.bound);
        let bytes = bounded(&what, limit, async {
            let response = self.exchange(call).await?;
            collect(&what, response).await
        })
        .await?;
        serde_json::from_slice(&bytes).map_err(|source| SwarmError::Unreadable { what, source })
    }

    /// Sends one request that an array answers, and hands each of its elements to `take` while they arrive.
    pub(super) async fn each(
        &self,
        call: Call<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
    ) -> Result<(), SwarmError> {
        let what = call.what();
        let unreadable = |source| SwarmError::Unreadable {
            what: what.clone(),
            source,
        };
        let limit = self.limits.of(call.bound);
        bounded(&what, limit, async {
            let mut body = self.exchange(call).await?.into_body().into_data_stream();
            let mut elements = Elements::default();
            while let Some(piece) = body.next().await {
                let piece = piece.map_err(|error| lost(&what, error))?;
                elements.push(&piece, &mut take).map_err(unreadable)?;
            }
            match elements.are_whole() {
                true => Ok(()),
                false => Err(unreadable(serde_json::Error::custom("it is no whole list"))),
            }
        })
        .await
    }

    /// Opens a stream: returns once the engine has answered with its headers.
    pub(super) async fn open(&self, call: Call<'_>) -> Result<Incoming, SwarmError> {
        let what = call.what();
        let limit = self.limits.of(call.bound);
        let response = bounded(&what, limit, self.exchange(call)).await?;
        Ok(response.into_body())
    }

    /// Sends one request with the agreed API version in its path. Waits without bound: the caller has one.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, SwarmError> {
        let api = self.api().await?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = self.uri(&format!("/v1.{api}{path}"))?;
        self.dispatch(request).await
    }

    /// The agreed API version's minor number; asks the engine when it is not known.
    pub(super) async fn api(&self) -> Result<usize, SwarmError> {
        match self.api.load(Ordering::Relaxed) {
            0 => self.negotiate().await,
            known => Ok(known),
        }
    }

    /// Agrees on the newest API version that both sides speak; again after every time without the engine,
    /// since it may have been exchanged for another.
    pub(super) async fn negotiate(&self) -> Result<usize, SwarmError> {
        let request = self.request(Method::GET, "/_ping", None)?;
        let response = bounded("GET /_ping", self.limits.read, self.dispatch(request)).await?;
        let found = api_version(response.headers());
        let newest = bollard::API_DEFAULT_VERSION.minor_version;
        match found.strip_prefix("1.").and_then(|minor| minor.parse().ok()) {
            Some(minor) if minor >= OLDEST_API => {
                let agreed = newest.min(minor);
                self.api.store(agreed, Ordering::Relaxed);
                Ok(agreed)
            }
            _ => Err(SwarmError::TooOld { found }),
        }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Response<Incoming>, SwarmError> {
        let what = call.what();
        let request = self.request(call.method, &call.path, call.body)?;
        let response = self.send(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = collect(&what, response).await?;
        Err(classify(what, status.as_u16(), &engine_message(&text)))
    }

    async fn dispatch(&self, request: Request<Body>) -> Result<Response<Incoming>, SwarmError> {
        let what = describe(request.method(), unversioned(request.uri().path()));
        self.count(request.method(), unversioned(request.uri().path()));
        let sent = match &self.client {
            Client::Unix(client) => client.request(request).await,
            Client::Tcp(client) => client.request(request).await,
        };
        sent.map_err(|error| self.no_answer(what, error))
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Body>, SwarmError> {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::new(own_body(bytes.into()));
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(path)?;
        Ok(request)
    }

    fn uri(&self, path: &str) -> Result<Uri, SwarmError> {
        format!("{}{path}", self.base)
            .parse()
            .map_err(|_| SwarmError::BadHost {
                host: self.host.clone(),
                why: "it makes no valid address together with a path",
            })
    }

    fn count(&self, method: &Method, path: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(format!("{method} {}", route(path))).or_default() += 1;
    }

    fn no_answer(&self, what: String, error: legacy::Error) -> SwarmError {
        let host = self.host.clone();
        if !error.is_connect() {
            return SwarmError::Lost {
                what,
                source: io::Error::other(error),
            };
        }
        let source = error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .map_or(io::ErrorKind::NotConnected, io::Error::kind);
        match source {
            io::ErrorKind::PermissionDenied => SwarmError::NoPermission { host },
            _ => SwarmError::Unavailable {
                host,
                source: io::Error::other(error),
            },
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

const JSON: hyper::header::HeaderValue = hyper::header::HeaderValue::from_static("application/json");

/// Bounds a request in time. What has no answer by then may have been carried out.
pub(super) async fn bounded<T>(
    what: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, SwarmError>>,
) -> Result<T, SwarmError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(SwarmError::TimedOut {
            what: what.to_owned(),
            after: limit,
        })
    })
}

/// Escapes what is to be one segment of a path, or one value of a query.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// A `filters` query: each name with the values of which one must match (for labels: all).
pub(super) fn filters(filters: &[(&str, &[String])]) -> String {
    let map: serde_json::Map<String, Value> = filters
        .iter()
        .map(|(name, values)| ((*name).to_owned(), Value::from(values.to_vec())))
        .collect();
    format!("filters={}", escape(&Value::Object(map).to_string()))
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(8);
    builder
}

fn own_body(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn bad_host(host: &str, why: &'static str) -> SwarmError {
    SwarmError::BadHost {
        host: host.to_owned(),
        why,
    }
}

fn api_version(headers: &HeaderMap) -> String {
    headers
        .get("api-version")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("none")
        .to_owned()
}

async fn collect(what: &str, response: Response<Incoming>) -> Result<Bytes, SwarmError> {
    let body = response.into_body().collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| lost(what, error))
}

fn lost(what: &str, error: hyper::Error) -> SwarmError {
    SwarmError::Lost {
        what: what.to_owned(),
        source: io::Error::other(error),
    }
}

/// The `message` of an engine's error answer, or the answer itself.
fn engine_message(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_slice(bytes).map_or_else(
        |_| String::from_utf8_lossy(bytes).trim().to_owned(),
        |answer: Answer| answer.message,
    )
}

fn describe(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

/// A path without its leading `/v1.41`.
fn unversioned(path: &str) -> &str {
    match path
        .strip_prefix("/v1.")
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]))
    {
        Some(rest) => rest,
        None => path,
    }
}

/// A path with what names one object replaced: `/services/{id}/update`.
fn route(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        [kind] => format!("/{kind}"),
        [kind, "create"] => format!("/{kind}/create"),
        [kind, _] => format!("/{kind}/{{id}}"),
        [kind, .., verb] => format!("/{kind}/{{id}}/{verb}"),
        [] => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_or_refused_with_advice() {
        for (host, base) in [
            ("unix:///run/d.sock", "unix://2f72756e2f642e736f636b"),
            ("tcp://127.0.0.1:2375", "http://127.0.0.1:2375"),
            ("http://127.0.0.1:2375/", "http://127.0.0.1:2375"),
        ] {
            assert_eq!(
                Transport::new(host, Limits::default()).unwrap().base(),
                base,
                "{host}"
            );
        }
        for (host, advice) in [
            ("", "write unix://"),
            ("/run/d.sock", "write unix://"),
            ("unix://d.sock", "absolute path"),
            ("tcp://a b", "write tcp://"),
            ("ssh://host", "forward it"),
        ] {
            let error = Transport::new(host, Limits::default()).unwrap_err().to_string();
            assert!(error.contains(advice), "{host}: {error}");
        }
    }

    #[test]
    fn requests_are_counted_by_route() {
        for (path, expect) in [
            ("/v1.41/services", "/services"),
            ("/v1.41/services/create", "/services/create"),
            ("/v1.53/services/abc/update", "/services/{id}/update"),
            ("/v1.41/networks/abc", "/networks/{id}"),
            ("/v1.41/images/host:5000/a/b/json", "/images/{id}/json"),
            ("/_ping", "/_ping"),
        ] {
            assert_eq!(route(unversioned(path)), expect, "{path}");
        }
    }

    #[test]
    fn what_gets_into_an_address_is_escaped() {
        assert_eq!(escape("a/../b?c#d é"), "a%2F..%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(
            filters(&[("id", &["x".into()])]),
            "filters=%7B%22id%22%3A%5B%22x%22%5D%7D"
        );
    }
}
