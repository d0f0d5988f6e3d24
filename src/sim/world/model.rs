//! What a Swarm consists of.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::spec::Spec;
use super::subnet::Subnet;
use super::table::Row;

/// An engine id.
pub(crate) type Id = Arc<str>;
/// Labels of an object.
pub(crate) type Labels = BTreeMap<String, String>;

/// What every object of the managers has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The managers' count of writes when this object was written last.
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// How far a task is, or should get, in the engine's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskState {
    New,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
    Orphaned,
}

impl TaskState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
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
        }
    }
}

/// Which tasks replace one another: those of one slot, or of one node when the service is global.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) number: u64,
    pub(crate) node: Option<Id>,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) id: Id,
    pub(crate) meta: Meta,
    pub(crate) spec: Arc<Spec>,
    /// Counts the specs, so that a task tells by number that it has the newest.
    pub(crate) spec_version: u64,
    pub(crate) previous: Option<Arc<Spec>>,
    pub(crate) update: Option<UpdateStatus>,
    pub(crate) vips: Vec<Vip>,
    /// Its published ports, those that the managers chose among them.
    pub(crate) ports: Vec<Port>,
}

/// A port that is published, as the engine writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Port {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    pub(crate) protocol: &'static str,
    #[serde(rename = "TargetPort", skip_serializing_if = "is_zero")]
    pub(crate) target: u32,
    /// 0 leaves the choice to the managers, or on a machine's own address to its engine.
    #[serde(rename = "PublishedPort", skip_serializing_if = "is_zero")]
    pub(crate) published: u32,
    #[serde(rename = "PublishMode")]
    pub(crate) mode: &'static str,
}

fn is_zero(port: &u32) -> bool {
    *port == 0
}

impl Port {
    /// Whether every node is to answer at it.
    pub(crate) fn is_ingress(&self) -> bool {
        self.mode == "ingress"
    }

    /// Whether it is what was asked for.
    pub(crate) fn is_as(&self, asked: &Self) -> bool {
        let published = if asked.published == 0 {
            self.published
        } else {
            asked.published
        };
        *self
            == Self {
                published,
                ..asked.clone()
            }
    }
}

/// A service's own address on one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vip {
    pub(crate) network: Id,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
}

/// Where a rolling update stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpdateStatus {
    pub(crate) state: UpdateState,
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateState {
    Updating,
    Paused,
    Completed,
    RollbackStarted,
    RollbackPaused,
    RollbackCompleted,
}

impl UpdateState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollbackStarted => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RollbackCompleted => "rollback_completed",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: Id,
    pub(crate) meta: Meta,
    pub(crate) service: Id,
    pub(crate) slot: Slot,
    pub(crate) node: Option<Id>,
    pub(crate) spec: Arc<Spec>,
    pub(crate) spec_version: u64,
    pub(crate) status: TaskStatus,
    pub(crate) desired: TaskState,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) container: Option<Container>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskStatus {
    pub(crate) at: Timestamp,
    pub(crate) state: TaskState,
    pub(crate) message: &'static str,
    pub(crate) err: String,
}

/// A task's end on one network.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// The network as it was: tasks keep a copy.
    pub(crate) network: Arc<Row<Network>>,
    /// `None` on a network that gives none.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) prefix: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) id: Id,
    pub(crate) pid: i64,
    pub(crate) exit_code: i64,
    pub(crate) started: Option<Timestamp>,
    /// Whether the engine still keeps it.
    pub(crate) kept: bool,
}

impl Task {
    pub(crate) fn is_alive(&self) -> bool {
        self.status.state <= TaskState::Running
    }

    /// Whether it is meant to run, or to be ready to.
    pub(crate) fn is_wanted(&self) -> bool {
        self.desired <= TaskState::Running
    }

    /// `service.slot.task`, as its container is named.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.stable_name(), self.id)
    }

    /// The same without the id, which is random.
    pub(crate) fn stable_name(&self) -> String {
        match &self.slot.node {
            Some(node) => format!("{}.{node}", self.spec.name),
            None => format!("{}.{}", self.spec.name, self.slot.number),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) meta: Meta,
    pub(crate) hostname: String,
    pub(crate) labels: Labels,
    pub(crate) manager: bool,
    /// Whether it is the manager that the others follow.
    pub(crate) leads: bool,
    pub(crate) availability: Availability,
    /// What the managers believe.
    pub(crate) ready: bool,
    pub(crate) message: &'static str,
    /// Whether it really answers.
    pub(crate) alive: bool,
    /// How often it fell silent.
    pub(crate) silences: u64,
    pub(crate) nano_cpus: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) address: String,
    pub(crate) platform: Platform,
    /// Those that its engine was started with.
    pub(crate) engine_labels: Labels,
}

/// What a node's containers run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) os: String,
    /// As the node says it: `x86_64`, not `amd64`.
    pub(crate) architecture: String,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
        }
    }
}

impl Platform {
    /// Whether it is what an image is for; nothing is said by an empty word.
    pub(crate) fn runs(&self, os: &str, architecture: &str) -> bool {
        let is = |word: &str, own: &str| word.is_empty() || common(word) == common(own);
        is(os, &self.os) && is(architecture, &self.architecture)
    }
}

/// The one of two names for an architecture that images have.
fn common(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    Active,
    Pause,
    Drain,
}

impl Availability {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Active, Self::Pause, Self::Drain]
            .into_iter()
            .find(|known| known.word() == word)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) id: Id,
    pub(crate) meta: Meta,
    pub(crate) name: String,
    pub(crate) labels: Option<Labels>,
    pub(crate) options: Labels,
    pub(crate) scope: Scope,
    pub(crate) attachable: bool,
    pub(crate) internal: bool,
    pub(crate) ingress: bool,
    /// What was asked for; `None` leaves the choice to the managers.
    pub(crate) asked: Option<Subnet>,
    /// Its gateway, when that is not the first of its addresses.
    pub(crate) gateway: Option<Ipv4Addr>,
    /// What it got; an overlay network that wants what another has never gets any.
    pub(crate) subnet: Option<Subnet>,
    pub(crate) vxlan: u32,
}

impl Network {
    /// Its driver, by the engine's name.
    pub(crate) fn driver(&self) -> &'static str {
        match self.scope {
            Scope::Swarm => "overlay",
            Scope::Local(driver) => driver,
        }
    }

    /// Where its addresses' gateway is.
    pub(crate) fn gateway(&self) -> Option<Ipv4Addr> {
        Some(self.gateway.unwrap_or(self.subnet?.gateway()))
    }

    /// Whether every engine has it, by this name.
    pub(crate) fn is_predefined(&self) -> bool {
        ["bridge", "host", "none"].contains(&self.name.as_str())
    }
}

/// Whose a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The Swarm's: an overlay.
    Swarm,
    /// This engine's own, by this driver.
    Local(&'static str),
}

/// A secret or config.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) id: Id,
    pub(crate) meta: Meta,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// Base64, as it came.
    pub(crate) data: String,
    /// What fills it in, as it came.
    pub(crate) templating: Option<Value>,
}

/// An image that nodes have or can pull.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: Id,
    /// What a registry calls it; `None` when it was built here.
    pub(crate) digest: Option<String>,
}
