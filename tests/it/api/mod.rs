//! The API over its Unix socket, in front of a real Postgres.

mod applying;
mod attacks;
mod authorisation;
mod compaction;
mod contexts;
mod discovery;
mod doors;
mod errors;
mod escalation;
pub(crate) mod hooks;
mod kube_rs;
mod kube_runtime;
mod kubectl;
mod limits;
mod network;
mod objects;
mod pages;
mod policies;
mod schemathesis;
mod subresources;
mod swarm;
mod tables;
mod transfer;
mod views;
mod watching;
mod wire;
mod writers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whoosh::api::{self, Api, Socket};
use whoosh::resource::lower::Endpoints;
use whoosh::store::Store;
use whoosh::swarm::{Cache, SecretsDir, Swarm};
use whoosh::telemetry::Metrics;

use crate::harness::postgres::{Database, database};

/// Nothing here takes this long; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

const TEAMS: &str = "/apis/chorus.services/v1/namespaces/default/teams";
const TEMPLATES: &str = "/apis/chorus.services/v1/namespaces/default/agenttemplates";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// An API with a database of its own. Unless a test says otherwise, its Docker Engine is away.
struct Server {
    http: reqwest::Client,
    store: Store,
    cache: Cache,
    closing: CancellationToken,
    serving: JoinHandle<()>,
    socket: PathBuf,
    api: Api,
    _home: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    code: u16,
    body: Value,
    text: String,
    warnings: Vec<String>,
    allow: Option<String>,
}

async fn server() -> Server {
    Server::on(&database().await, "unix:///nowhere/docker.sock").await
}

impl Server {
    async fn on(database: &Database, docker: &str) -> Self {
        let store = Store::connect(&database.url).await.unwrap();
        store.migrate().await.unwrap();
        let instance = store.instance_id().await.unwrap();
        let swarm = Swarm::connect(docker).unwrap();
        let cache = Cache::new(swarm, instance.clone(), SecretsDir::default());
        observe(cache.clone());
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/whoosh.sock");
        let socket = Socket::bind(&path).unwrap();
        let (metrics, closing) = (Metrics::new(), CancellationToken::new());
        let api = Api {
            store: store.clone(),
            cache: cache.clone(),
            endpoints: Endpoints::default(),
            instance,
            way_in: None,
            jwt: None,
            git_secrets: None,
            kept: api::Kept::default(),
            quotas: api::Turns::default(),
            metrics,
            closing: closing.clone(),
        };
        let app = api::router(api.clone());
        Self {
            http: client(&path),
            store,
            cache,
            serving: tokio::spawn(socket.serve(app, closing.clone())),
            closing,
            socket: path,
            api,
            _home: home,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://localhost{path}"))
            .timeout(PATIENCE)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Replaces an object; one that does not say which state it replaces is taken to replace the present one.
    async fn put(&self, path: &str, body: &Value) -> Answer {
        let mut body = body.clone();
        if let Some(metadata) = body.get_mut("metadata")
            && metadata.get("resourceVersion").is_none()
        {
            let live = self.get(path).await.body;
            metadata["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        }
        answer(self.request(Method::PUT, path).json(&body)).await
    }

    async fn patch(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::PATCH, path);
        answer(request.header("content-type", MERGE_PATCH).body(body.to_string())).await
    }

    async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Creates a team of one agent and returns it as stored.
    async fn create(&self, name: &str) -> Value {
        self.post(TEAMS, &team(name)).await.ok(201)
    }
}

impl Answer {
    /// The body of an answer with this code.
    #[track_caller]
    fn ok(self, code: u16) -> Value {
        assert_eq!(self.code, code, "{}", self.text);
        self.body
    }

    /// The message of a Status with this code and reason.
    #[track_caller]
    fn refused(self, code: u16, reason: &str) -> String {
        assert_eq!(self.code, code, "{}", self.text);
        let body = &self.body;
        let head = [
            &body["kind"],
            &body["apiVersion"],
            &body["status"],
            &body["reason"],
        ];
        assert_eq!(head, ["Status", "v1", "Failure", reason], "{body}");
        assert_eq!(body["code"], code);
        body["message"].as_str().unwrap().to_owned()
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    read(request.send().await.unwrap()).await
}

async fn read(response: Response) -> Answer {
    let text = |name: &str| {
        let values = response.headers().get_all(name).iter();
        let values = values.map(|value| value.to_str().unwrap().to_owned());
        values.collect::<Vec<String>>()
    };
    let (warnings, allow) = (text("warning"), text("allow").pop());
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    Answer {
        code,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        warnings,
        allow,
    }
}

fn client(socket: &Path) -> reqwest::Client {
    // Another test may have been first; one provider is as good as another where nothing is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .unix_socket(socket)
        .tls_certs_only([])
        .build()
        .unwrap()
}

/// Keeps a cache fresh until the test ends; its hints are for controllers.
fn observe(cache: Cache) {
    tokio::spawn(async move { cache.run().await });
}

/// The path of one team.
fn at(name: &str) -> String {
    format!("{TEAMS}/{name}")
}

/// A team of one agent, as a user would send it.
fn team(name: &str) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": name},
        "spec": {"defaults": {"image": "chorus-agent:dev"}, "roles": [{"name": "coordinator"}]},
    })
}

/// An AgentTemplate, as a user would send it.
fn template(name: &str) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "AgentTemplate",
        "metadata": {"name": name},
        "spec": {"image": "chorus-agent:dev"},
    })
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}
