//! The engine's tasks, nodes, networks and services -> what the planner knows of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::spec::{decode, template_print};
use super::subnet::Subnet;
use super::wire;
use crate::plan::observed::{Attached, Blob, Network, Node, Service, Task, TaskState};
use crate::resource::labels::{self, Labels};
use crate::resource::object::Key;

/// Set by the managers on an overlay network once it has its addresses; without it, its services never start.
const ALLOCATED: &str = "com.docker.network.driver.overlay.vxlanid_list";

/// A service as it was read, without its tasks; its networks by id.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "wire::Service")]
pub(super) struct SeenService {
    pub(super) service: Service,
    /// Compared with [`SeenTask::template`] to tell which tasks are current.
    pub(super) template: u64,
    /// How many of its tasks run, when they were counted.
    pub(super) running: Option<u64>,
}

/// A task as it was read; `current` is not decided yet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "wire::Task")]
pub(super) struct SeenTask {
    pub(super) service: String,
    pub(super) template: u64,
    pub(super) task: Task,
}

/// A network as it was read; who uses it is not known yet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "wire::Network")]
pub(super) struct SeenNetwork {
    pub(super) name: String,
    pub(super) network: Network,
    /// Whether it is a Swarm's, not one engine's own.
    pub(super) swarm: bool,
    /// Whether the managers have given it its addresses.
    pub(super) allocated: bool,
    pub(super) subnets: Vec<Subnet>,
    /// Ids of the containers on it; only in the answer for a single network.
    pub(super) containers: BTreeSet<String>,
}

/// A node as it was read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "wire::Node")]
pub(super) struct SeenNode {
    pub(super) id: String,
    pub(super) node: Node,
    pub(super) address: String,
}

/// A secret or config as it was read; who uses it is not known yet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "wire::Blob")]
pub(super) struct SeenBlob {
    pub(super) name: String,
    pub(super) blob: Blob,
}

/// By what members of a list are found.
pub(super) trait Listed {
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    /// The owner of `instance` that it was made for, if it was.
    fn maker(&self, instance: &str) -> Option<Key>;
}

impl Listed for SeenNetwork {
    fn id(&self) -> &str {
        &self.network.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn maker(&self, instance: &str) -> Option<Key> {
        owner(&self.network.labels, instance)
    }
}

impl Listed for SeenBlob {
    fn id(&self) -> &str {
        &self.blob.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn maker(&self, instance: &str) -> Option<Key> {
        owner(&self.blob.labels, instance)
    }
}

/// The owner that labels name, if it is one of this installation.
pub(super) fn owner(found: &Labels, instance: &str) -> Option<Key> {
    labels::owner(found).filter(|_| labels::is_ours(found, instance))
}

impl From<wire::Service> for SeenService {
    fn from(from: wire::Service) -> Self {
        let spec = decode(&from.spec);
        Self {
            template: template_print(&from.spec.task),
            running: from.counts.map(|counts| counts.running),
            service: Service {
                id: from.id,
                version: from.version.index,
                spec,
                update_state: from.update.map(|update| update.state),
                created: from.created,
                updated: from.updated,
                tasks: None,
            },
        }
    }
}

impl From<wire::Task> for SeenTask {
    fn from(from: wire::Task) -> Self {
        let ended = |code: &i64| {
            *code != 0 || matches!(from.status.state.as_str(), "complete" | "failed" | "shutdown")
        };
        let container = from.status.container;
        let task = Task {
            id: from.id,
            current: false,
            state: task_state(&from.status.state),
            desired: task_state(&from.desired),
            node: some(from.node),
            message: from.status.message,
            error: some(from.status.error),
            exit_code: container
                .as_ref()
                .map(|container| container.exit_code)
                .filter(ended),
            container: container.and_then(|container| some(container.id)),
            address: from
                .attachments
                .iter()
                .flat_map(|attachment| &attachment.addresses)
                .find_map(|address| Some(address.split_once('/')?.0.to_owned())),
            created: from.created,
            updated: from.updated,
            since: from.status.at,
        };
        Self {
            service: from.service,
            template: template_print(&from.spec),
            task,
        }
    }
}

impl From<wire::Network> for SeenNetwork {
    fn from(from: wire::Network) -> Self {
        let swarm = from.scope == "swarm";
        let subnets: Vec<Subnet> = from
            .ipam
            .config
            .iter()
            .filter_map(|pool| pool.subnet.parse().ok())
            .collect();
        Self {
            name: from.name,
            swarm,
            // A network without addresses is listed without its driver, too.
            allocated: !swarm || from.options.contains_key(ALLOCATED),
            network: Network {
                id: from.id,
                labels: from.labels,
                overlay: swarm && matches!(from.driver.as_str(), "overlay" | ""),
                capacity: subnets
                    .iter()
                    .map(|subnet| subnet.capacity())
                    .max()
                    .unwrap_or_default(),
                in_use: Attached::default(),
            },
            subnets,
            containers: from
                .containers
                .into_keys()
                .filter(|id| !id.starts_with("lb-"))
                .collect(),
        }
    }
}

impl From<wire::Node> for SeenNode {
    fn from(from: wire::Node) -> Self {
        let wire::NodeDescription {
            hostname,
            platform,
            engine,
        } = from.description;
        let mut facts: BTreeMap<String, String> = [
            ("node.id", from.id.clone()),
            ("node.hostname", hostname.clone()),
            ("node.role", from.spec.role),
            ("node.platform.os", platform.os),
            ("node.platform.arch", platform.architecture),
        ]
        .map(|(fact, value)| (fact.to_owned(), value))
        .into();
        facts.extend(prefixed("node.labels", from.spec.labels));
        facts.extend(prefixed("engine.labels", engine.labels));
        Self {
            id: from.id,
            node: Node {
                hostname,
                ready: from.status.state == "ready",
                active: from.spec.availability == "active",
                facts,
            },
            address: from.status.address,
        }
    }
}

impl From<wire::Blob> for SeenBlob {
    fn from(from: wire::Blob) -> Self {
        Self {
            name: from.spec.name,
            blob: Blob {
                id: from.id,
                labels: from.spec.labels,
                in_use: BTreeSet::new(),
            },
        }
    }
}

fn prefixed(prefix: &str, labels: BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    labels
        .into_iter()
        .map(move |(key, value)| (format!("{prefix}.{key}"), value))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn task_state(word: &str) -> TaskState {
    match word {
        "new" => TaskState::New,
        "allocated" => TaskState::Allocated,
        "pending" => TaskState::Pending,
        "assigned" => TaskState::Assigned,
        "accepted" => TaskState::Accepted,
        "preparing" => TaskState::Preparing,
        "ready" => TaskState::Ready,
        "starting" => TaskState::Starting,
        "running" => TaskState::Running,
        "complete" => TaskState::Complete,
        "shutdown" => TaskState::Shutdown,
        "failed" => TaskState::Failed,
        "rejected" => TaskState::Rejected,
        "remove" => TaskState::Remove,
        "orphaned" => TaskState::Orphaned,
        _ => TaskState::Unknown,
    }
}
