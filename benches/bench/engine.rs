//! Looks at the engine through its API, quickly enough to time it.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;

use crate::harness::docker::Engine;

/// How often the engine is asked while something is awaited.
const TICK: Duration = Duration::from_millis(2);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// The engine's API.
pub(crate) struct Eyes {
    client: Client,
}

impl Eyes {
    /// Eyes on `engine`.
    pub(crate) fn on(engine: &Engine) -> Self {
        Self {
            client: crate::harness::http()
                .unix_socket(engine.socket())
                .build()
                .unwrap(),
        }
    }

    /// The answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self
            .client
            .get(format!("http://docker/v1.41{path}"))
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap()
    }

    /// Removes a service by id.
    pub(crate) async fn remove_service(&self, id: &str) {
        let answer = self
            .client
            .delete(format!("http://docker/v1.41/services/{id}"))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Services whose name starts with `prefix`.
    pub(crate) async fn services(&self, prefix: &str) -> Vec<Value> {
        let all = self.get("/services").await;
        let named = |service: &&Value| {
            service["Spec"]["Name"]
                .as_str()
                .is_some_and(|name| name.starts_with(prefix))
        };
        all.as_array().unwrap().iter().filter(named).cloned().collect()
    }

    /// Number of running tasks of those services.
    async fn running(&self, prefix: &str) -> usize {
        let all = self.get("/services?status=true").await;
        let named = all.as_array().unwrap().iter();
        let named = named.filter(|service| {
            service["Spec"]["Name"]
                .as_str()
                .is_some_and(|name| name.starts_with(prefix))
        });
        named
            .map(|service| service["ServiceStatus"]["RunningTasks"].as_u64().unwrap() as usize)
            .sum()
    }

    /// Seconds from `start` until the engine has `count` services of that prefix.
    pub(crate) async fn until_accepted(&self, prefix: &str, count: usize, start: Instant) -> f64 {
        while self.services(prefix).await.len() != count {
            wait(start).await;
        }
        start.elapsed().as_secs_f64()
    }

    /// Seconds from `start` until the engine has a service of that very name, which it has not at the start.
    pub(crate) async fn until_there(&self, name: &str, start: Instant) -> f64 {
        while self.get(&format!("/services/{name}")).await.get("ID").is_none() {
            wait(start).await;
        }
        start.elapsed().as_secs_f64()
    }

    /// Seconds from `start` until `count` tasks of them run.
    pub(crate) async fn until_running(&self, prefix: &str, count: usize, start: Instant) -> f64 {
        while self.running(prefix).await != count {
            wait(start).await;
        }
        start.elapsed().as_secs_f64()
    }

    /// Waits until no service, task or container of that prefix is left, so that the next run starts from nothing.
    pub(crate) async fn until_nothing(&self, prefix: &str) {
        let start = Instant::now();
        loop {
            let containers = self.get("/containers/json?all=1").await;
            let left = containers
                .as_array()
                .unwrap()
                .iter()
                .any(|container| container.to_string().contains(prefix));
            if !left && self.services(prefix).await.is_empty() {
                return;
            }
            wait(start).await;
        }
    }
}

async fn wait(start: Instant) {
    assert!(
        start.elapsed() < PATIENCE,
        "it did not happen within {PATIENCE:?}"
    );
    tokio::time::sleep(TICK).await;
}
