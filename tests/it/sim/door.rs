//! The HTTP API of one engine, real or simulated.

use std::path::PathBuf;
use std::sync::Mutex;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::http;
use crate::swarm::stage::PATIENCE;

/// One engine's API, and what was said through it.
pub(super) struct Door {
    client: Client,
    exchanges: Mutex<Vec<Exchange>>,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// Without the version, with the query.
    pub(super) path: String,
    /// `null` when there was none.
    pub(super) body: Value,
    pub(super) status: u16,
    /// Text that is not JSON is a string.
    pub(super) answer: Value,
}

impl Door {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            client: http().unix_socket(socket).build().unwrap(),
            exchanges: Mutex::default(),
        }
    }

    /// Status and content of an answer.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answered = async {
            let response = self.send(method, path, body).await;
            (response.status().as_u16(), response.text().await.unwrap())
        };
        let (status, text) = timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| panic!("{method} {path} has no end"));
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        self.exchanges.lock().unwrap().push(Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.clone(),
            status,
            answer: answer.clone(),
        });
        (status, answer)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).await.1
    }

    /// An answer that is still under way, such as a stream of events.
    pub(super) async fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let version = if is_versioned(path) { "" } else { "/v1.41" };
        let request = self
            .client
            .request(method, format!("http://engine{version}{path}"));
        let request = match body {
            Value::Null => request,
            Value::String(text) => request.header(CONTENT_TYPE, "text/plain").body(text.clone()),
            json => request.json(json),
        };
        request.send().await.unwrap()
    }

    /// Writes down one object of a stream, as the answer that it is.
    pub(super) fn note(&self, path: &str, object: &Value) {
        self.exchanges.lock().unwrap().push(Exchange {
            method: "GET".to_owned(),
            path: path.to_owned(),
            body: Value::Null,
            status: 200,
            answer: object.clone(),
        });
    }

    /// All that was asked and answered so far.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }
}

/// Whether a path says itself which version of the API is spoken.
fn is_versioned(path: &str) -> bool {
    path.strip_prefix("/v")
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}
