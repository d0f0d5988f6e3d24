//! Asks the engine past its door, where nothing goes wrong and nothing is counted: what a test looks at and does
//! itself is no point of a plan.

use hyper::Method;
use serde_json::Value;

use super::{Refused, Simulation, http};

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
        Ok(self
            .shared
            .with(|world| http::answer(world, method, path, body))?)
    }
}
