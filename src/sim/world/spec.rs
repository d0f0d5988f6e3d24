//! A service's spec: as the engine shows it, and the parts that decide something.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::constraint::Constraint;
use super::fields;
use super::images::split_tag;
use super::model::{Id, Labels};
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
    /// Reads a request. `network` finds a network's id by what the request calls it.
    ///
    /// # Errors
    /// Whatever the engine itself, before its managers, finds wrong.
    pub(crate) fn read(
        request: &Value,
        network: impl Fn(&str) -> Result<Id, Refusal>,
    ) -> Result<Self, Refusal> {
        let Some(mut spec) = shaped(&fields::SERVICE, request)? else {
            return Err(mismatched());
        };
        let container = spec.pointer_mut("/TaskTemplate/ContainerSpec");
        let Some(Value::Object(container)) = container else {
            return Err(mismatched());
        };
        set_isolation(container);
        if !matches!(word(&spec, "/TaskTemplate/Runtime"), "" | "container") {
            return Err(mismatched());
        }
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
        spec["TaskTemplate"]["Runtime"] = json!("container");
        let mode = mode(&mut spec)?;
        let restart = restart(&mut spec)?;
        let update = rollout(&mut spec, "UpdateConfig")?;
        let rollback = rollout(&mut spec, "RollbackConfig")?;
        if let Some(Value::Object(endpoint)) = spec.get_mut("EndpointSpec")
            && !endpoint.contains_key("Mode")
        {
            endpoint.shift_insert(0, "Mode".to_owned(), json!("vip"));
        }
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
        let constraints: Result<_, _> = list("/TaskTemplate/Placement/Constraints")
            .iter()
            .map(|text| Constraint::read(text.as_str().unwrap_or_default()))
            .collect();
        let labels = spec["Labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
        let number = |path: &str| spec.pointer(path).and_then(Value::as_i64).unwrap_or_default();
        Ok(Self {
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
            constraints: constraints?,
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
        })
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

/// The engine's own addition to every container.
fn set_isolation(container: &mut Map<String, Value>) {
    const BEHIND: [&str; 4] = ["Sysctls", "CapabilityAdd", "CapabilityDrop", "Ulimits"];
    if container.contains_key("Isolation") {
        return;
    }
    let place = container
        .keys()
        .position(|key| BEHIND.contains(&key.as_str()))
        .unwrap_or(container.len());
    container.shift_insert(place, "Isolation".to_owned(), json!("default"));
}

fn mode(spec: &mut Value) -> Result<Mode, Refusal> {
    let mode = spec["Mode"].as_object().cloned().unwrap_or_default();
    match (mode.get("Replicated"), mode.get("Global")) {
        (Some(_), Some(_)) => Err(Refusal::new(400, "must specify only one service mode")),
        (_, Some(_)) => Ok(Mode::Global),
        (replicated, None) => {
            let replicas = replicated
                .and_then(|mode| mode.get("Replicas"))
                .and_then(Value::as_u64)
                .unwrap_or(1);
            spec["Mode"] = json!({"Replicated": {"Replicas": replicas}});
            Ok(Mode::Replicated(replicas))
        }
    }
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
    let time = |key: &str| policy.get(key).and_then(Value::as_i64);
    if time("Delay").is_some_and(|delay| delay < 0) {
        return Err(Refusal::invalid("TaskSpec: restart-delay cannot be negative"));
    }
    if time("Window").is_some_and(|window| window < 0) {
        return Err(Refusal::invalid("TaskSpec: restart-window cannot be negative"));
    }
    if let Some(delay) = time("Delay") {
        restart.delay = Duration::from_nanos(delay.unsigned_abs());
    }
    restart.window = Duration::from_nanos(time("Window").unwrap_or_default().unsigned_abs());
    restart.max_attempts = policy
        .get("MaxAttempts")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    Ok(restart)
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
    let time = |key: &str| config.get(key).and_then(Value::as_i64).unwrap_or_default();
    if time("Delay") < 0 {
        return Err(Refusal::invalid("TaskSpec: update-delay cannot be negative"));
    }
    if time("Monitor") < 0 {
        return Err(Refusal::invalid("TaskSpec: update-monitor cannot be negative"));
    }
    rollout.delay = Duration::from_nanos(time("Delay").unsigned_abs());
    if time("Monitor") > 0 {
        rollout.monitor = Duration::from_nanos(time("Monitor").unsigned_abs());
    }
    rollout.parallelism = config
        .get("Parallelism")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    rollout.max_failure_ratio = config
        .get("MaxFailureRatio")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    if !(0.0..=1.0).contains(&rollout.max_failure_ratio) {
        return Err(Refusal::invalid(
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ));
    }
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

/// What the managers themselves check of a spec.
///
/// # Errors
/// Their complaint.
pub(crate) fn check(spec: &Spec) -> Result<(), Refusal> {
    check_name(&spec.name)?;
    let template = &spec.template;
    for place in ["Limits", "Reservations"] {
        let amount = |key: &str| {
            template
                .pointer(&format!("/Resources/{place}/{key}"))
                .and_then(Value::as_i64)
                .unwrap_or_default()
        };
        let (cpus, memory) = (amount("NanoCPUs"), amount("MemoryBytes"));
        if cpus != 0 && cpus < 1_000_000 {
            let cpus = go_float(cpus);
            return Err(Refusal::invalid(&format!(
                "invalid cpu value {cpus}: Must be at least 0.001"
            )));
        }
        if memory != 0 && memory < 4 << 20 {
            return Err(Refusal::invalid(&format!(
                "invalid memory value {memory}: Must be at least 4MiB"
            )));
        }
    }
    if spec.image.is_empty() {
        return Err(Refusal::invalid(
            "ContainerSpec: image reference must be provided",
        ));
    }
    if !is_image(&spec.image) {
        return Err(Refusal::invalid(&format!(
            "ContainerSpec: {:?} is not a valid repository/tag",
            spec.image
        )));
    }
    let mounts = template
        .pointer("/ContainerSpec/Mounts")
        .and_then(Value::as_array);
    let mut targets = std::collections::BTreeSet::new();
    for mount in mounts.into_iter().flatten() {
        let target = word(mount, "/Target");
        if !targets.insert(target) {
            return Err(Refusal::invalid(&format!(
                "ContainerSpec: duplicate mount point: {target}"
            )));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
    let ends = name.bytes().next().into_iter().chain(name.bytes().last());
    if name.is_empty() || !name.bytes().all(inner) || !ends.clone().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::invalid("name must be valid as a DNS name component"));
    }
    if name.len() > 63 {
        return Err(Refusal::invalid("name must be 63 characters or fewer"));
    }
    Ok(())
}

/// Whether a network may have the name.
///
/// # Errors
/// The managers' complaint.
pub(crate) fn check_network_name(name: &str) -> Result<(), Refusal> {
    check_name(name)
}

fn is_image(text: &str) -> bool {
    let (path, tag) = split_tag(text);
    let tag = tag.unwrap_or("latest");
    let host_ended = path
        .split('/')
        .next()
        .is_some_and(|host| host.contains([':', '.']));
    let parts = path
        .split('/')
        .skip(usize::from(host_ended && path.contains('/')));
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let tag_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !tag.is_empty()
        && tag.bytes().all(tag_letter)
        && parts
            .into_iter()
            .all(|part| !part.is_empty() && part.bytes().all(letter))
}

/// Billionths as Go prints a float64.
fn go_float(nanos: i64) -> String {
    let text = format!("{:e}", nanos as f64 / 1e9);
    match text.split_once("e-") {
        Some((digits, exponent)) if exponent.len() == 1 && exponent >= "5" => {
            format!("{digits}e-0{exponent}")
        }
        _ => format!("{}", nanos as f64 / 1e9),
    }
}

fn word<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The complaint about a constraint that cannot be read.
pub(super) fn bad_constraint(message: &str) -> Refusal {
    Refusal::rpc(Code::Unknown, message)
}
