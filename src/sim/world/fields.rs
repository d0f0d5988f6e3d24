//! The structures of a service's spec, with their fields in the order in which the engine writes them.

use super::shape::{Field, Keep, Shape};

const fn full(name: &'static str, shape: Shape) -> Field {
    field(name, shape, Keep::Full)
}

const fn given(name: &'static str, shape: Shape) -> Field {
    field(name, shape, Keep::Given)
}

const fn always(name: &'static str, shape: Shape) -> Field {
    field(name, shape, Keep::Always)
}

const fn field(name: &'static str, shape: Shape, keep: Keep) -> Field {
    Field { name, shape, keep }
}

const TEXTS: Shape = Shape::List(&Shape::Text);

/// `ServiceSpec`.
pub(super) const SERVICE: Shape = Shape::Struct(
    "ServiceSpec",
    &[
        always("Name", Shape::Text),
        always("Labels", Shape::Map),
        always("TaskTemplate", TASK),
        always("Mode", MODE),
        given("UpdateConfig", UPDATE),
        given("RollbackConfig", UPDATE),
        full("Networks", NETWORKS),
        given("EndpointSpec", ENDPOINT),
    ],
);

const TASK: Shape = Shape::Struct(
    "TaskSpec",
    &[
        given("ContainerSpec", CONTAINER),
        given("Resources", RESOURCES),
        given("RestartPolicy", RESTART),
        given("Placement", PLACEMENT),
        full("Networks", NETWORKS),
        given("LogDriver", DRIVER),
        always("ForceUpdate", Shape::Uint),
        full("Runtime", Shape::Text),
    ],
);

const CONTAINER: Shape = Shape::Struct(
    "ContainerSpec",
    &[
        full("Image", Shape::Text),
        full("Labels", Shape::Map),
        full("Command", TEXTS),
        full("Args", TEXTS),
        full("Hostname", Shape::Text),
        full("Env", TEXTS),
        full("Dir", Shape::Text),
        full("User", Shape::Text),
        full("Groups", TEXTS),
        given("Privileges", Shape::Any),
        given("Init", Shape::Flag),
        full("StopSignal", Shape::Text),
        full("TTY", Shape::Flag),
        full("OpenStdin", Shape::Flag),
        full("ReadOnly", Shape::Flag),
        full("Mounts", Shape::List(&MOUNT)),
        given("StopGracePeriod", Shape::Int),
        given("Healthcheck", HEALTH),
        full("Hosts", TEXTS),
        given("DNSConfig", DNS),
        full("Secrets", Shape::List(&SECRET)),
        full("Configs", Shape::List(&CONFIG)),
        full("Isolation", Shape::Text),
        full("Sysctls", Shape::Map),
        full("CapabilityAdd", TEXTS),
        full("CapabilityDrop", TEXTS),
        full("Ulimits", Shape::List(&ULIMIT)),
    ],
);

const MOUNT: Shape = Shape::Struct(
    "Mount",
    &[
        full("Type", Shape::Text),
        full("Source", Shape::Text),
        full("Target", Shape::Text),
        full("ReadOnly", Shape::Flag),
        given("BindOptions", BIND),
        given("VolumeOptions", VOLUME),
        given("TmpfsOptions", TMPFS),
    ],
);

const BIND: Shape = Shape::Struct(
    "BindOptions",
    &[
        full("Propagation", Shape::Text),
        full("NonRecursive", Shape::Flag),
    ],
);

const VOLUME: Shape = Shape::Struct(
    "VolumeOptions",
    &[
        full("NoCopy", Shape::Flag),
        full("Labels", Shape::Map),
        given("DriverConfig", DRIVER),
    ],
);

const TMPFS: Shape = Shape::Struct(
    "TmpfsOptions",
    &[full("SizeBytes", Shape::Int), full("Mode", Shape::Uint32)],
);

const HEALTH: Shape = Shape::Struct(
    "HealthConfig",
    &[
        full("Test", TEXTS),
        full("Interval", Shape::Int),
        full("Timeout", Shape::Int),
        full("StartPeriod", Shape::Int),
        full("Retries", Shape::Int),
    ],
);

const DNS: Shape = Shape::Struct(
    "DNSConfig",
    &[
        full("Nameservers", TEXTS),
        full("Search", TEXTS),
        full("Options", TEXTS),
    ],
);

const FILE: Shape = Shape::Struct(
    "ReferenceFileTarget",
    &[
        always("Name", Shape::Text),
        always("UID", Shape::Text),
        always("GID", Shape::Text),
        always("Mode", Shape::Uint),
    ],
);

const SECRET: Shape = Shape::Struct(
    "SecretReference",
    &[
        given("File", FILE),
        always("SecretID", Shape::Text),
        always("SecretName", Shape::Text),
    ],
);

const CONFIG: Shape = Shape::Struct(
    "ConfigReference",
    &[
        given("File", FILE),
        given("Runtime", Shape::Struct("ConfigReferenceRuntimeTarget", &[])),
        always("ConfigID", Shape::Text),
        always("ConfigName", Shape::Text),
    ],
);

const ULIMIT: Shape = Shape::Struct(
    "Ulimit",
    &[
        always("Name", Shape::Text),
        always("Hard", Shape::Int),
        always("Soft", Shape::Int),
    ],
);

const RESOURCES: Shape = Shape::Struct(
    "ResourceRequirements",
    &[given("Limits", LIMIT), given("Reservations", RESERVATION)],
);

const LIMIT: Shape = Shape::Struct(
    "Limit",
    &[
        full("NanoCPUs", Shape::Int),
        full("MemoryBytes", Shape::Int),
        full("Pids", Shape::Int),
    ],
);

const RESERVATION: Shape = Shape::Struct(
    "Resources",
    &[
        full("NanoCPUs", Shape::Int),
        full("MemoryBytes", Shape::Int),
        full("GenericResources", Shape::Any),
    ],
);

const RESTART: Shape = Shape::Struct(
    "RestartPolicy",
    &[
        full("Condition", Shape::Text),
        given("Delay", Shape::Int),
        always("MaxAttempts", Shape::Uint),
        given("Window", Shape::Int),
    ],
);

const PLACEMENT: Shape = Shape::Struct(
    "Placement",
    &[
        full("Constraints", TEXTS),
        full("Preferences", Shape::List(&PREFERENCE)),
        full("MaxReplicas", Shape::Uint),
        full("Platforms", Shape::List(&PLATFORM)),
    ],
);

const PREFERENCE: Shape = Shape::Struct(
    "PlacementPreference",
    &[given(
        "Spread",
        Shape::Struct("SpreadOver", &[always("SpreadDescriptor", Shape::Text)]),
    )],
);

const PLATFORM: Shape = Shape::Struct(
    "Platform",
    &[full("Architecture", Shape::Text), full("OS", Shape::Text)],
);

const NETWORKS: Shape = Shape::List(&Shape::Struct(
    "NetworkAttachmentConfig",
    &[
        full("Target", Shape::Text),
        full("Aliases", TEXTS),
        full("DriverOpts", Shape::Map),
    ],
));

/// `Driver`.
pub(super) const DRIVER: Shape = Shape::Struct(
    "Driver",
    &[full("Name", Shape::Text), full("Options", Shape::Map)],
);

const MODE: Shape = Shape::Struct(
    "ServiceMode",
    &[
        given(
            "Replicated",
            Shape::Struct("ReplicatedService", &[given("Replicas", Shape::Uint)]),
        ),
        given("Global", Shape::Struct("GlobalService", &[])),
        given("ReplicatedJob", Shape::Any),
        given("GlobalJob", Shape::Any),
    ],
);

const UPDATE: Shape = Shape::Struct(
    "UpdateConfig",
    &[
        always("Parallelism", Shape::Uint),
        full("Delay", Shape::Int),
        full("FailureAction", Shape::Text),
        full("Monitor", Shape::Int),
        always("MaxFailureRatio", Shape::Float),
        full("Order", Shape::Text),
    ],
);

const ENDPOINT: Shape = Shape::Struct(
    "EndpointSpec",
    &[full("Mode", Shape::Text), full("Ports", Shape::List(&PORT))],
);

const PORT: Shape = Shape::Struct(
    "PortConfig",
    &[
        full("Name", Shape::Text),
        full("Protocol", Shape::Text),
        full("TargetPort", Shape::Uint32),
        full("PublishedPort", Shape::Uint32),
        full("PublishMode", Shape::Text),
    ],
);
