//! The environment variables of an agent: the operator sets them on a service, `chorus-agent` reads them.
//!
//! An empty value counts as absent. Secrets never travel here: they are Swarm secrets.

/// The agent's id on the bus: letters, digits, `_`, `:` and `-`, at most 128. Defaults to the name.
pub const AGENT_ID: &str = "CHORUS_AGENT_ID";
/// The name that people see; the service's name, stable over restarts. Required.
pub const AGENT_NAME: &str = "CHORUS_AGENT_NAME";
/// The role that this agent fills. Required.
pub const ROLE: &str = "CHORUS_ROLE";
/// The number of the slot in its role. Required.
pub const SLOT: &str = "CHORUS_SLOT";
/// The uid of the resource that declares this agent.
pub const OWNER_UID: &str = "CHORUS_OWNER_UID";

/// The team or council that the agent belongs to.
pub const TEAM_ID: &str = "CHORUS_TEAM_ID";
/// The project: a repository.
pub const PROJECT: &str = "CHORUS_PROJECT";
/// The id of the task that the team works on.
pub const TASK_ID: &str = "CHORUS_TASK_ID";
/// The task in one line.
pub const TASK_TITLE: &str = "CHORUS_TASK_TITLE";
/// The task in full.
pub const TASK_DESC: &str = "CHORUS_TASK_DESC";
/// The task's priority.
pub const PRIORITY: &str = "CHORUS_PRIORITY";
/// The web page of the task, an issue for example (http or https).
pub const EXTERNAL_URL: &str = "CHORUS_EXTERNAL_URL";

/// What the agent can do: a list, parted by commas.
pub const CAPABILITIES: &str = "CHORUS_CAPABILITIES";
/// What the agent knows about: a list, parted by commas.
pub const EXPERTISE: &str = "CHORUS_EXPERTISE";
/// The language model that the agent uses.
pub const MODEL: &str = "CHORUS_MODEL";
/// The system prompt that the agent gives its model.
pub const SYSTEM_PROMPT: &str = "CHORUS_SYSTEM_PROMPT";

/// `true` when WHOOSH coordinates the agent: its team and its task are given, not looked for.
pub const COORDINATOR: &str = "WHOOSH_COORDINATOR";
/// Where the operator answers (http or https).
pub const ENDPOINT: &str = "WHOOSH_ENDPOINT";
/// How long the engine waits between SIGTERM and SIGKILL, `10s` for example; the engine's default is 10 s.
pub const STOP_GRACE: &str = "WHOOSH_STOP_GRACE";

/// The NATS servers, parted by commas. Without it the agent runs without a bus.
pub const NATS_URL: &str = "NATS_URL";
/// The file that names them instead, a Swarm secret for example, when their address holds a password.
pub const NATS_URL_FILE: &str = "NATS_URL_FILE";
/// Where that file is when the operator's address of NATS holds a user or a password: it sets [`NATS_URL_FILE`] to it,
/// unless the spec sets that or [`NATS_URL`].
pub const NATS_URL_PATH: &str = "/run/secrets/whoosh-nats-url";
/// The BACKBEAT cluster whose beats the agent follows.
pub const BACKBEAT_CLUSTER_ID: &str = "CHORUS_BACKBEAT_CLUSTER_ID";
/// The first part of BACKBEAT's subjects.
pub const BACKBEAT_PREFIX: &str = "CHORUS_BACKBEAT_PREFIX";
/// How often the agent reports while no beats arrive, `10s` for example.
pub const HEARTBEAT_INTERVAL: &str = "CHORUS_HEARTBEAT_INTERVAL";
/// The port of `/health` and `/ready`.
pub const AGENT_PORT: &str = "CHORUS_AGENT_PORT";
/// The log filter, `info` or `whoosh::agent=debug` for example.
pub const LOG_FILTER: &str = "RUST_LOG";
