//! The engine's JSON, as far as we read it. Enumerations stay text, so that a word of a newer engine fails
//! nothing; what is missing or null is its type's default, as Go writes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::resource::labels::Labels;

/// Reads `null` like a missing field.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

macro_rules! wire {
    ($(
        $(#[doc = $doc:literal])*
        struct $name:ident { $( $key:literal => $field:ident : $type:ty ),* $(,)? }
    )*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default)]
        pub(super) struct $name {
            $(
                #[serde(rename = $key, deserialize_with = "or_default")]
                pub(super) $field: $type,
            )*
        }
    )* };
}

wire! {
    /// `GET /services`, `GET /services/{id}`.
    struct Service {
        "ID" => id: String,
        "Version" => version: Version,
        "CreatedAt" => created: Timestamp,
        "UpdatedAt" => updated: Timestamp,
        "Spec" => spec: Spec,
        "UpdateStatus" => update: Option<UpdateStatus>,
        "ServiceStatus" => counts: Option<Counts>,
    }
    /// The same, as far as it tells whether anything changed.
    struct Glance { "ID" => id: String, "Version" => version: Version, "ServiceStatus" => counts: Option<Counts> }
    struct Version { "Index" => index: u64 }
    struct UpdateStatus { "State" => state: String }
    /// Only with `status=true`.
    struct Counts { "RunningTasks" => running: u64 }

    struct Spec {
        "Name" => name: String,
        "Labels" => labels: Labels,
        "TaskTemplate" => task: Value,
        "Mode" => mode: Mode,
        "UpdateConfig" => update: Option<UpdateConfig>,
        "EndpointSpec" => endpoint: EndpointSpec,
        "Networks" => networks: Vec<NetworkTarget>,
    }
    struct Mode { "Replicated" => replicated: Option<Replicated> }
    struct Replicated { "Replicas" => replicas: u64 }
    struct UpdateConfig {
        "Parallelism" => parallelism: u64,
        "FailureAction" => failure_action: String,
        "Order" => order: String,
    }
    struct EndpointSpec { "Mode" => mode: String, "Ports" => ports: Vec<Port> }
    struct Port {
        "Protocol" => protocol: String,
        "TargetPort" => target: u32,
        "PublishedPort" => published: u32,
        "PublishMode" => mode: String,
    }
    struct TaskTemplate {
        "ContainerSpec" => container: Container,
        "Resources" => resources: Resources,
        "RestartPolicy" => restart: Option<RestartPolicy>,
        "Placement" => placement: Placement,
        "Networks" => networks: Vec<NetworkTarget>,
    }
    struct NetworkTarget { "Target" => target: String }
    struct Container {
        "Image" => image: String,
        "Command" => command: Vec<String>,
        "Args" => args: Vec<String>,
        "Env" => env: Vec<String>,
        "User" => user: String,
        "Mounts" => mounts: Vec<Mount>,
        "Secrets" => secrets: Vec<SecretRef>,
        "Configs" => configs: Vec<ConfigRef>,
        "Healthcheck" => health: Option<Health>,
        "StopGracePeriod" => stop_grace_period: Option<i64>,
        "ReadOnly" => read_only: bool,
        "Init" => init: Option<bool>,
        "CapabilityAdd" => capabilities: Vec<String>,
        "Sysctls" => sysctls: BTreeMap<String, String>,
    }
    struct Mount {
        "Type" => mount_type: String,
        "Source" => source: String,
        "Target" => target: String,
        "ReadOnly" => read_only: bool,
    }
    struct SecretRef { "File" => file: Option<FileTarget>, "SecretName" => name: String }
    struct ConfigRef { "File" => file: Option<FileTarget>, "ConfigName" => name: String }
    struct FileTarget { "Name" => name: String }
    struct Health {
        "Test" => test: Vec<String>,
        "Interval" => interval: i64,
        "Timeout" => timeout: i64,
        "StartPeriod" => start_period: i64,
        "Retries" => retries: i64,
    }
    struct Resources { "Limits" => limits: Amount, "Reservations" => reservations: Amount }
    struct Amount { "NanoCPUs" => nano_cpus: i64, "MemoryBytes" => memory_bytes: i64 }
    struct RestartPolicy {
        "Condition" => condition: String,
        "Delay" => delay: Option<i64>,
        "MaxAttempts" => max_attempts: u64,
        "Window" => window: i64,
    }
    struct Placement { "Constraints" => constraints: Vec<String>, "Preferences" => preferences: Vec<Preference> }
    struct Preference { "Spread" => spread: Spread }
    struct Spread { "SpreadDescriptor" => descriptor: String }

    /// `GET /tasks`.
    struct Task {
        "ID" => id: String,
        "CreatedAt" => created: Timestamp,
        "UpdatedAt" => updated: Timestamp,
        "Spec" => spec: Value,
        "ServiceID" => service: String,
        "NodeID" => node: String,
        "Status" => status: TaskStatus,
        "DesiredState" => desired: String,
        "NetworksAttachments" => attachments: Vec<Attachment>,
    }
    struct TaskStatus {
        "Timestamp" => at: Timestamp,
        "State" => state: String,
        "Message" => message: String,
        "Err" => error: String,
        "ContainerStatus" => container: Option<ContainerStatus>,
    }
    struct ContainerStatus { "ContainerID" => id: String, "ExitCode" => exit_code: i64 }
    struct Attachment { "Addresses" => addresses: Vec<String> }

    /// `GET /nodes`.
    struct Node {
        "ID" => id: String,
        "Spec" => spec: NodeSpec,
        "Description" => description: NodeDescription,
        "Status" => status: NodeStatus,
    }
    struct NodeSpec { "Role" => role: String, "Availability" => availability: String, "Labels" => labels: Labels }
    struct NodeDescription {
        "Hostname" => hostname: String,
        "Platform" => platform: Platform,
        "Engine" => engine: Engine,
    }
    struct Platform { "Architecture" => architecture: String, "OS" => os: String }
    struct Engine { "Labels" => labels: Labels }
    struct NodeStatus { "State" => state: String, "Addr" => address: String }

    /// `GET /networks`, `GET /networks/{id}`.
    struct Network {
        "Id" => id: String,
        "Name" => name: String,
        "Scope" => scope: String,
        "Driver" => driver: String,
        "IPAM" => ipam: Ipam,
        "Labels" => labels: Labels,
        "Options" => options: BTreeMap<String, String>,
        "Containers" => containers: BTreeMap<String, Value>,
    }
    struct Ipam { "Config" => config: Vec<Pool> }
    struct Pool { "Subnet" => subnet: String }

    /// `GET /secrets`, `GET /configs`; without the content.
    struct Blob { "ID" => id: String, "Spec" => spec: BlobSpec }
    struct BlobSpec { "Name" => name: String, "Labels" => labels: Labels }

    /// The answer to a create request. Networks say `Id`, the others `ID`.
    struct Created { "ID" => id: String }

    /// One line of `GET /events`.
    struct Event { "Type" => kind: String, "Action" => action: String, "Actor" => actor: Actor }
    struct Actor { "ID" => id: String, "Attributes" => attributes: Labels }

    /// `GET /info`.
    struct Info { "Swarm" => swarm: SwarmInfo }
    struct SwarmInfo { "LocalNodeState" => state: String, "ControlAvailable" => control: bool }
}
