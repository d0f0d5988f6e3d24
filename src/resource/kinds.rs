//! The kinds' specs and statuses: what people write and what they read back.
//!
//! A new kind is a spec type here, a line in [`super::kind`], and its lowering.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent_spec::AgentSpec;
use super::duration::Duration;

/// A Team is a set of roles, each with a number of agents, working on a project or a task.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "Team",
    namespaced,
    shortname = "tm",
    category = "all",
    category = "chorus",
    status = "WorkloadStatus",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".metadata.generation"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(
        name = "Updated",
        type_ = "integer",
        json_path = ".status.updatedReplicas",
        priority = 1
    ),
    printcolumn(
        name = "Available",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct TeamSpec {
    /// The project that the team works on, for example `acme/payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The task that the team works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The overlay network that joins the agents; made on demand. Default: `chorus_net`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Whether the operator leaves the team's agents as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Number of agents of each role that does not say its own. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub replicas: Option<i64>,
    /// How agents run, merged under every role's own `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<AgentSpec>,
    /// The roles, by name.
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub roles: Vec<Role>,
}

/// A Council plans a project's kick-off: core roles that must be filled, optional roles that may be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "Council",
    namespaced,
    shortname = "cn",
    category = "all",
    category = "chorus",
    status = "WorkloadStatus",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".metadata.generation"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Project", type_ = "string", json_path = ".spec.project", priority = 1),
    printcolumn(
        name = "Updated",
        type_ = "integer",
        json_path = ".status.updatedReplicas",
        priority = 1
    ),
    printcolumn(
        name = "Available",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct CouncilSpec {
    /// The project that the council plans, for example `acme/payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where the project's design brief stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_brief: Option<DesignBrief>,
    /// The overlay network that joins the agents; made on demand. Default: `chorus_net`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Whether the operator leaves the council's agents as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Roles that must be filled. Default: product-manager, engineering-lead, quality-lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub core_roles: Option<Vec<CoreRole>>,
    /// Roles that may be filled beside the core.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub optional_roles: Vec<OptionalRole>,
    /// How agents run, merged under every role's own `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<AgentSpec>,
    /// What differs for single roles, by name; each must be one of the core or optional roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub roles: Vec<Role>,
    /// How the council forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formation: Option<Formation>,
}

/// An AgentTemplate is a reusable agent definition that roles refer to by name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "AgentTemplate",
    namespaced,
    shortname = "at",
    category = "chorus",
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".metadata.generation"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct AgentTemplateSpec {
    /// The agent block itself.
    #[serde(flatten)]
    pub agent: AgentSpec,
}

/// A role and how many agents fill it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// Its name, a DNS-1123 label.
    pub name: String,
    /// How many agents fill it. Default: the spec's `replicas`, or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub replicas: Option<i64>,
    /// Whether the whole is not ready before this role is. Default: true for teams and core roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The AgentTemplate of the same namespace that the role starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How the role's agents run, over the template and the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentSpec>,
}

/// A piece of work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Task {
    /// Its identity elsewhere, for example an issue's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A line that says what is to be done.
    pub title: String,
    /// More words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is discussed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When there is nothing else.
    Low,
    /// In its turn.
    Medium,
    /// Soon.
    High,
    /// Now.
    Critical,
}

/// Where a project's design brief stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesignBrief {
    /// Its address.
    pub url: String,
}

/// How a council forms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Formation {
    /// How long the core roles may take to be filled, for example `60s`, before the council is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
}

/// A role that a council is not formed without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CoreRole {
    /// Says what is worth building.
    ProductManager,
    /// Says how it is built.
    EngineeringLead,
    /// Says when it is good.
    QualityLead,
}

/// A role that a council may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptionalRole {
    /// Looks at what could be attacked.
    SecurityLead,
    /// Looks at how it runs.
    DevopsLead,
    /// Looks at how it is used.
    UxLead,
}

impl Priority {
    /// Its name in specs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl CoreRole {
    /// Every core role, in the order in which a council has them.
    pub const ALL: [CoreRole; 3] = [
        CoreRole::ProductManager,
        CoreRole::EngineeringLead,
        CoreRole::QualityLead,
    ];

    /// Its name in specs, a DNS-1123 label.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProductManager => "product-manager",
            Self::EngineeringLead => "engineering-lead",
            Self::QualityLead => "quality-lead",
        }
    }
}

impl OptionalRole {
    /// Every optional role.
    pub const ALL: [OptionalRole; 3] = [
        OptionalRole::SecurityLead,
        OptionalRole::DevopsLead,
        OptionalRole::UxLead,
    ];

    /// Its name in specs, a DNS-1123 label.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityLead => "security-lead",
            Self::DevopsLead => "devops-lead",
            Self::UxLead => "ux-lead",
        }
    }
}

/// What the operator last saw of a Team's or Council's agents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of agents that are declared.
    #[serde(default)]
    pub replicas: i64,
    /// Number of agents that run what this generation declares.
    #[serde(default)]
    pub updated_replicas: i64,
    /// Number of declared agents that are healthy. One that runs an earlier generation counts while this one cannot be
    /// brought about.
    #[serde(default)]
    pub ready_replicas: i64,
    /// Number of declared agents that are not ready.
    #[serde(default)]
    pub unavailable_replicas: i64,
    /// How often agents ended by themselves and were started again, as far as the engine remembers.
    #[serde(default)]
    pub restarts: i64,
    /// When an agent ended by itself last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_time: Option<Time>,
    /// `ready/declared`, for people: `3/4`.
    #[serde(default)]
    pub summary: String,
    /// One word for the conditions, for people: `Ready`, `Progressing`, `Degraded`, `Stalled`, `Suspended`,
    /// `Deleting`, `Unknown`.
    #[serde(default)]
    pub state: String,
    /// What to know or do next, from the condition that `state` stands for.
    #[serde(default)]
    pub message: String,
    /// Label selector that matches the agents.
    #[serde(default)]
    pub selector: String,
    /// The AgentTemplates that this status speaks of, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub templates: Vec<TemplateStatus>,
    /// The roles, in the spec's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleStatus>,
    /// Ready, Progressing, Degraded, Stalled and Suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Which state of an AgentTemplate a status speaks of: a template's change moves no generation but its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStatus {
    /// The template.
    pub name: String,
    /// Its uid: one that is made anew counts its generations anew.
    pub uid: String,
    /// Its generation.
    pub observed_generation: i64,
}

/// One role's counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleStatus {
    /// The role.
    pub name: String,
    /// Whether the whole waits for it.
    pub required: bool,
    /// Number of agents declared.
    pub desired: i64,
    /// Number of agents ready, counted as `readyReplicas` are.
    pub ready: i64,
}

/// An Agent is a read-only view: one agent slot, joined from what is declared and what the Swarm runs.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "Agent",
    namespaced,
    shortname = "ag",
    category = "all",
    category = "chorus",
    status = "AgentStatus",
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Node", type_ = "string", json_path = ".status.node"),
    printcolumn(name = "Restarts", type_ = "integer", json_path = ".status.restarts"),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.taskState",
        priority = 1
    ),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model", priority = 1),
    printcolumn(
        name = "Address",
        type_ = "string",
        json_path = ".status.address",
        priority = 1
    ),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct AgentViewSpec {
    /// The Team or Council that declares it, as `team/payments`.
    pub owner: String,
    /// Its role.
    pub role: String,
    /// Its slot in the role, from 1.
    pub slot: u32,
    /// The Swarm service that runs it.
    pub service: String,
    /// The image as it is declared.
    #[serde(default)]
    pub image: String,
    /// The language model that it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What the Swarm says of one agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// One word: `Ready`, `Starting`, `Pending`, `Failed`, `Updating`, `Missing`.
    pub state: String,
    /// The engine's own word for the current task's state, for example `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_state: Option<String>,
    /// The node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How often its container was replaced, as far as the engine remembers.
    #[serde(default)]
    pub restarts: u32,
    /// Its address on the overlay network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The id of its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The engine's own error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `Ready`, which is `True` in the state of that name, for those who wait for conditions; none while there is no service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
