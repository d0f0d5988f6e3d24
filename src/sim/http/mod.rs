//! The Docker Engine API, as far as a Swarm's clients use it, over a Unix socket.

mod blobs;
mod containers;
mod engine;
mod events;
mod images;
mod json;
mod logs;
mod networks;
mod nodes;
mod query;
mod router;
pub(super) mod server;
mod services;
mod signature;
mod tasks;

use hyper::Method;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::query::{Query, decode};
use crate::sim::world::World;
use crate::sim::world::refusal::Refusal;

const JSON: &str = "application/json";

/// A request, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Its path without the version, in parts.
    pub(crate) path: Vec<String>,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
    /// What the body is said to be.
    pub(crate) content_type: String,
    /// How many changes ago the answer is to be from.
    pub(crate) back: usize,
}

impl Ask {
    /// A request with JSON for a path without its version, and a query.
    pub(crate) fn new(method: Method, path: &str, query: &str, body: Bytes) -> Self {
        let parts = path.strip_prefix('/').unwrap_or(path).split('/');
        Self {
            method,
            path: parts.map(|part| decode(part, false)).collect(),
            query: Query::read(query),
            body,
            content_type: JSON.to_owned(),
            back: 0,
        }
    }

    /// What the body says; `null` says nothing.
    fn json<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::new(400, "got EOF while reading request body"));
        }
        let json: Value = serde_json::from_slice(&self.body).map_err(unreadable)?;
        match json {
            Value::Null => Ok(T::default()),
            // Structures are not read from lists, as they could be.
            Value::Array(_) => Err(Refusal::new(400, "json: cannot unmarshal array into Go value")),
            json => serde_json::from_value(json).map_err(unreadable),
        }
    }

    /// Some routes insist on it.
    fn require_json(&self) -> Result<(), Refusal> {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        if kind == JSON || kind.is_empty() && self.body.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            format!(
                "Content-Type specified ({}) must be 'application/json'",
                self.content_type
            ),
        ))
    }
}

fn unreadable(error: serde_json::Error) -> Refusal {
    Refusal::new(400, error.to_string())
}

/// What the engine answers.
pub(crate) enum Reply {
    /// Status, and no content.
    Empty(u16),
    /// Status and JSON.
    Json(u16, String),
    /// JSON of many objects, to be put together when nobody waits for the Swarm.
    Later(Box<dyn FnOnce() -> String + Send>),
    /// Bytes of this type.
    Raw(&'static str, Vec<u8>),
    /// The same, and then nothing more for ever.
    Open(&'static str, Vec<u8>),
    Events(events::Wanted),
}

/// What is answered to a request that did not come over a connection, as JSON.
///
/// # Errors
/// The engine's refusal.
pub(super) fn answer(world: &mut World, method: Method, path: &str, body: &Value) -> Result<Value, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let ask = Ask::new(method, path, query, body.to_string().into());
    world.begin();
    let json = match router::answer(world, &ask)? {
        Reply::Json(_, json) => json,
        Reply::Later(render) => render(),
        Reply::Empty(_) | Reply::Raw(..) | Reply::Open(..) | Reply::Events(_) => return Ok(Value::Null),
    };
    serde_json::from_str(&json).map_err(|error| Refusal::new(500, error.to_string()))
}

impl Reply {
    fn ok(json: String) -> Self {
        Self::Json(200, json)
    }
}
