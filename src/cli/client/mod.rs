//! The HTTP client: Kubernetes conventions over the operator's Unix socket, or over TLS.

mod access;
mod error;
mod history;
mod lines;
mod owner;
mod selection;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, Request, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

pub(super) use error::ClientError;
pub(super) use history::Past;
pub(super) use lines::LineStream;
pub(super) use owner::Owner;
pub(super) use selection::{Collection, Listed, Selection};

use super::endpoint::{Endpoint, Server};
use super::talk;
use crate::resource::object::API_VERSION;
use crate::resource::outlook::{Outlook, Scenario};
use crate::resource::proposal::Proposal;
use crate::resource::{Key, Kind};

/// The media type of a JSON merge patch.
const MERGE_PATCH: &str = "application/merge-patch+json";
/// How often a busy operator is asked, about a second apart.
const TRIES: usize = 10;

/// How a deletion treats the agents, as the API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Propagation {
    /// The object goes when its agents are gone, and then all that names it alone as its owner.
    Background,
    /// What names it as its owner goes first.
    Foreground,
    /// The agents run on and are no longer WHOOSH's; what names it as its owner stays.
    Orphan,
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What to read of an agent's log.
#[derive(Clone, Debug, Default)]
pub(super) struct LogQuery {
    /// Whether to go on as lines come.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
    /// Only lines that are younger.
    pub since: Option<Duration>,
    /// Whether each line starts with its time.
    pub timestamps: bool,
}

/// Talks to the operator. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    timeout: Option<Duration>,
    verbose: bool,
    /// What was said already; `None` says nothing.
    warned: Option<Arc<Mutex<BTreeSet<String>>>>,
}

impl Client {
    /// A client of the operator at a place. Nothing is sent yet.
    ///
    /// `timeout` bounds each answer; watches and logs are not bounded.
    ///
    /// # Errors
    /// When the HTTP library cannot be set up, with an authority that is none for example.
    pub(super) fn new(
        endpoint: Endpoint,
        timeout: Option<Duration>,
        verbose: bool,
    ) -> Result<Self, ClientError> {
        install_crypto();
        let http = reqwest::Client::builder().user_agent(concat!("whoosh/", env!("CARGO_PKG_VERSION")));
        let http = match &endpoint {
            // Nothing is encrypted on a Unix socket: do not look for the system's certificates.
            Endpoint::Socket(path) => http.unix_socket(path.as_path()).tls_certs_only([]),
            Endpoint::Server(Server { authority, token, .. }) => {
                let http = http.https_only(true).default_headers(bearer(token));
                match authority {
                    Some(pem) => {
                        http.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(ClientError::SetUp)?)
                    }
                    None => http,
                }
            }
        };
        Ok(Self {
            http: http.build().map_err(ClientError::SetUp)?,
            endpoint,
            timeout,
            verbose,
            warned: Some(Arc::default()),
        })
    }

    /// The same client, without the operator's warnings on standard error.
    pub(super) fn without_warnings(&self) -> Self {
        Self {
            warned: None,
            ..self.clone()
        }
    }

    /// The same client, with another bound of each answer.
    pub(super) fn waiting(&self, timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Reads one object.
    ///
    /// # Errors
    /// Like every request: see [`ClientError`]; here 404 when it does not exist.
    pub(super) async fn get(&self, key: &Key) -> Result<Value, ClientError> {
        self.json(self.request(Method::GET, &object_path(key))).await
    }

    /// Reads one object; `None` when it does not exist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn find(&self, key: &Key) -> Result<Option<Value>, ClientError> {
        match self.get(key).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists what is selected, in one snapshot.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn list(&self, selection: &Selection) -> Result<Listed, ClientError> {
        self.list_all(&selection.clone().into()).await
    }

    /// Lists a collection, in one snapshot.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn list_all(&self, collection: &Collection) -> Result<Listed, ClientError> {
        let request = self.request(Method::GET, &collection.path);
        let list = self.json(request.query(&collection.query)).await?;
        Ok(Listed::from_wire(list, collection))
    }

    /// Follows a collection from a revision on: one JSON watch event a line.
    ///
    /// # Errors
    /// See [`ClientError`]; 410 when the revision is too old.
    pub(super) async fn watch(
        &self,
        collection: &Collection,
        revision: &str,
    ) -> Result<LineStream, ClientError> {
        let request = self
            .request(Method::GET, &collection.path)
            .query(&collection.query)
            .query(&[
                ("watch", "true"),
                ("allowWatchBookmarks", "true"),
                ("resourceVersion", revision),
            ]);
        self.lines(request).await
    }

    /// Creates an object and returns what the operator made of it.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 when it exists, 400 or 422 with causes when it is not valid.
    pub(super) async fn create(
        &self,
        key: &Key,
        object: &Value,
        dry_run: bool,
    ) -> Result<Value, ClientError> {
        let path = collection_path(key.kind, Some(&key.namespace));
        let request = strict(self.request(Method::POST, &path)).json(object);
        self.json(with_dry_run(request, dry_run)).await
    }

    /// Changes an object by a JSON merge patch and returns the result.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 when the patch names a `resourceVersion` that is no longer the current one.
    pub(super) async fn patch(&self, key: &Key, patch: &Value, dry_run: bool) -> Result<Value, ClientError> {
        self.patch_by(key, MERGE_PATCH, patch, dry_run).await
    }

    /// Changes an object by a patch of this media type and returns the result.
    ///
    /// # Errors
    /// As of [`Client::patch`].
    pub(super) async fn patch_by(
        &self,
        key: &Key,
        media: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Value, ClientError> {
        let request = strict(self.request(Method::PATCH, &object_path(key)))
            .header("content-type", media)
            .body(patch.to_string());
        self.json(with_dry_run(request, dry_run)).await
    }

    /// Applies fields to an object, or creates it, as their owner; returns the result.
    ///
    /// # Errors
    /// See [`ClientError`]; 409, with a cause for each field, when others own what would change, unless by `force`.
    pub(super) async fn apply(
        &self,
        key: &Key,
        config: &Value,
        owner: &Owner,
        dry_run: bool,
    ) -> Result<Value, ClientError> {
        let request = strict(self.request(Method::PATCH, &object_path(key)));
        self.json(with_dry_run(owner.applies(request, config), dry_run))
            .await
    }

    /// Has judged what would come of applying fields to an object, or of creating it by them, after the templates; the Swarm
    /// is left alone, and nothing is stored.
    ///
    /// # Errors
    /// As of [`Client::apply`].
    pub(super) async fn judge_part(
        &self,
        key: &Key,
        config: &Value,
        owner: &Owner,
        templates: &[Value],
    ) -> Result<(), ClientError> {
        let path = format!("{}/plan?preview=false", object_path(key));
        let request = owner.applies(self.request(Method::POST, &path), &together(config, templates));
        let judged: Result<Proposal, _> = self.json(request).await;
        judged.map(drop)
    }

    /// Asks for an object's deletion.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when it does not exist.
    pub(super) async fn delete(&self, key: &Key, how: Propagation, dry_run: bool) -> Result<(), ClientError> {
        let options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": how.to_string()});
        let request = self
            .request(Method::DELETE, &object_path(key))
            .query(&[("propagationPolicy", how.to_string())])
            .json(&options);
        self.send(with_dry_run(request, dry_run), self.timeout).await?;
        Ok(())
    }

    /// Asks the operator's planner what storing an object would come to, after these templates; nothing is stored.
    ///
    /// # Errors
    /// See [`ClientError`]; 400 or 422 with causes when it is not valid.
    pub(super) async fn plan(
        &self,
        key: &Key,
        object: &Value,
        templates: &[&Value],
    ) -> Result<Proposal, ClientError> {
        let path = format!("{}/plan", object_path(key));
        let request = self.request(Method::POST, &path);
        self.json(request.json(&together(object, templates.iter().copied())))
            .await
    }

    /// What the operator's planner still has to do for a stored object, and what stands in the way.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when it does not exist, 503 when the Swarm cannot be looked at.
    pub(super) async fn still_to_do(&self, key: &Key) -> Result<Proposal, ClientError> {
        let path = format!("{}/plan", object_path(key));
        self.json(self.request(Method::GET, &path)).await
    }

    /// Has an object judged as if it and the templates were stored, and the Swarm left alone.
    ///
    /// # Errors
    /// See [`ClientError`]; every problem of the object is among the causes of a 400 or 422.
    pub(super) async fn judge(
        &self,
        key: &Key,
        object: &Value,
        templates: &[Value],
    ) -> Result<(), ClientError> {
        let path = format!("{}/plan?preview=false", object_path(key));
        let request = self.request(Method::POST, &path);
        let judged: Result<Proposal, _> = self.json(request.json(&together(object, templates))).await;
        judged.map(drop)
    }

    /// Has a scenario played on a copy of the Swarm.
    ///
    /// # Errors
    /// See [`ClientError`]; 400 when it names a node that is not there, 503 while another one is played.
    pub(super) async fn simulate(&self, scenario: &Scenario) -> Result<Outlook, ClientError> {
        let path = format!("apis/{API_VERSION}/simulations");
        self.json(self.request(Method::POST, &path).json(scenario)).await
    }

    /// Lists the events of a namespace, or of all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn events(&self, namespace: Option<&str>) -> Result<Vec<Event>, ClientError> {
        let listed = self.list_all(&Collection::events(namespace)).await?;
        let events = listed.items.into_iter().map(serde_json::from_value);
        events.collect::<Result<_, _>>().map_err(ClientError::Unreadable)
    }

    /// Reads an agent's log.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when there is no such agent.
    pub(super) async fn log(&self, agent: &Key, query: &LogQuery) -> Result<LineStream, ClientError> {
        let LogQuery {
            follow,
            tail,
            since,
            timestamps,
        } = query;
        let mut request = self
            .request(Method::GET, &format!("{}/log", object_path(agent)))
            .query(&[("follow", follow), ("timestamps", timestamps)]);
        if let Some(tail) = tail {
            request = request.query(&[("tailLines", tail)]);
        }
        if let Some(since) = since {
            request = request.query(&[("sinceSeconds", since.as_secs().max(1))]);
        }
        self.lines(request).await
    }

    /// The operator's version, as Kubernetes' `Info`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn version(&self) -> Result<Value, ClientError> {
        let info: Value = self.json(self.request(Method::GET, "version")).await?;
        match info["gitVersion"].is_string() {
            true => Ok(info),
            false => Err(ClientError::stranger(&self.endpoint, &info.to_string())),
        }
    }

    /// What can be done with each kind and subresource, by its plural name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn resources(&self) -> Result<Vec<APIResource>, ClientError> {
        let list: APIResourceList = self
            .json(self.request(Method::GET, &format!("apis/{API_VERSION}")))
            .await?;
        Ok(list.resources)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.endpoint.base()))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request, self.timeout).await?;
        let body = response.bytes().await.map_err(|error| self.failure(error))?;
        serde_json::from_slice(&body).map_err(ClientError::Unreadable)
    }

    async fn lines(&self, request: RequestBuilder) -> Result<LineStream, ClientError> {
        Ok(LineStream::of(self.send(request, None).await?))
    }

    /// Sends a request, again and again while the operator is too busy to look at it.
    async fn send(
        &self,
        request: RequestBuilder,
        timeout: Option<Duration>,
    ) -> Result<Response, ClientError> {
        let mut request = request.build().map_err(ClientError::SetUp)?;
        *request.timeout_mut() = timeout;
        for _ in 1..TRIES {
            let Some(same) = request.try_clone() else { break };
            let answer = self.send_once(same).await;
            let Some(delay) = answer.as_ref().err().and_then(ClientError::busy_for) else {
                return answer;
            };
            sleep(delay).await;
        }
        self.send_once(request).await
    }

    async fn send_once(&self, request: Request) -> Result<Response, ClientError> {
        let asked = match request.url().query() {
            Some(query) => format!("{} {}?{query}", request.method(), request.url().path()),
            None => format!("{} {}", request.method(), request.url().path()),
        };
        let started = Instant::now();
        let answer = self.http.execute(request).await;
        if self.verbose {
            let outcome = match &answer {
                Ok(response) => response.status().to_string(),
                Err(_) => "no answer".to_owned(),
            };
            talk::say(&format!(
                "{asked}: {outcome} in {} ms",
                started.elapsed().as_millis()
            ));
        }
        let response = answer.map_err(|error| self.failure(error))?;
        self.show_warnings(&response);
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let body = response.bytes().await.map_err(|error| self.failure(error))?;
        Err(ClientError::from_refusal(&self.endpoint, code, &body))
    }

    fn failure(&self, source: reqwest::Error) -> ClientError {
        ClientError::from_http(&self.endpoint, source)
    }

    fn show_warnings(&self, response: &Response) {
        let Some(warned) = &self.warned else { return };
        for header in response.headers().get_all("warning") {
            let Some(text) = warning_text(&String::from_utf8_lossy(header.as_bytes())) else {
                continue;
            };
            let is_new = match warned.lock() {
                Ok(mut warned) => warned.insert(text.clone()),
                Err(_) => true,
            };
            if is_new {
                talk::say(&format!("Warning: {text}"));
            }
        }
    }
}

/// A token, which no log shows; what cannot be in a header is no token.
fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// Gives rustls its cryptography once in a process; reqwest asks for it even where it encrypts nothing.
pub(super) fn install_crypto() {
    // An error only says that it was given before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn collection_path(kind: Kind, namespace: Option<&str>) -> String {
    let plural = kind.plural();
    match namespace {
        Some(namespace) => format!("apis/{API_VERSION}/namespaces/{namespace}/{plural}"),
        None => format!("apis/{API_VERSION}/{plural}"),
    }
}

/// An object and the templates that are to be stored before it, as one body.
fn together<'a>(object: &'a Value, templates: impl IntoIterator<Item = &'a Value>) -> Value {
    let items: Vec<&Value> = std::iter::once(object).chain(templates).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn object_path(key: &Key) -> String {
    format!("{}/{}", collection_path(key.kind, Some(&key.namespace)), key.name)
}

/// Has fields refused that nobody knows: people look at what they typed.
fn strict(request: RequestBuilder) -> RequestBuilder {
    request.query(&[("fieldValidation", "Strict")])
}

fn with_dry_run(request: RequestBuilder, dry_run: bool) -> RequestBuilder {
    if dry_run {
        request.query(&[("dryRun", "All")])
    } else {
        request
    }
}

/// The text of a `Warning: 299 - "text"` header.
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.strip_prefix("299 ")?.split_once('"')?.1;
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(text),
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    #[test]
    fn paths_are_those_of_kubernetes() {
        let key = Key::new(Kind::AgentTemplate, "prod", "reviewer");
        assert_eq!(
            object_path(&key),
            "apis/chorus.services/v1/namespaces/prod/agenttemplates/reviewer"
        );
        assert_eq!(collection_path(Kind::Team, None), "apis/chorus.services/v1/teams");
    }

    #[tokio::test]
    async fn a_busy_operator_is_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("whoosh.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let client = Client::new(Endpoint::Socket(socket), None, false).unwrap();
        let refusal = json!({"kind": "Status", "message": "busy", "details": {"retryAfterSeconds": 0}});
        let operator = async {
            for (code, body) in [(429, refusal), (201, json!({"kind": "Team"}))] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"POST "));
                let (body, close) = (body.to_string(), "connection: close");
                let answer = format!(
                    "HTTP/1.1 {code} X\r\n{close}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let key = Key::new(Kind::Team, "prod", "payments");
        let object = json!({});
        let (created, ()) = tokio::join!(client.create(&key, &object, false), operator);
        assert_eq!(created.unwrap(), json!({"kind": "Team"}));
    }

    #[test]
    fn a_warning_header_is_unquoted() {
        fn check(header: &str, expected: Option<&str>) {
            assert_eq!(warning_text(header).as_deref(), expected, "{header}");
        }
        check(r#"299 - "no template \"x\" yet""#, Some(r#"no template "x" yet"#));
        check(
            r#"299 whoosh "a, b" "Sat, 25 Aug 2012 23:34:45 GMT""#,
            Some("a, b"),
        );
        check(r#"110 - "stale""#, None);
        check("299 - bare", None);
    }
}
