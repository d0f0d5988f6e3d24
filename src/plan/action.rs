//! What the planner hands over: actions without choices, and a report that says why.

use std::collections::BTreeMap;

use super::service::ServiceSpec;

/// One change to the Swarm. The executor does it and decides nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes an attachable overlay network with a subnet that is large enough.
    CreateNetwork {
        /// Its name.
        name: String,
        /// Our labels.
        labels: BTreeMap<String, String>,
    },
    /// Makes a Swarm secret out of the operator's secrets folder.
    CreateSecret {
        /// Swarm name, by content.
        name: String,
        /// Namespace and name in the secrets folder.
        source: (String, String),
        /// Our labels.
        labels: BTreeMap<String, String>,
    },
    /// Makes a Swarm config.
    CreateConfig {
        /// Swarm name, by content.
        name: String,
        /// Content.
        data: String,
        /// Our labels.
        labels: BTreeMap<String, String>,
    },
    /// Makes a service.
    CreateService {
        /// All of it.
        spec: Box<ServiceSpec>,
    },
    /// Changes our fields of a service.
    UpdateService {
        /// Engine id.
        id: String,
        /// The version that the plan was made from.
        version: u64,
        /// The owner uid that the live service must carry.
        uid: String,
        /// What it is to be.
        spec: Box<ServiceSpec>,
    },
    /// Removes a service.
    RemoveService {
        /// Engine id.
        id: String,
        /// Its name, for people.
        name: String,
        /// The owner uid that the live service must carry; checked right before.
        uid: String,
    },
    /// Takes our labels off a service and leaves it running.
    ReleaseService {
        /// Engine id.
        id: String,
        /// The version that the plan was made from.
        version: u64,
        /// Its name, for people.
        name: String,
        /// The owner uid that the live service must carry.
        uid: String,
    },
    /// Removes a network of ours that nobody uses any more.
    RemoveNetwork {
        /// Engine id.
        id: String,
        /// Its name, for people.
        name: String,
    },
    /// Removes a secret of ours that nobody uses any more.
    RemoveSecret {
        /// Engine id.
        id: String,
        /// Its name, for people.
        name: String,
    },
    /// Removes a config of ours that nobody uses any more.
    RemoveConfig {
        /// Engine id.
        id: String,
        /// Its name, for people.
        name: String,
    },
}

/// What is to be done, in stages: all of a stage may be done at once; the next waits for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The stages: what services need, services, what they needed.
    pub stages: Vec<Vec<Action>>,
    /// Why.
    pub report: Report,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.stages.iter().all(Vec::is_empty)
    }
}

/// What the plan means for people: every change with its reason, and every step that cannot be taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The changes, in plan order.
    pub changes: Vec<Change>,
    /// What stands in the way.
    pub blocked: Vec<Blocked>,
}

/// How deep a change cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// `+`: something new.
    Create,
    /// `-`: something goes.
    Remove,
    /// `+/-`: the agent is stopped and started.
    Replace,
    /// `~`: changed in place, the agent runs on.
    InPlace,
}

/// One change, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How deep it cuts.
    pub kind: ChangeKind,
    /// What is changed: `service team_default_payments_reviewer_2`, `network chorus_net`.
    pub what: String,
    /// The fields that differ, each with its old and new value, secrets masked.
    pub because: Vec<FieldChange>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path, for example `container.env.RUST_LOG`.
    pub field: String,
    /// What is live; `None` when it is absent.
    pub old: Option<String>,
    /// What is desired; `None` when it goes.
    pub new: Option<String>,
}

/// A step that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What is blocked.
    pub what: String,
    /// Why.
    pub reason: BlockedReason,
    /// What to know or do next, in plain words.
    pub message: String,
}

/// Why a step cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockedReason {
    /// A service or network of that name belongs to somebody else.
    NameConflict,
    /// A template that a role names does not exist yet.
    TemplateNotFound,
    /// A secret that an agent names is not in the operator's secrets folder.
    SecretNotFound,
    /// The network has not enough addresses.
    NetworkFull,
    /// The stored spec is not valid (it was stored by an older version).
    Invalid,
}
