//! One Swarm service as far as WHOOSH owns it: the fields that are compared, and written.
//!
//! What is desired and what is live are both brought into this form; drift is that they differ. Fields of a
//! live service that have no place here are not ours: the executor keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::resource::workload::{Amount, DesiredHealthCheck};

/// The owned fields of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Service name.
    pub name: String,
    /// Our own service labels (`chorus.services/…` and the stack's). Labels of others are not ours.
    pub labels: BTreeMap<String, String>,
    /// Number of tasks: 1, or what somebody made of it by hand.
    pub replicas: u64,
    /// What the container is; a change here replaces the task.
    pub container: ContainerSpec,
    /// Upper bounds.
    pub limits: Amount,
    /// Reservations.
    pub reservations: Amount,
    /// Placement constraints.
    pub constraints: Vec<String>,
    /// Node labels to spread over.
    pub preferences: Vec<String>,
    /// Names of the attached networks.
    pub networks: BTreeSet<String>,
    /// When and how fast a task that ended is started again.
    pub restart: RestartPolicy,
    /// How an update replaces the task.
    pub update: UpdatePolicy,
    /// Whether the endpoint mode is DNS round robin; ours always is (a VIP costs an address and may not
    /// route).
    pub dnsrr: bool,
    /// Published ports.
    pub ports: BTreeSet<PortSpec>,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortSpec {
    /// The node's port.
    pub port: u32,
    /// The container's port.
    pub target: u32,
    /// The engine's word for what is spoken there: `tcp` or `udp` (a live service may have others).
    pub protocol: String,
    /// Whether it is the port of the agent's node alone (`host`); otherwise every node's, made by hand.
    pub of_node: bool,
}

/// The owned fields of the container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Image as the engine gets it: with its digest when one was resolved.
    pub image: String,
    /// Replaces the entrypoint when not empty.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// User; empty for the image's own.
    pub user: String,
    /// Volumes, in-memory file systems and paths of the node.
    pub mounts: Vec<MountSpec>,
    /// Linux capabilities that are added, without `CAP_`.
    pub capabilities: BTreeSet<String>,
    /// Kernel parameters, by name.
    pub sysctls: BTreeMap<String, String>,
    /// Secret files.
    pub secrets: Vec<FileRef>,
    /// Config files.
    pub configs: Vec<FileRef>,
    /// Health check; `None` leaves the image's own.
    pub health_check: Option<DesiredHealthCheck>,
    /// How long it may take to stop.
    pub stop_grace_period: Duration,
    /// Whether the root file system is read-only.
    pub read_only: bool,
    /// Whether the engine runs a small init as process 1; `None` leaves the daemon's default.
    pub init: Option<bool>,
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountSpec {
    /// Path in the container.
    pub target: String,
    /// The engine's word: `volume`, `tmpfs` or `bind` (a live service may have others).
    pub mount_type: String,
    /// Volume name, or path of the node; empty for `tmpfs`.
    pub source: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// A reference to a Swarm secret or config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileRef {
    /// Name of the Swarm object: `whoosh_<namespace>_<name>_<hash>`.
    pub source: String,
    /// Path in the container.
    pub path: String,
}

/// When a task that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Whether every ended task is started again (`any`); otherwise something else was set by hand.
    pub always: bool,
    /// Time between two starts.
    pub delay: Duration,
    /// How often it is tried; 0 is without end.
    pub max_attempts: u64,
    /// Within which time attempts are counted.
    pub window: Duration,
}

/// How an update replaces the task of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdatePolicy {
    /// Whether the old task stops before the new one starts: a slot is never two agents.
    pub stop_first: bool,
    /// Whether the engine pauses on a failed update: rolling back is WHOOSH's own decision.
    pub pause_on_failure: bool,
    /// Tasks at a time.
    pub parallelism: u64,
}
