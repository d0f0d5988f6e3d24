//! The fields that we own -> the engine's JSON of a service, over what is there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Ids, decode, is_ours};
use crate::plan::service::{
    ContainerSpec, FileRef, MountSpec, PortSpec, RestartPolicy, ServiceSpec, UpdatePolicy,
};
use crate::resource::workload::{Amount, DesiredHealthCheck};
use crate::swarm::wire;

const CONTAINER: &str = "/TaskTemplate/ContainerSpec";

/// What to send to make a service (without `base`), or to change the one that is there (`base`, its raw `Spec`).
///
/// Of `base` only those of our fields change whose meaning differs: everything else, and the way in which
/// equal things are written, stays, because any change of the task template restarts the task. Names that
/// `ids` does not know are sent as they are.
pub(in crate::swarm) fn encode(want: &ServiceSpec, base: Option<&Value>, ids: &Ids) -> Value {
    let mut draft = Draft {
        have: base.map(|base| understood(base, ids)),
        json: base.cloned().unwrap_or_else(|| json!({})),
    };
    let ServiceSpec {
        name,
        labels,
        replicas,
        container,
        limits,
        reservations,
        constraints,
        preferences,
        networks,
        restart,
        update,
        dnsrr,
        ports,
    } = want;
    draft.put("/Name", json!(name));
    if draft.differs(labels, |have| &have.labels) {
        draft.labels(labels);
    }
    if draft.differs(replicas, |have| &have.replicas) {
        draft.put("/Mode/Replicated/Replicas", json!(replicas));
    }
    if draft.differs(limits, |have| &have.limits) {
        draft.amount("/TaskTemplate/Resources/Limits", limits);
    }
    if draft.differs(reservations, |have| &have.reservations) {
        draft.amount("/TaskTemplate/Resources/Reservations", reservations);
    }
    if draft.differs(constraints, |have| &have.constraints) {
        draft.put("/TaskTemplate/Placement/Constraints", json!(constraints));
    }
    if draft.differs(preferences, |have| &have.preferences) {
        let spread: Vec<Value> = preferences
            .iter()
            .map(|descriptor| json!({"Spread": {"SpreadDescriptor": descriptor}}))
            .collect();
        draft.put("/TaskTemplate/Placement/Preferences", json!(spread));
    }
    if draft.differs(networks, |have| &have.networks) {
        let targets: Vec<(&str, Value)> = networks
            .iter()
            .map(|name| ids.networks.get(name).unwrap_or(name))
            .map(|target| (target.as_str(), json!({"Target": target})))
            .collect();
        draft.list("/TaskTemplate/Networks", targets, |entry| text(entry, "/Target"));
    }
    if draft.differs(restart, |have| &have.restart) {
        draft.restart(*restart);
    }
    if draft.differs(update, |have| &have.update) {
        draft.update(*update);
    }
    if draft.differs(dnsrr, |have| &have.dnsrr) {
        draft.put("/EndpointSpec/Mode", json!(if *dnsrr { "dnsrr" } else { "vip" }));
    }
    if draft.differs(ports, |have| &have.ports) {
        let ports: Vec<Value> = ports.iter().map(port_json).collect();
        draft.put_or_remove(
            "/EndpointSpec",
            "Ports",
            (!ports.is_empty()).then(|| json!(ports)),
        );
    }
    draft.container(container, ids);
    draft.json
}

/// What to send to let a service go: its raw `Spec` without our labels.
pub(in crate::swarm) fn release(base: &Value) -> Value {
    let mut draft = Draft {
        have: None,
        json: base.clone(),
    };
    draft.labels(&BTreeMap::new());
    draft.json
}

/// The owned fields of `base`, its networks by name.
fn understood(base: &Value, ids: &Ids) -> ServiceSpec {
    let mut spec = decode(&wire::Spec::deserialize(base).unwrap_or_default());
    let names: BTreeMap<&str, &str> = ids
        .networks
        .iter()
        .map(|(name, id)| (id.as_str(), name.as_str()))
        .collect();
    spec.networks = spec
        .networks
        .iter()
        .map(|id| names.get(id.as_str()).copied().unwrap_or(id).to_owned())
        .collect();
    spec
}

struct Draft {
    /// What is there, understood; `None` for a new service, of which every field is written.
    have: Option<ServiceSpec>,
    json: Value,
}

impl Draft {
    fn differs<T: PartialEq>(&self, want: &T, pick: impl Fn(&ServiceSpec) -> &T) -> bool {
        self.have.as_ref().is_none_or(|have| pick(have) != want)
    }

    fn container(&mut self, want: &ContainerSpec, ids: &Ids) {
        let ContainerSpec {
            image,
            command,
            args,
            env,
            user,
            mounts,
            capabilities,
            sysctls,
            secrets,
            configs,
            health_check,
            stop_grace_period,
            read_only,
            init,
        } = want;
        if self.differs(image, |have| &have.container.image) {
            self.put("/TaskTemplate/ContainerSpec/Image", json!(image));
        }
        if self.differs(command, |have| &have.container.command) {
            self.put_or_remove(
                CONTAINER,
                "Command",
                (!command.is_empty()).then(|| json!(command)),
            );
        }
        if self.differs(args, |have| &have.container.args) {
            self.put_or_remove(CONTAINER, "Args", (!args.is_empty()).then(|| json!(args)));
        }
        if self.differs(env, |have| &have.container.env) {
            let lines: Vec<String> = env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            self.put_or_remove(CONTAINER, "Env", (!lines.is_empty()).then(|| json!(lines)));
        }
        if self.differs(user, |have| &have.container.user) {
            self.put_or_remove(CONTAINER, "User", (!user.is_empty()).then(|| json!(user)));
        }
        if self.differs(mounts, |have| &have.container.mounts) {
            let entries = mounts
                .iter()
                .map(|mount| (mount.target.as_str(), mount_json(mount)))
                .collect();
            self.list("/TaskTemplate/ContainerSpec/Mounts", entries, |entry| {
                text(entry, "/Target")
            });
        }
        if self.differs(capabilities, |have| &have.container.capabilities) {
            let names: Vec<String> = capabilities.iter().map(|name| capability(name)).collect();
            self.put_or_remove(
                CONTAINER,
                "CapabilityAdd",
                (!names.is_empty()).then(|| json!(names)),
            );
        }
        if self.differs(sysctls, |have| &have.container.sysctls) {
            self.put_or_remove(
                CONTAINER,
                "Sysctls",
                (!sysctls.is_empty()).then(|| json!(sysctls)),
            );
        }
        if self.differs(secrets, |have| &have.container.secrets) {
            let entries = secrets
                .iter()
                .map(|file| file_json(file, "Secret", &ids.secrets))
                .collect();
            self.files("Secrets", entries);
        }
        if self.differs(configs, |have| &have.container.configs) {
            let entries = configs
                .iter()
                .map(|file| file_json(file, "Config", &ids.configs))
                .collect();
            self.files("Configs", entries);
        }
        if self.differs(health_check, |have| &have.container.health_check) {
            self.put_or_remove(CONTAINER, "Healthcheck", health_check.as_ref().map(health_json));
        }
        if self.differs(stop_grace_period, |have| &have.container.stop_grace_period) {
            self.put(
                "/TaskTemplate/ContainerSpec/StopGracePeriod",
                nanos(*stop_grace_period),
            );
        }
        if self.differs(read_only, |have| &have.container.read_only) {
            self.put_or_remove(CONTAINER, "ReadOnly", read_only.then(|| json!(true)));
        }
        if self.differs(init, |have| &have.container.init) {
            self.put_or_remove(CONTAINER, "Init", init.map(|init| json!(init)));
        }
    }

    fn labels(&mut self, ours: &BTreeMap<String, String>) {
        change(&mut self.json, "/Labels", |labels| {
            labels.retain(|key, _| !is_ours(key));
            labels.extend(ours.iter().map(|(key, value)| (key.clone(), json!(value))));
        });
    }

    fn amount(&mut self, path: &str, amount: &Amount) {
        let Amount {
            nano_cpus,
            memory_bytes,
        } = *amount;
        self.put_or_remove(path, "NanoCPUs", (nano_cpus != 0).then(|| json!(nano_cpus)));
        self.put_or_remove(
            path,
            "MemoryBytes",
            (memory_bytes != 0).then(|| json!(memory_bytes)),
        );
    }

    fn restart(&mut self, restart: RestartPolicy) {
        let RestartPolicy {
            always,
            delay,
            max_attempts,
            window,
        } = restart;
        change(&mut self.json, "/TaskTemplate/RestartPolicy", |policy| {
            policy.insert(
                "Condition".into(),
                json!(if always { "any" } else { "on-failure" }),
            );
            policy.insert("Delay".into(), nanos(delay));
            policy.insert("MaxAttempts".into(), json!(max_attempts));
            policy.insert("Window".into(), nanos(window));
        });
    }

    fn update(&mut self, update: UpdatePolicy) {
        let UpdatePolicy {
            stop_first,
            pause_on_failure,
            parallelism,
        } = update;
        change(&mut self.json, "/UpdateConfig", |config| {
            config.insert(
                "Order".into(),
                json!(if stop_first { "stop-first" } else { "start-first" }),
            );
            config.insert(
                "FailureAction".into(),
                json!(if pause_on_failure { "pause" } else { "continue" }),
            );
            config.insert("Parallelism".into(), json!(parallelism));
        });
    }

    /// Secrets or configs. Entries that put no file into the container are not ours and stay.
    fn files(&mut self, field: &str, mut entries: Vec<(&str, Value)>) {
        let path = format!("{CONTAINER}/{field}");
        let others: Vec<Value> = array(&self.json, &path)
            .iter()
            .filter(|entry| entry.get("File").is_none_or(Value::is_null))
            .cloned()
            .collect();
        entries.extend(others.into_iter().map(|entry| ("", entry)));
        self.list(&path, entries, |entry| text(entry, "/File/Name"));
    }

    /// Writes a list. Where an entry of the same key and type is there already, what it holds beyond ours stays.
    fn list(&mut self, path: &str, entries: Vec<(&str, Value)>, key: impl Fn(&Value) -> &str) {
        let old = array(&self.json, path).to_vec();
        let same = |old: &&Value, name: &str, new: &Value| {
            !name.is_empty() && key(old) == name && old.get("Type") == new.get("Type")
        };
        let new: Vec<Value> = entries
            .into_iter()
            .map(
                |(name, entry)| match old.iter().find(|old| same(old, name, &entry)) {
                    Some(old) => overlaid(old, entry),
                    None => entry,
                },
            )
            .collect();
        self.put(path, Value::Array(new));
    }

    fn put(&mut self, path: &str, value: Value) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.put_or_remove(parent, name, Some(value));
    }

    fn put_or_remove(&mut self, parent: &str, name: &str, value: Option<Value>) {
        change(&mut self.json, parent, |object| {
            match value {
                Some(value) => object.insert(name.to_owned(), value),
                None => object.shift_remove(name),
            };
        });
    }
}

/// Changes the object at a path; it, and what leads to it, is made where it is missing.
fn change(json: &mut Value, path: &str, with: impl FnOnce(&mut Map<String, Value>)) {
    let mut object = match json.take() {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    match path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((path.trim_start_matches('/'), ""))
    {
        ("", _) => with(&mut object),
        (head, rest) => change(object.entry(head).or_insert(Value::Null), rest, with),
    }
    *json = Value::Object(object);
}

fn array<'a>(json: &'a Value, path: &str) -> &'a [Value] {
    json.pointer(path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(json: &'a Value, path: &str) -> &'a str {
    json.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// `old` with the fields of `new` over it.
fn overlaid(old: &Value, new: Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut both = old.clone();
            for (key, value) in new {
                let value = both
                    .get(&key)
                    .map_or_else(|| value.clone(), |old| overlaid(old, value.clone()));
                both.insert(key, value);
            }
            Value::Object(both)
        }
        (_, new) => new,
    }
}

fn mount_json(mount: &MountSpec) -> Value {
    let MountSpec {
        target,
        mount_type,
        source,
        read_only,
    } = mount;
    json!({"Type": mount_type, "Source": source, "Target": target, "ReadOnly": read_only})
}

/// As the engine writes it: `ALL` is no capability by itself.
fn capability(name: &str) -> String {
    match name {
        "ALL" => name.to_owned(),
        name => format!("CAP_{name}"),
    }
}

fn port_json(port: &PortSpec) -> Value {
    let PortSpec {
        port,
        target,
        protocol,
        of_node,
    } = port;
    let mode = if *of_node { "host" } else { "ingress" };
    json!({"Protocol": protocol, "TargetPort": target, "PublishedPort": port, "PublishMode": mode})
}

/// A file that everybody in the container may read and nobody may write, as `docker service create` makes it.
fn file_json<'a>(file: &'a FileRef, kind: &str, ids: &BTreeMap<String, String>) -> (&'a str, Value) {
    let FileRef { source, path } = file;
    let id = ids.get(source).unwrap_or(source);
    let value = json!({
        "File": {"Name": path, "UID": "0", "GID": "0", "Mode": 0o444},
        format!("{kind}ID"): id,
        format!("{kind}Name"): source,
    });
    (path, value)
}

fn health_json(check: &DesiredHealthCheck) -> Value {
    let DesiredHealthCheck {
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = check;
    let head = if command.is_empty() { "NONE" } else { "CMD" };
    let test: Vec<&str> = std::iter::once(head)
        .chain(command.iter().map(String::as_str))
        .collect();
    json!({
        "Test": test,
        "Interval": nanos(*interval),
        "Timeout": nanos(*timeout),
        "StartPeriod": nanos(*start_period),
        "Retries": retries,
    })
}

/// A duration as the engine writes it; over 292 years it says so by its limit.
fn nanos(duration: Duration) -> Value {
    json!(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
