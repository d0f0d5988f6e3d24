//! The requests that we send to the engine, each in one place.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::{BollardRequest, Docker};
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::EngineVersion;
use super::classify::classify;
use super::decode::{SeenBlob, SeenNetwork, SeenNode, SeenService, SeenTask};
use super::error::SwarmError;
use super::ledger::{Names, Shelved};
use super::transport::{Call, Limits, Transport, bounded, escape, filters};
use super::wire;
use crate::resource::labels;
use crate::resource::object::Key;

/// bollard's own bound, on headers alone; ours is tighter and covers the body.
const BOLLARD_LIMIT_SECS: u64 = 120;

/// How many things one request asks for by name or id.
const AT_ONCE: usize = 100;

/// One engine: our requests and bollard's over one transport.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) transport: Arc<Transport>,
    pub(super) docker: Docker,
    /// Held while a network is made: its addresses are chosen from those that no network has.
    pub(super) making_network: tokio::sync::Mutex<()>,
}

impl Engine {
    pub(super) fn new(host: &str, limits: Limits) -> Result<Self, SwarmError> {
        let transport = Arc::new(Transport::new(host, limits)?);
        let through = Arc::clone(&transport);
        let send = move |request: BollardRequest| -> BoxFuture<'static, _> {
            let transport = Arc::clone(&through);
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let sent = transport
                    .send(Request::from_parts(parts, body.boxed_unsync()))
                    .await;
                sent.map_err(|error| bollard::errors::Error::IOError {
                    err: io::Error::other(error),
                })
            })
        };
        let docker = Docker::connect_with_custom_transport(
            send,
            Some(transport.base()),
            BOLLARD_LIMIT_SECS,
            bollard::API_DEFAULT_VERSION,
        );
        Ok(Self {
            docker: docker.map_err(|error| from_bollard(String::new(), error))?,
            transport,
            making_network: tokio::sync::Mutex::default(),
        })
    }

    /// How long requests may take.
    pub(super) fn limits(&self) -> Limits {
        self.transport.limits()
    }

    /// Bounds and classifies a request that bollard sends.
    pub(super) async fn bollard<T>(
        &self,
        what: String,
        limit: Duration,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, SwarmError> {
        bounded(&what, limit, async {
            request.await.map_err(|error| from_bollard(what.clone(), error))
        })
        .await
    }

    pub(super) async fn version(&self) -> Result<EngineVersion, SwarmError> {
        let api = self.transport.api().await?;
        let version = self
            .bollard(
                "GET /version".to_owned(),
                self.limits().read,
                self.docker.version(),
            )
            .await?;
        Ok(EngineVersion {
            engine: version.version.unwrap_or_default(),
            api: format!("1.{api}"),
        })
    }

    pub(super) async fn require_manager(&self) -> Result<(), SwarmError> {
        let info: wire::Info = self.read("/info").await?;
        if info.swarm.state != "active" {
            return Err(SwarmError::NotAManager {
                state: info.swarm.state,
            });
        }
        if !info.swarm.control {
            return Err(SwarmError::NotAManager {
                state: "worker".to_owned(),
            });
        }
        // The engine calls itself a manager with or without a leader; reading through one tells.
        self.read::<serde::de::IgnoredAny>("/swarm").await.map(drop)
    }

    /// All services, each with the number of its running tasks: as the engine writes them, one by one.
    pub(super) async fn services(
        &self,
        take: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
    ) -> Result<(), SwarmError> {
        self.transport
            .each(Call::list("/services?status=true"), take)
            .await
    }

    /// The services with these ids; those that are gone are left out.
    pub(super) async fn services_by_id(&self, ids: &[String]) -> Result<Vec<SeenService>, SwarmError> {
        self.some("/services", "id", ids).await
    }

    /// The services of one owner, whatever its uid.
    pub(super) async fn services_of(
        &self,
        owner: &Key,
        instance: &str,
    ) -> Result<Vec<SeenService>, SwarmError> {
        let labels = owner_labels(owner, instance);
        self.read(&format!("/services?{}", filters(&[("label", &labels)])))
            .await
    }

    /// The services with these names, and those with longer ones: the engine compares beginnings.
    pub(super) async fn services_named(&self, names: &[String]) -> Result<Vec<SeenService>, SwarmError> {
        self.some("/services", "name", names).await
    }

    /// The service with exactly this name; the engine's own filter takes longer names, too.
    pub(super) async fn service_named(&self, name: &str) -> Result<Option<SeenService>, SwarmError> {
        let services = self.services_named(&[name.to_owned()]).await?;
        Ok(services.into_iter().find(|seen| seen.service.spec.name == name))
    }

    /// One service as the engine writes it: `ID`, `Version`, `Spec` and the rest.
    pub(super) async fn raw_service(&self, id: &str) -> Result<Value, SwarmError> {
        self.read(&format!("/services/{}", escape(id))).await
    }

    /// The tasks of one owner's services, of services that are gone too: a task keeps the labels that its
    /// service had when the task was made, and can be found by them, though it does not show them.
    pub(super) async fn tasks_of(&self, owner: &Key, instance: &str) -> Result<Vec<SeenTask>, SwarmError> {
        let labels = owner_labels(owner, instance);
        self.read(&format!("/tasks?{}", filters(&[("label", &labels)])))
            .await
    }

    /// The tasks of these services.
    ///
    /// # Errors
    /// [`SwarmError::NotFound`] when one of them is gone.
    pub(super) async fn tasks_of_services(&self, services: &[String]) -> Result<Vec<SeenTask>, SwarmError> {
        self.some("/tasks", "service", services).await
    }

    /// The tasks of all services of an installation.
    pub(super) async fn tasks(&self, instance: &str) -> Result<Vec<SeenTask>, SwarmError> {
        let labels = labels::of_instance(instance).map(equals);
        let mut tasks = Vec::new();
        let path = format!("/tasks?{}", filters(&[("label", &labels)]));
        let take = |task: &[u8]| serde_json::from_slice(task).map(|task| tasks.push(task));
        self.transport.each(Call::list(path), take).await?;
        Ok(tasks)
    }

    pub(super) async fn nodes(&self) -> Result<Vec<SeenNode>, SwarmError> {
        self.list("/nodes").await
    }

    pub(super) async fn networks(&self) -> Result<Vec<SeenNetwork>, SwarmError> {
        let networks = self.list("/networks").await?;
        self.ask_managers().await?;
        Ok(networks)
    }

    /// Networks with these names, and others whose names hold one of them.
    pub(super) async fn networks_named(&self, names: &[String]) -> Result<Vec<SeenNetwork>, SwarmError> {
        let networks = self.some("/networks", "name", names).await?;
        if !names.is_empty() {
            self.ask_managers().await?;
        }
        Ok(networks)
    }

    /// Fails where the managers have no leader. Asked for networks alone, an engine answers all the same, and then of
    /// those that are in use on its own node.
    async fn ask_managers(&self) -> Result<(), SwarmError> {
        self.read::<serde::de::IgnoredAny>("/swarm").await.map(drop)
    }

    /// One network, with the containers on it that this node knows.
    pub(super) async fn network(&self, id: &str) -> Result<SeenNetwork, SwarmError> {
        self.read(&format!("/networks/{}", escape(id))).await
    }

    /// All networks, secrets and configs, or those with these names, and others whose names hold one of them.
    pub(super) async fn shelved(&self, names: Option<&Names>) -> Result<Shelved, SwarmError> {
        let (networks, secrets, configs) = match names {
            None => tokio::try_join!(self.networks(), self.list("/secrets"), self.list("/configs"))?,
            Some(Names {
                networks,
                secrets,
                configs,
            }) => {
                let [networks, secrets, configs] =
                    [networks, secrets, configs].map(|names| Vec::from_iter(names.iter().cloned()));
                tokio::try_join!(
                    self.networks_named(&networks),
                    self.secrets_named(&secrets),
                    self.configs_named(&configs),
                )?
            }
        };
        Ok(Shelved {
            networks,
            secrets,
            configs,
        })
    }

    /// Secrets with these names, and those with longer ones.
    pub(super) async fn secrets_named(&self, names: &[String]) -> Result<Vec<SeenBlob>, SwarmError> {
        self.some("/secrets", "name", names).await
    }

    /// Configs, likewise.
    pub(super) async fn configs_named(&self, names: &[String]) -> Result<Vec<SeenBlob>, SwarmError> {
        self.some("/configs", "name", names).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, SwarmError> {
        self.transport.call(Call::get(path)).await
    }

    /// What `filter` finds in a list for these values; nothing without any. Of many, some at a time.
    async fn some<T: DeserializeOwned>(
        &self,
        list: &str,
        filter: &str,
        values: &[String],
    ) -> Result<Vec<T>, SwarmError> {
        let mut found = Vec::new();
        for values in values.chunks(AT_ONCE) {
            let query = filters(&[(filter, values)]);
            found.append(&mut self.read(&format!("{list}?{query}")).await?);
        }
        Ok(found)
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<T, SwarmError> {
        self.transport.call(Call::list(path)).await
    }
}

fn owner_labels(owner: &Key, instance: &str) -> [String; 5] {
    labels::selector(owner, instance).map(equals)
}

/// A label as filters ask for it.
fn equals((name, value): (&str, &str)) -> String {
    format!("{name}={value}")
}

fn from_bollard(what: String, error: bollard::errors::Error) -> SwarmError {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, message } => {
            classify(what, status_code, &message)
        }
        bollard::errors::Error::RequestTimeoutError => SwarmError::TimedOut {
            what,
            after: Duration::from_secs(BOLLARD_LIMIT_SECS),
        },
        bollard::errors::Error::IOError { err } => match err.downcast::<SwarmError>() {
            Ok(ours) => ours,
            Err(source) => SwarmError::Lost { what, source },
        },
        other => SwarmError::Lost {
            what,
            source: io::Error::other(other),
        },
    }
}
