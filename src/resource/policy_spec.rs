//! What a Policy says: which powers over their nodes the agents of its namespace may have, and what they are kept to.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Policy says what the agents of its namespace may ask of their nodes. Without one, they have no power over them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "chorus.services",
    version = "v1",
    kind = "Policy",
    plural = "policies",
    namespaced,
    shortname = "pol",
    category = "chorus",
    printcolumn(
        name = "Docker-Socket",
        type_ = "boolean",
        json_path = ".spec.allow.dockerSocket"
    ),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".spec.limits.quota.agents"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".metadata.generation"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PolicySpec {
    /// Powers over the node. Each is refused, unless a Policy of the namespace allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allowed>,
    /// What agents are kept to. Each limit of each Policy of the namespace holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// Powers over the node. The host's own network and privileged containers are in no Policy's power.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowed {
    /// Paths of the node that may be mounted, with all that is below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub host_paths: Vec<HostPath>,
    /// Whether the Docker socket, or what is as good as it, may be mounted, or a folder that holds it: whoever has it rules the
    /// node. The operator's own socket and its folder are as good; where that is not `/var/lib/whoosh`, allow no `hostPaths`
    /// above it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub docker_socket: bool,
    /// Linux capabilities that may be added, for example `NET_BIND_SERVICE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Kernel parameters that may be set; `*` stands for any text, as in `net.ipv4.*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<String>,
    /// Ports of the node that may be taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<PortRange>,
    /// Volumes of the node that may be mounted, by name; `*` stands for any text. All namespaces, and all else that runs on
    /// a node, share its volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Networks that WHOOSH did not make, or made for another namespace, and that agents may join; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_networks: Vec<String>,
    /// Whether placement constraints may ask for managers by `node.role`, or for one node, by `node.hostname`, `node.id` or
    /// `node.ip`, without `node.role==worker` beside it. Agents that ask for nothing may come to managers, too:
    /// `limits.workersOnly` keeps them off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub managers: bool,
}

/// A path of the node, with all that is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPath {
    /// An absolute path. Links on the node are not followed when it is compared: allow no folder in which others can
    /// make them.
    pub path: String,
    /// Whether it may be written to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable: bool,
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortRange {
    /// The first.
    #[schemars(range(min = 1, max = 65_535))]
    pub from: u32,
    /// The last. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub to: Option<u32>,
}

/// What agents are kept to. A limit that is not there limits nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Image repositories, with their registries, for example `registry.example/agents/*`; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<String>>,
    /// Whether images must be named with their digests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image_digests: bool,
    /// Whether agents must name a user by a number that is not 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub non_root: bool,
    /// Whether agents must keep off managers, by the constraint `node.role==worker`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub workers_only: bool,
    /// Networks, by name; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
    /// Secrets, by name; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// Named volumes, of those that are allowed; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<String>>,
    /// How much the namespace may have in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

/// How much the Teams and Councils of a namespace may declare in all, and their agents come to. What is declared is looked at
/// when one of them or a template is changed; a role whose template is missing counts by its number of agents and by what its
/// own blocks say of them. What runs is looked at right before an agent is made or changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Number of agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub agents: Option<i64>,
    /// Sum of the agents' processor limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Sum of the agents' memory limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}
