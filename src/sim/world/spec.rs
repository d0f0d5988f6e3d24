//! A service's spec: as the engine shows it, and the parts that decide something.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::constraint::Constraint;
use super::convert;
use super::fields;
use super::model::{Id, Labels, Port};
use super::refusal::{Code, Refusal};
use super::shape::shaped;

/// How long the managers wait between two starts when nobody says.
const DEFAULT_RESTART_DELAY: Duration = Duration::from_secs(5);
/// How long they watch a task that was updated when nobody says.
const DEFAULT_MONITOR: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    /// As services show it.
    pub(crate) json: String,
    /// Its `TaskTemplate`, as tasks show it.
    pub(crate) template: Value,
    /// The same as text.
    pub(crate) template_json: String,
    pub(crate) endpoint: Value,
    pub(crate) name: String,
    pub(crate) labels: Arc<Labels>,
    pub(crate) mode: Mode,
    pub(crate) image: String,
    pub(crate) networks: Vec<Id>,
    pub(crate) secrets: Vec<Id>,
    pub(crate) configs: Vec<Id>,
    /// Those that are to be published.
    pub(crate) ports: Vec<Port>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) spread: Vec<String>,
    pub(crate) max_replicas: u64,
    pub(crate) reserved_cpus: i64,
    pub(crate) reserved_memory: i64,
    pub(crate) restart: Restart,
    pub(crate) update: Rollout,
    pub(crate) rollback: Rollout,
    /// Whether a health check decides when a task runs; images have none of their own.
    pub(crate) is_checked: bool,
    pub(crate) vip: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Replicated(u64),
    Global,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    OnFailure,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) condition: Condition,
    pub(crate) delay: Duration,
    pub(crate) max_attempts: u64,
    pub(crate) window: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureAction {
    Pause,
    Continue,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rollout {
    /// How many slots at once; 0 for all.
    pub(crate) parallelism: u64,
    pub(crate) delay: Duration,
    pub(crate) action: FailureAction,
    pub(crate) monitor: Duration,
    pub(crate) max_failure_ratio: f64,
    pub(crate) start_first: bool,
}

impl Spec {
    /// Reads a request, into the spec and its JSON, of which the managers have yet to check more. `network` finds a
    /// network's id by what the request calls it.
    ///
    /// # Errors
    /// Whatever the engine itself, before its managers, finds wrong.
    pub(crate) fn read(
        request: &Value,
        network: impl Fn(&str) -> Result<Id, Refusal>,
    ) -> Result<(Self, Value), Refusal> {
        let Some(mut spec) = shaped(&fields::SERVICE, request)? else {
            return Err(mismatched());
        };
        for path in ["/TaskTemplate/Networks", "/Networks"] {
            for entry in spec
                .pointer_mut(path)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                let id = network(word(entry, "/Target"))?;
                entry["Target"] = json!(&*id);
            }
        }
        let runtime = word(&spec, "/TaskTemplate/Runtime").to_owned();
        match (runtime.as_str(), spec.pointer_mut("/TaskTemplate/ContainerSpec")) {
            ("" | "container", Some(Value::Object(container))) => convert::container(container)?,
            ("" | "container" | "plugin", _) => return Err(mismatched()),
            _ => return Err(Refusal::new(400, "unsupported runtime")),
        }
        spec["TaskTemplate"]["Runtime"] = json!("container");
        let restart = restart(&mut spec)?;
        let update = rollout(&mut spec, "UpdateConfig")?;
        let rollback = rollout(&mut spec, "RollbackConfig")?;
        let ports = convert::endpoint(&mut spec)?;
        let mode = mode(&mut spec)?;
        let mut template = spec["TaskTemplate"].clone();
        if let Value::Object(template) = &mut template {
            template.shift_remove("Runtime");
        }
        let list = |path: &str| {
            spec.pointer(path)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let ids = |path: &str, key: &str| -> Vec<Id> {
            list(path).iter().map(|entry| word(entry, key).into()).collect()
        };
        let mut networks = ids("/TaskTemplate/Networks", "/Target");
        if networks.is_empty() {
            networks = ids("/Networks", "/Target");
        }
        let constraints = list("/TaskTemplate/Placement/Constraints");
        let constraints = constraints.iter().filter_map(|text| {
            // The managers complain of those that cannot be read.
            Constraint::read(text.as_str().unwrap_or_default()).ok()
        });
        let labels = spec["Labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
        let number = |path: &str| spec.pointer(path).and_then(Value::as_i64).unwrap_or_default();
        let read = Self {
            json: spec.to_string(),
            template_json: template.to_string(),
            template,
            endpoint: spec.get("EndpointSpec").cloned().unwrap_or_else(|| json!({})),
            name: word(&spec, "/Name").to_owned(),
            labels: Arc::new(labels.collect()),
            mode,
            image: word(&spec, "/TaskTemplate/ContainerSpec/Image").to_owned(),
            networks,
            secrets: ids("/TaskTemplate/ContainerSpec/Secrets", "/SecretID"),
            configs: ids("/TaskTemplate/ContainerSpec/Configs", "/ConfigID"),
            ports,
            constraints: constraints.collect(),
            spread: ids("/TaskTemplate/Placement/Preferences", "/Spread/SpreadDescriptor")
                .iter()
                .map(ToString::to_string)
                .collect(),
            max_replicas: number("/TaskTemplate/Placement/MaxReplicas").unsigned_abs(),
            reserved_cpus: number("/TaskTemplate/Resources/Reservations/NanoCPUs"),
            reserved_memory: number("/TaskTemplate/Resources/Reservations/MemoryBytes"),
            restart,
            update,
            rollback,
            is_checked: spec
                .pointer("/TaskTemplate/ContainerSpec/Healthcheck/Test/0")
                .is_some_and(|first| first != "NONE"),
            vip: !matches!(word(&spec, "/EndpointSpec/Mode"), "dnsrr"),
        };
        Ok((read, spec))
    }

    /// What its own health check runs.
    pub(crate) fn check_command(&self) -> Option<String> {
        let test = self
            .template
            .pointer("/ContainerSpec/Healthcheck/Test")?
            .as_array()?;
        let words: Vec<&str> = test.iter().filter_map(Value::as_str).collect();
        match words.as_slice() {
            ["CMD", command @ ..] => Some(command.join(" ")),
            ["CMD-SHELL", command @ ..] => Some(format!("/bin/sh -c {}", command.join(" "))),
            _ => None,
        }
    }
}

fn mismatched() -> Refusal {
    Refusal::new(400, "mismatched Runtime and *Spec fields")
}

fn mode(spec: &mut Value) -> Result<Mode, Refusal> {
    let mode = spec["Mode"].as_object().cloned().unwrap_or_default();
    if mode.len() > 1 {
        return Err(Refusal::new(400, "must specify only one service mode"));
    }
    if mode.contains_key("ReplicatedJob") || mode.contains_key("GlobalJob") {
        return Err(Refusal::new(400, "the simulation runs no jobs"));
    }
    if mode.contains_key("Global") {
        return Ok(Mode::Global);
    }
    let replicas = mode.get("Replicated").and_then(|mode| mode.get("Replicas"));
    let replicas = replicas.and_then(Value::as_u64).unwrap_or(1);
    spec["Mode"] = json!({"Replicated": {"Replicas": replicas}});
    Ok(Mode::Replicated(replicas))
}

fn restart(spec: &mut Value) -> Result<Restart, Refusal> {
    let mut restart = Restart {
        condition: Condition::Any,
        delay: DEFAULT_RESTART_DELAY,
        max_attempts: 0,
        window: Duration::ZERO,
    };
    let Some(Value::Object(policy)) = spec.pointer_mut("/TaskTemplate/RestartPolicy") else {
        return Ok(restart);
    };
    let condition = policy
        .get("Condition")
        .and_then(Value::as_str)
        .unwrap_or_default();
    restart.condition = match condition {
        "" | "any" => Condition::Any,
        "none" => Condition::None,
        "on-failure" => Condition::OnFailure,
        other => return Err(Refusal::new(400, format!("invalid RestartCondition: {other:?}"))),
    };
    if condition.is_empty() {
        policy.shift_insert(0, "Condition".to_owned(), json!("any"));
    }
    if let Some(delay) = policy.get("Delay") {
        restart.delay = duration(Some(delay));
    }
    restart.window = duration(policy.get("Window"));
    restart.max_attempts = policy
        .get("MaxAttempts")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    Ok(restart)
}

/// Nanoseconds; what is negative counts as none.
fn duration(nanos: Option<&Value>) -> Duration {
    let nanos = nanos.and_then(Value::as_i64).unwrap_or_default();
    Duration::from_nanos(nanos.max(0).unsigned_abs())
}

fn rollout(spec: &mut Value, which: &str) -> Result<Rollout, Refusal> {
    let mut rollout = Rollout {
        parallelism: 1,
        delay: Duration::ZERO,
        action: FailureAction::Pause,
        monitor: DEFAULT_MONITOR,
        max_failure_ratio: 0.0,
        start_first: false,
    };
    let Some(Value::Object(config)) = spec.get_mut(which) else {
        return Ok(rollout);
    };
    let text = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    rollout.action = match text("FailureAction") {
        "" | "pause" => FailureAction::Pause,
        "continue" => FailureAction::Continue,
        "rollback" => FailureAction::Rollback,
        other => {
            return Err(Refusal::new(
                400,
                format!("unrecognized update failure action {other}"),
            ));
        }
    };
    rollout.start_first = match text("Order") {
        "" | "stop-first" => false,
        "start-first" => true,
        other => return Err(Refusal::new(400, format!("unrecognized update order {other}"))),
    };
    rollout.delay = duration(config.get("Delay"));
    let monitor = duration(config.get("Monitor"));
    if !monitor.is_zero() {
        rollout.monitor = monitor;
    }
    rollout.parallelism = config
        .get("Parallelism")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    rollout.max_failure_ratio = config
        .get("MaxFailureRatio")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    // What the engine writes, in its order.
    let mut written = Map::new();
    written.insert("Parallelism".to_owned(), json!(rollout.parallelism));
    for key in ["Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order"] {
        let default = match key {
            "FailureAction" => Some(json!("pause")),
            "Order" => Some(json!("stop-first")),
            _ => None,
        };
        if let Some(value) = config.get(key).cloned().or(default) {
            written.insert(key.to_owned(), value);
        }
    }
    *config = written;
    Ok(rollout)
}

/// A text in a spec; empty when it is not there.
pub(super) fn word<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The complaint about a constraint that cannot be read.
pub(super) fn bad_constraint(message: &str) -> Refusal {
    Refusal::rpc(Code::Unknown, message)
}
