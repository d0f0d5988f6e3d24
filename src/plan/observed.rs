//! What was seen of the Swarm, as far as one owner is concerned.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::service::ServiceSpec;

/// One owner's slice of the Swarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Services that carry the owner's labels, and any service that has a name that the owner's slots want.
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// All nodes, by id.
    pub nodes: BTreeMap<String, Node>,
    /// Tasks of services of this owner that are removed, as long as the engine lists them. They are found by
    /// `CHORUS_OWNER_UID` in their environment, for the labels went with the service.
    pub leftover_tasks: Vec<Task>,
    /// Networks that the owner names, and those made for it. By name.
    pub networks: BTreeMap<String, Network>,
    /// The owner's Swarm secrets by name. A name that somebody else has taken is found out when it is to be made.
    pub secrets: BTreeMap<String, Blob>,
    /// Its Swarm configs by name, likewise.
    pub configs: BTreeMap<String, Blob>,
    /// The secrets that the workload names and the operator can read: name in the spec to a fingerprint of
    /// the content, any text that changes with it.
    pub secret_sources: BTreeMap<String, String>,
    /// Why others cannot be used, by name in the spec; one in neither is not there.
    pub unreadable_secrets: BTreeMap<String, String>,
    /// What is known of each image that the workload names, by the name in the spec.
    pub images: BTreeMap<String, Image>,
}

impl Observed {
    /// The same with images and secrets of `sources`, which are not of the Swarm.
    #[must_use]
    pub fn with_sources(self, sources: Self) -> Self {
        let Self {
            images,
            secret_sources,
            unreadable_secrets,
            ..
        } = sources;
        Self {
            images,
            secret_sources,
            unreadable_secrets,
            ..self
        }
    }
}

/// A live service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Engine id.
    pub id: String,
    /// Version that an update must name.
    pub version: u64,
    /// The fields that we own.
    pub spec: ServiceSpec,
    /// State of the engine's last update of it, for example `rollback_completed`; `None` when there was none.
    pub update_state: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its spec last changed.
    pub updated: Timestamp,
    /// Its tasks, newest first; `None` when they were never read, and then its agent does not count as ready.
    pub tasks: Option<Vec<Task>>,
}

/// One task: one attempt to run the slot's container.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Engine id.
    pub id: String,
    /// Whether it runs the service's current container, resources, networks and restart policy; judging old
    /// tasks marks good updates failed. Placement does not count: the engine keeps a task whose node still
    /// fits.
    pub current: bool,
    /// What it is doing.
    pub state: TaskState,
    /// What the orchestrator wants of it.
    pub desired: TaskState,
    /// Node id, once assigned.
    pub node: Option<String>,
    /// The engine's message.
    pub message: String,
    /// The engine's error, for example `no suitable node (scheduling constraints not satisfied on 1 node)`.
    pub error: Option<String>,
    /// The container's exit code, once it ended.
    pub exit_code: Option<i64>,
    /// Container id, once there is one.
    pub container: Option<String>,
    /// First address on an overlay network, without the prefix length.
    pub address: Option<String>,
    /// When it was made, by the managers' clock.
    pub created: Timestamp,
    /// When the managers last changed it or heard of it, by their clock.
    pub updated: Timestamp,
    /// When its state last changed, by its node's clock.
    pub since: Timestamp,
}

/// A task's state, in the order in which a task goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskState {
    /// Made.
    New,
    /// Resources are being allocated.
    Allocated,
    /// Waits for a node.
    Pending,
    /// Has a node.
    Assigned,
    /// The node has accepted it.
    Accepted,
    /// The node prepares it (pulls the image).
    Preparing,
    /// Prepared.
    Ready,
    /// The container starts; with a health check it stays here until it is healthy.
    Starting,
    /// Runs (and is healthy, where there is a check).
    Running,
    /// Ended with exit code 0.
    Complete,
    /// Is being stopped.
    Shutdown,
    /// Ended with an error.
    Failed,
    /// The node refused it.
    Rejected,
    /// Will be removed.
    Remove,
    /// Its node is gone for long.
    Orphaned,
    /// A word that this version does not know.
    Unknown,
}

impl TaskState {
    /// The engine's own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Allocated => "allocated",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
            Self::Unknown => "unknown",
        }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Host name.
    pub hostname: String,
    /// Whether the managers can reach it (`ready`).
    pub ready: bool,
    /// Whether it takes tasks (`active`, not `pause` or `drain`).
    pub active: bool,
    /// What placement constraints can ask of it, in their own words: `node.id`, `node.hostname`, `node.role`,
    /// `node.platform.os`, `node.platform.arch`, `node.labels.<label>`, `engine.labels.<label>`.
    pub facts: BTreeMap<String, String>,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Engine id.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is an overlay in swarm scope: anything else cannot join services.
    pub overlay: bool,
    /// Number of addresses that its subnet has for containers; 0 when unknown.
    pub capacity: u64,
    /// Who is on it.
    pub in_use: Attached,
}

/// Who is on a network: the owner's own by name, and all others by number, for they may be very many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Names of services that carry the owner's labels, or have a name that its slots want.
    pub own: BTreeSet<String>,
    /// Number of addresses that all other services have, or that containers have which were attached by hand.
    pub others: u64,
}

impl Attached {
    /// Whether nobody is on it.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.others == 0
    }
}

/// A Swarm secret or config.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// Engine id.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Names of all services that refer to it, of any owner.
    pub in_use: BTreeSet<String>,
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A registry named its digest: the reference to run, `name:tag@sha256:…`.
    Resolved(String),
    /// No registry answered for it, but this node has it.
    Local,
    /// Neither a registry nor this node knows it. It may be on other nodes, so it is tried as it is.
    Unknown {
        /// What the registry, or the way there, said.
        why: String,
    },
}
