//! What the planner hands over: actions without choices, and a report that says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::resource::condition::Reason;

use super::service::ServiceSpec;

/// A file of the operator's secrets folder, as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// Its folder there.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What its content was: the secret's Swarm name stands for that and nothing else.
    pub fingerprint: String,
}

/// One change to the Swarm. The executor does it and decides nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes an attachable overlay network with a subnet that is large enough. When another owner of this
    /// installation was faster, the network that is there will do.
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
        /// Where the content is.
        source: SecretSource,
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
        /// Names of the services that still refer to it when this is planned: the plan changes them before.
        users: BTreeSet<String>,
    },
    /// Removes a config of ours that nobody uses any more.
    RemoveConfig {
        /// Engine id.
        id: String,
        /// Its name, for people.
        name: String,
        /// Names of the services that still refer to it when this is planned: the plan changes them before.
        users: BTreeSet<String>,
    },
}

impl Action {
    /// What it changes.
    pub fn target(&self) -> Target {
        match self {
            Self::CreateNetwork { name, .. } | Self::RemoveNetwork { name, .. } => {
                Target::Network(name.clone())
            }
            Self::CreateSecret { name, .. } | Self::RemoveSecret { name, .. } => Target::Secret(name.clone()),
            Self::CreateConfig { name, .. } | Self::RemoveConfig { name, .. } => Target::Config(name.clone()),
            Self::CreateService { spec } | Self::UpdateService { spec, .. } => {
                Target::Service(spec.name.clone())
            }
            Self::RemoveService { name, .. } | Self::ReleaseService { name, .. } => {
                Target::Service(name.clone())
            }
        }
    }

    /// What it depends on, beside what it changes: a service on what it refers to, and a secret or config that goes on
    /// the services that still refer to it.
    pub fn needs(&self) -> BTreeSet<Target> {
        match self {
            Self::CreateService { spec } | Self::UpdateService { spec, .. } => {
                let ServiceSpec {
                    container, networks, ..
                } = spec.as_ref();
                let networks = networks.iter().cloned().map(Target::Network);
                let secrets = container
                    .secrets
                    .iter()
                    .map(|file| Target::Secret(file.source.clone()));
                let configs = container
                    .configs
                    .iter()
                    .map(|file| Target::Config(file.source.clone()));
                networks.chain(secrets).chain(configs).collect()
            }
            Self::RemoveSecret { users, .. } | Self::RemoveConfig { users, .. } => {
                users.iter().cloned().map(Target::Service).collect()
            }
            Self::CreateNetwork { .. }
            | Self::CreateSecret { .. }
            | Self::CreateConfig { .. }
            | Self::RemoveService { .. }
            | Self::ReleaseService { .. }
            // It is planned once no service is on it in fact.
            | Self::RemoveNetwork { .. } => BTreeSet::new(),
        }
    }

    /// Whether it has to wait because of what was left undone in the stages before it: what it needs, or the name of
    /// the service that it makes.
    pub fn waits_for(&self, undone: &BTreeSet<Target>) -> bool {
        let waits_for_name = matches!(self, Self::CreateService { .. } | Self::UpdateService { .. })
            && undone.contains(&self.target());
        waits_for_name || !self.needs().is_disjoint(undone)
    }
}

/// Something in the Swarm that an action changes, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The service of an agent.
    Service(String),
    /// An overlay network.
    Network(String),
    /// A Swarm secret.
    Secret(String),
    /// A Swarm config.
    Config(String),
}

impl Target {
    /// `service`, `network`, `secret` or `config`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::Network(_) => "network",
            Self::Secret(_) => "secret",
            Self::Config(_) => "config",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Service(name) | Self::Network(name) | Self::Secret(name) | Self::Config(name) => name,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// What is to be done, in stages: all of a stage may be done at once; the next begins when it has ended.
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
    /// Whether nothing is planned because the workload is suspended.
    pub suspended: bool,
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
    /// What is changed.
    pub what: Target,
    /// The fields that differ, each with its old and new value, secrets masked.
    pub because: Vec<FieldChange>,
    /// Whether somebody else changed it: what is desired is what was last written.
    pub drift: bool,
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
    /// The blocked agent, as `reviewer.2`.
    pub agent: String,
    /// Its service.
    pub service: String,
    /// Why.
    pub reason: Reason,
    /// What to know or do next, in plain words; the same for all agents that are blocked by the same thing.
    pub message: String,
}

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The actions that the engine accepted, in plan order.
    pub done: Vec<Action>,
    /// Those that it did not. Actions that wait for one of these are in neither, and neither are those that
    /// were not begun because the engine was lost.
    pub failed: Vec<Failure>,
}

/// An action that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it was to change: [`Action::target`].
    pub what: Target,
    /// What became of it.
    pub kind: FailureKind,
    /// The engine's own words.
    pub message: String,
}

/// Why an action failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// Somebody else changed it since it was observed.
    Conflict,
    /// Something of that name is there already.
    NameTaken,
    /// It, or something that it refers to, is not there.
    NotFound,
    /// It is still in use.
    InUse,
    /// The engine does not want it like that; trying again does not help.
    Refused,
    /// It was not asked: a Policy, or a rule for everybody, does not allow it.
    Denied,
    /// The engine does not answer.
    Unavailable,
    /// It may have happened or not.
    Indeterminate,
}

impl FailureKind {
    /// What it is called where only another spec, or another Policy, helps; `None` where it is tried again.
    pub(super) fn refusal(self) -> Option<Reason> {
        match self {
            Self::Refused => Some(Reason::EngineRefused),
            Self::Denied => Some(Reason::PolicyDenied),
            Self::Conflict
            | Self::NameTaken
            | Self::NotFound
            | Self::InUse
            | Self::Unavailable
            | Self::Indeterminate => None,
        }
    }
}
