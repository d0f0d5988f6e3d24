//! Asks the engine past its door, where nothing goes wrong and nothing is counted: what a test looks at and does
//! itself is no point of a plan.

use hyper::Method;
use serde_json::Value;

use super::Simulation;
use super::http::{Ask, Reply, router};
use super::world::refusal::Refusal;

/// The engine refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refused {
    /// HTTP status code.
    pub status: u16,
    /// What it said.
    pub message: String,
}

impl From<Refusal> for Refused {
    fn from(Refusal { status, message, .. }: Refusal) -> Self {
        Self { status, message }
    }
}

impl Simulation {
    /// What the engine answers to a read of `path`, which has no version and may have a query.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn look(&self, path: &str) -> Result<Value, Refused> {
        self.ask(Method::GET, path, &Value::Null)
    }

    /// Has the engine do what `POST path` with `body` asks for, as another client of the Swarm would.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.ask(Method::POST, path, body)
    }

    /// Has the engine remove what `path` names, as another client of the Swarm would.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn delete(&self, path: &str) -> Result<(), Refused> {
        self.ask(Method::DELETE, path, &Value::Null).map(drop)
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, Refused> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let ask = Ask::new(method, path, query, body.to_string().into());
        let reply = self.shared.with(|world| router::answer(world, &ask))?;
        let json = match reply {
            Reply::Json(_, json) => json,
            Reply::Later(render) => render(),
            Reply::Empty(_) | Reply::Raw(..) | Reply::Open(..) | Reply::Events(_) => String::new(),
        };
        Ok(serde_json::from_str(&json).unwrap_or_default())
    }
}
