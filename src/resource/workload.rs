//! What a Team or Council comes down to: a list of desired agents. One planner serves every kind.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::agent_spec::{HostPort, Mount};
use super::kinds::TemplateStatus;
use super::nearest;
use super::object::{Key, Object};
use super::policy::Rules;
use super::validate::{Cause, Invalid};

/// A validated Team or Council with its templates merged in, as far as they exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Whose agents these are.
    pub owner: Owner,
    /// Whether the Swarm is left as it is.
    pub suspended: bool,
    /// The overlay network that joins the agents.
    pub network: String,
    /// How long the required roles may take to be ready before the whole is Degraded.
    pub progress_deadline: Duration,
    /// The templates that were merged in, by name.
    pub templates: Vec<TemplateStatus>,
    /// The roles, in the spec's order.
    pub roles: Vec<DesiredRole>,
    /// What the Policies of its namespace make of it.
    pub rules: Rules,
}

impl Workload {
    /// The templates that its roles wait for.
    pub fn missing_templates(&self) -> impl Iterator<Item = &MissingTemplate> {
        self.withheld().filter_map(|withheld| match withheld {
            Withheld::MissingTemplate(missing) => Some(missing),
            Withheld::Denied(_) => None,
        })
    }

    /// What Policies refuse of it.
    pub fn denied(&self) -> impl Iterator<Item = &Cause> {
        self.roles.iter().flat_map(DesiredRole::denied)
    }

    fn withheld(&self) -> impl Iterator<Item = &Withheld> {
        self.roles.iter().filter_map(|role| role.agent.as_ref().err())
    }

    /// How the agents run of those roles that nothing is withheld from.
    pub fn agents(&self) -> impl Iterator<Item = &DesiredAgent> {
        self.roles.iter().filter_map(|role| role.agent.as_ref().ok())
    }
}

/// The object that agents belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Kind, namespace and name.
    pub key: Key,
    /// Uid: what the Swarm's labels are compared with.
    pub uid: String,
    /// The generation that is being brought about.
    pub generation: i64,
}

impl Owner {
    /// The object itself, as it is now.
    pub fn of(object: &Object) -> Self {
        Self {
            key: object.key(),
            uid: object.uid().to_owned(),
            generation: object.generation(),
        }
    }
}

/// One role, ready to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredRole {
    /// Its name.
    pub name: String,
    /// How many agents fill it; their slots are 1 to this number.
    pub replicas: u32,
    /// Whether the whole is not ready before it is.
    pub required: bool,
    /// How each of its agents runs, unless something has to come first.
    pub agent: Result<DesiredAgent, Withheld>,
}

impl DesiredRole {
    /// What Policies refuse of it.
    pub fn denied(&self) -> impl Iterator<Item = &Cause> {
        let causes = match &self.agent {
            Err(Withheld::Denied(denied)) => denied.causes.as_slice(),
            Ok(_) | Err(Withheld::MissingTemplate(_)) => &[],
        };
        causes.iter()
    }
}

/// Why the agents of a role are left as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Their template does not exist (yet).
    MissingTemplate(MissingTemplate),
    /// Policies refuse what they ask for.
    Denied(Invalid),
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTemplate(missing) => missing.fmt(f),
            Self::Denied(denied) => denied.fmt(f),
        }
    }
}

/// A role's template that does not exist (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTemplate {
    /// The role.
    pub role: String,
    /// The template that it names.
    pub template: String,
    /// The existing template that was perhaps meant.
    pub nearest: Option<String>,
}

impl fmt::Display for MissingTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role,
            template,
            nearest: near,
        } = self;
        write!(
            f,
            "role {role} waits for the AgentTemplate \"{template}\", which does not exist{}",
            nearest::did_you_mean(near.as_deref())
        )
    }
}

/// How an agent runs, with every default filled in and every quantity in the engine's units.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredAgent {
    /// Image as declared, for example `chorus-agent:dev`.
    pub image: String,
    /// Replaces the image's entrypoint when not empty.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// The user's environment and the agent's identity, by name; the slot's own variables are added by the planner.
    pub env: BTreeMap<String, String>,
    /// Upper bounds.
    pub limits: Amount,
    /// Reservations.
    pub reservations: Amount,
    /// Volumes, in-memory file systems and paths of the node, by target.
    pub mounts: Vec<Mount>,
    /// Linux capabilities that are added, without `CAP_`.
    pub capabilities: Vec<String>,
    /// Kernel parameters, by name.
    pub sysctls: BTreeMap<String, String>,
    /// Ports of the node that lead to it.
    pub ports: Vec<HostPort>,
    /// Secret files.
    pub secrets: Vec<DesiredFile>,
    /// Config files; their content is in [`DesiredFile::data`].
    pub configs: Vec<DesiredFile>,
    /// The health check; `None` leaves the image's own.
    pub health_check: Option<DesiredHealthCheck>,
    /// Placement constraints.
    pub constraints: Vec<String>,
    /// Node labels to spread over.
    pub preferences: Vec<String>,
    /// How long the container may take to stop.
    pub stop_grace_period: Duration,
    /// User that the process runs as.
    pub user: Option<String>,
    /// Further overlay networks; the workload's own comes first and is not repeated here.
    pub networks: Vec<String>,
    /// The language model, for the agent view.
    pub model: Option<String>,
}

/// An amount of what a node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Processor time in billionths of a core; 0 means none set.
    pub nano_cpus: i64,
    /// Memory in bytes; 0 means none set.
    pub memory_bytes: i64,
}

/// A file that the engine puts into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredFile {
    /// The secret's or config's name in the spec.
    pub name: String,
    /// Path in the container (for secrets a name below `/run/secrets`, or an absolute path).
    pub path: String,
    /// Content of a config; `None` for a secret, whose content only the executor reads.
    pub data: Option<String>,
}

/// A health check in the engine's units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredHealthCheck {
    /// Exec form, without the leading `CMD`. Empty turns the image's check off.
    pub command: Vec<String>,
    /// Time between checks; zero means the engine's default (30 s).
    pub interval: Duration,
    /// How long one may take; zero means the engine's default (30 s).
    pub timeout: Duration,
    /// How long failures do not count after the start; zero means the engine's default (none).
    pub start_period: Duration,
    /// Failures in a row that make it unhealthy; 0 means the engine's default (3).
    pub retries: u32,
}
