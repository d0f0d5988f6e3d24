//! A Swarm of several nodes: Docker Engines on machines of their own, joined by a switch.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::docker::Engine;
use super::eventually::eventually;
use super::nats::Nats;
use super::switch::Switch;

const PATIENCE: Duration = Duration::from_secs(90);
/// An engine that was demoted and is promoted again may take minutes to show itself as a node.
const RETURN: Duration = Duration::from_secs(300);
/// How long a worker may take by itself.
const LINGER: Duration = Duration::from_secs(120);

/// So many clusters are in use at once: tests mostly wait for nodes to be missed, and for managers to be elected.
static TURNS: Semaphore = Semaphore::const_new(2);
static IDLE: Mutex<Vec<Cluster>> = Mutex::new(Vec::new());

/// A Swarm of managers `manager-1` to `manager-<n>` and workers `worker-1` to `worker-<m>`.
pub(crate) struct Cluster {
    switch: Switch,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    engine: Engine,
}

/// A turn with a cluster of three managers and two workers, which others have had before.
pub(crate) struct Turn {
    /// There until the turn ends.
    cluster: Option<Cluster>,
    _permit: SemaphorePermit<'static>,
}

impl Turn {
    /// Waits for the turn. Every node is ready then, and the Swarm is empty.
    pub(crate) async fn begin() -> Self {
        let permit = TURNS.acquire().await.unwrap();
        let idle = IDLE.lock().unwrap().pop();
        let cluster = match idle {
            Some(cluster) => cluster,
            None => Cluster::start(3, 2).await,
        };
        let turn = Self {
            cluster: Some(cluster),
            _permit: permit,
        };
        turn.clear().await;
        turn.until_whole().await;
        turn
    }
}

impl std::ops::Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Cluster {
        self.cluster.as_mut().unwrap()
    }
}

impl Drop for Turn {
    /// A test that failed leaves its cluster in any state: it goes, and another test starts a new one.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            IDLE.lock().unwrap().extend(self.cluster.take());
        }
    }
}

impl Cluster {
    /// Starts a cluster, and waits until every node is ready and has the agent's image.
    pub(crate) async fn start(managers: u8, workers: u8) -> Self {
        let switch = Switch::start().await;
        let names = (1..=managers)
            .map(|number| format!("manager-{number}"))
            .chain((1..=workers).map(|number| format!("worker-{number}")));
        let boot = async |(port, name): (u8, String)| {
            let engine = Engine::boot(&name, |_, process| switch.connect(port, process)).await;
            engine.load_agent_image().await;
            Node { name, engine }
        };
        let nodes = join_all((1..).zip(names).map(boot)).await;
        let cluster = Self { switch, nodes };
        let first = cluster.engine("manager-1");
        let address = first.address().to_string();
        // A node counts as down after three times this.
        let options = ["--advertise-addr", &address, "--dispatcher-heartbeat", "1s"];
        first.docker(&[&["swarm", "init"], &options[..]].concat()).await;
        for node in &cluster.nodes[1..] {
            cluster.join(&node.name, "manager-1").await;
        }
        cluster.until_whole().await;
        cluster
    }

    /// The engine of a node.
    pub(crate) fn engine(&self, name: &str) -> &Engine {
        &self.nodes[self.index(name)].engine
    }

    /// The same, to do it harm.
    pub(crate) fn engine_mut(&mut self, name: &str) -> &mut Engine {
        let index = self.index(name);
        &mut self.nodes[index].engine
    }

    /// Starts a nats-server that this process and all agents reach by the same URL.
    pub(crate) async fn nats(&self) -> Nats {
        Nats::start_at(self.switch.address(), Some(self.switch.network())).await
    }

    /// Makes a node that is in no Swarm a part of the one that the manager `of` belongs to.
    pub(crate) async fn join(&self, name: &str, of: &str) {
        let manager = self.engine(of);
        let role = name.split('-').next().unwrap();
        let token = manager.docker(&["swarm", "join-token", "--quiet", role]).await;
        let joins = ["swarm", "join", "--token", &token];
        let address = format!("{}:2377", manager.address());
        self.engine(name)
            .docker(&[&joins[..], &[&address]].concat())
            .await;
    }

    /// A node's machine fails: its daemon and containers are gone at once.
    pub(crate) fn power_off(&mut self, name: &str) {
        self.engine_mut(name).power_off();
    }

    /// The failed machine starts on its disk.
    pub(crate) async fn power_on(&mut self, name: &str) {
        let index = self.index(name);
        let Self { switch, nodes } = self;
        let connect = |_: &std::path::Path, process| switch.connect(port(index), process);
        nodes[index].engine.power_on(connect).await;
    }

    /// Pulls a node's cable: the machine runs on, and nobody else reaches it.
    pub(crate) fn unplug(&self, name: &str) {
        self.switch.unplug(port(self.index(name)));
    }

    /// Puts the cable back.
    pub(crate) fn plug(&self, name: &str) {
        self.switch.plug(port(self.index(name)));
    }

    /// The manager that leads, as `of` knows it.
    pub(crate) async fn leader(&self, of: &str) -> String {
        let list = ["node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"];
        eventually(PATIENCE, "the managers have a leader", async || {
            let nodes = self.engine(of).try_docker(&list).await?;
            let leader = nodes.lines().find_map(|node| node.strip_suffix(" Leader"));
            leader.map(str::to_owned).ok_or(nodes.clone())
        })
        .await
    }

    /// Waits until the manager `of` says that the node is in `state`: `Ready` or `Down`.
    pub(crate) async fn until_node(&self, of: &str, name: &str, state: &str) {
        let filter = format!("name={name}");
        let list = ["node", "ls", "--filter", &filter, "--format", "{{.Status}}"];
        eventually(PATIENCE, &format!("{name} is {state}"), async || {
            let seen = self.engine(of).try_docker(&list).await?;
            if seen == state { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// Waits until each manager says that all nodes are ready, active and reachable.
    pub(crate) async fn until_whole(&self) {
        for node in self.nodes.iter().filter(|node| node.name.starts_with("manager")) {
            self.until_whole_to(&node.engine).await;
        }
    }

    /// Restarts workers that are down after a while although the managers are well: Docker's may look for a manager that
    /// they lost for longer than anybody waits.
    pub(crate) async fn restart_stuck_workers(&mut self) {
        let manager = &self.nodes[0].engine;
        if timeout(LINGER, self.until_whole_to(manager)).await.is_ok() {
            return;
        }
        let list = ["node", "ls", "--format", "{{.Hostname}} {{.Status}}"];
        let nodes = manager.try_docker(&list).await.unwrap_or_default();
        let down = nodes.lines().filter_map(|node| node.strip_suffix(" Down"));
        for worker in down.filter(|name| name.starts_with("worker")) {
            let engine = self.engine_mut(worker);
            engine.kill().await;
            engine.start_daemon().await;
        }
    }

    async fn until_whole_to(&self, manager: &Engine) {
        let format = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}";
        eventually(RETURN, "all nodes are ready", async || {
            let nodes = manager.try_docker(&["node", "ls", "--format", format]).await?;
            let is_well = |node: &str| {
                node.ends_with("Ready Active Reachable")
                    || node.ends_with("Ready Active Leader")
                    || (node.starts_with("worker") && node.trim_end().ends_with("Ready Active"))
            };
            let whole = nodes.lines().count() == self.nodes.len() && nodes.lines().all(is_well);
            if whole { Ok(()) } else { Err(nodes) }
        })
        .await;
    }

    /// Removes every service, and waits until no container of one is left on any node.
    async fn clear(&self) {
        let manager = self.engine("manager-1");
        let services = manager.docker(&["service", "ls", "--quiet"]).await;
        let remove: Vec<&str> = ["service", "rm"]
            .into_iter()
            .chain(services.split_whitespace())
            .collect();
        if remove.len() > 2 {
            manager.docker(&remove).await;
        }
        for node in &self.nodes {
            eventually(PATIENCE, "a node's containers are gone", async || {
                match node.engine.try_docker(&["ps", "--quiet"]).await? {
                    none if none.is_empty() => Ok(()),
                    containers => Err(containers),
                }
            })
            .await;
        }
    }

    fn index(&self, name: &str) -> usize {
        let index = self.nodes.iter().position(|node| node.name == name);
        index.unwrap_or_else(|| panic!("there is no node {name}"))
    }
}

/// Of the switch, for a node.
fn port(index: usize) -> u8 {
    u8::try_from(index + 1).unwrap()
}
