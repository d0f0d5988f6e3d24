//! Field by field: how a live service differs from the desired one, and how deep the change cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::resource::duration::Duration;
use crate::resource::names::label;
use crate::resource::workload::{Amount, DesiredHealthCheck};

use super::action::FieldChange;
use super::mask;
use super::service::{ContainerSpec, FileRef, MountSpec, PortSpec, RestartPolicy, ServiceSpec, UpdatePolicy};
use super::words;

/// Labels that are bookkeeping: they are written along with a change and are none by themselves, so that an
/// edit that does not concern a service does not touch it.
const BOOKKEEPING: [&str; 2] = [label::GENERATION, label::SPEC_HASH];

/// How two services differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Every field that differs, secrets masked.
    pub(super) fields: Vec<FieldChange>,
    /// Whether bringing it about stops the agent and starts another one.
    pub(super) replaces: bool,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Notes a field of the task template: the engine makes a new task for it.
    fn task<T: PartialEq>(
        &mut self,
        field: impl Into<String>,
        old: &T,
        new: &T,
        show: impl Fn(&T) -> String,
    ) {
        if self.service(field, old, new, show) {
            self.replaces = true;
        }
    }

    /// Notes a field that the engine changes beside the running task. Returns whether it differs.
    fn service<T: PartialEq>(
        &mut self,
        field: impl Into<String>,
        old: &T,
        new: &T,
        show: impl Fn(&T) -> String,
    ) -> bool {
        let differs = old != new;
        if differs {
            self.push(field.into(), Some(show(old)), Some(show(new)));
        }
        differs
    }

    /// Notes the entries of two maps that differ. Returns whether any does.
    fn entries<T: PartialEq>(
        &mut self,
        field: &str,
        old: &BTreeMap<&str, T>,
        new: &BTreeMap<&str, T>,
        show: impl Fn(&str, &T) -> String,
    ) -> bool {
        let names: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
        let before = self.fields.len();
        for name in names {
            let (old, new) = (old.get(name), new.get(name));
            if old != new {
                let shown = |value: Option<&T>| value.map(|value| show(name, value));
                self.push(format!("{field}.{name}"), shown(old), shown(new));
            }
        }
        self.fields.len() > before
    }

    fn push(&mut self, field: String, old: Option<String>, new: Option<String>) {
        self.fields.push(FieldChange { field, old, new });
    }
}

/// How `live` differs from `desired`, but for the name and bookkeeping labels.
pub(super) fn diff(live: &ServiceSpec, desired: &ServiceSpec) -> Difference {
    let ServiceSpec {
        name: _,
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
    } = live;
    let mut found = Difference::default();
    self::container(&mut found, container, &desired.container);
    amount(&mut found, "resources.limits", *limits, desired.limits);
    amount(
        &mut found,
        "resources.requests",
        *reservations,
        desired.reservations,
    );
    let sorted = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    found.task(
        "placement.constraints",
        &sorted(constraints),
        &sorted(&desired.constraints),
        |all| joined(all),
    );
    found.task("networks", networks, &desired.networks, |all| joined(all));
    restart_policy(&mut found, *restart, desired.restart);
    found.task("endpoint.dnsrr", dnsrr, &desired.dnsrr, shown);
    found.task("host.ports", ports, &desired.ports, |all| {
        joined(all.iter().map(describe_port))
    });
    found.service(
        "placement.preferences",
        preferences,
        &desired.preferences,
        |all| joined(all),
    );
    found.service("replicas", replicas, &desired.replicas, shown);
    update_policy(&mut found, *update, desired.update);
    found.entries("labels", &owned(labels), &owned(&desired.labels), |_, value| {
        (*value).clone()
    });
    found
}

fn container(found: &mut Difference, live: &ContainerSpec, desired: &ContainerSpec) {
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
    } = live;
    found.task("container.image", image, &desired.image, String::clone);
    found.task("container.command", command, &desired.command, |words| {
        mask::command(words)
    });
    found.task("container.args", args, &desired.args, |words| {
        mask::command(words)
    });
    found.replaces |= found.entries(
        "container.env",
        &by_name(env),
        &by_name(&desired.env),
        |name, value| mask::variable(name, value),
    );
    found.task("container.user", user, &desired.user, String::clone);
    found.replaces |= found.entries(
        "container.mounts",
        &targets(mounts),
        &targets(&desired.mounts),
        |_, all| joined(all.iter().map(|mount| describe_mount(mount))),
    );
    found.task("host.capabilities", capabilities, &desired.capabilities, |all| {
        joined(all)
    });
    found.replaces |= found.entries(
        "host.sysctls",
        &by_name(sysctls),
        &by_name(&desired.sysctls),
        |_, value| (*value).clone(),
    );
    for (field, old, new) in [
        ("container.secrets", secrets, &desired.secrets),
        ("container.configs", configs, &desired.configs),
    ] {
        found.replaces |= found.entries(field, &paths(old), &paths(new), |_, sources| joined(sources));
    }
    found.task(
        "container.healthCheck",
        health_check,
        &desired.health_check,
        |check| {
            check
                .as_ref()
                .map_or("the image's own".to_owned(), describe_check)
        },
    );
    let grace = &desired.stop_grace_period;
    found.task("container.stopGracePeriod", stop_grace_period, grace, |time| {
        Duration(*time).to_string()
    });
    found.task("container.readOnly", read_only, &desired.read_only, shown);
    found.task("container.init", init, &desired.init, |init| {
        init.map_or("the daemon's default".to_owned(), |init| init.to_string())
    });
}

fn amount(found: &mut Difference, field: &str, live: Amount, desired: Amount) {
    let Amount {
        nano_cpus,
        memory_bytes,
    } = live;
    found.task(format!("{field}.cpu"), &nano_cpus, &desired.nano_cpus, |nano| {
        words::cpu(*nano)
    });
    found.task(
        format!("{field}.memory"),
        &memory_bytes,
        &desired.memory_bytes,
        |bytes| words::memory(*bytes),
    );
}

fn restart_policy(found: &mut Difference, live: RestartPolicy, desired: RestartPolicy) {
    let RestartPolicy {
        always,
        delay,
        max_attempts,
        window,
    } = live;
    found.task("restart.always", &always, &desired.always, shown);
    found.task("restart.delay", &delay, &desired.delay, |time| {
        Duration(*time).to_string()
    });
    found.task("restart.maxAttempts", &max_attempts, &desired.max_attempts, shown);
    found.task("restart.window", &window, &desired.window, |time| {
        Duration(*time).to_string()
    });
}

fn update_policy(found: &mut Difference, live: UpdatePolicy, desired: UpdatePolicy) {
    let UpdatePolicy {
        stop_first,
        pause_on_failure,
        parallelism,
    } = live;
    found.service("update.stopFirst", &stop_first, &desired.stop_first, shown);
    let pause = &desired.pause_on_failure;
    found.service("update.pauseOnFailure", &pause_on_failure, pause, shown);
    found.service("update.parallelism", &parallelism, &desired.parallelism, shown);
}

fn owned(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &String> {
    by_name(labels)
        .into_iter()
        .filter(|(name, _)| !BOOKKEEPING.contains(name))
        .collect()
}

fn by_name(map: &BTreeMap<String, String>) -> BTreeMap<&str, &String> {
    map.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

fn targets(mounts: &[MountSpec]) -> BTreeMap<&str, BTreeSet<&MountSpec>> {
    let mut targets: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for mount in mounts {
        targets.entry(mount.target.as_str()).or_default().insert(mount);
    }
    targets
}

fn paths(files: &[FileRef]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut paths: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for FileRef { source, path } in files {
        paths.entry(path.as_str()).or_default().insert(source.as_str());
    }
    paths
}

fn describe_mount(mount: &MountSpec) -> String {
    let MountSpec {
        target: _,
        mount_type,
        source,
        read_only,
    } = mount;
    let mode = if *read_only { " (read-only)" } else { "" };
    format!("{mount_type} {source}").trim_end().to_owned() + mode
}

fn describe_port(port: &PortSpec) -> String {
    let PortSpec {
        port,
        target,
        protocol,
        of_node,
    } = port;
    let whose = if *of_node { "" } else { " of every node" };
    format!("{port}:{target}/{protocol}{whose}")
}

fn describe_check(check: &DesiredHealthCheck) -> String {
    let DesiredHealthCheck {
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = check;
    if command.is_empty() {
        return "off".to_owned();
    }
    format!(
        "{} every {}, at most {}, after {}, {retries} retries",
        mask::command(command),
        Duration(*interval),
        Duration(*timeout),
        Duration(*start_period),
    )
}

fn joined<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    items.join(", ")
}

fn shown<T: fmt::Display>(value: &T) -> String {
    value.to_string()
}
