//! The engine's JSON of a service -> the fields that we own.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{DEFAULT_RESTART_DELAY_NANOS, DEFAULT_STOP_GRACE_NANOS, is_ours};
use crate::plan::service::{
    ContainerSpec, FileRef, MountSpec, PortSpec, RestartPolicy, ServiceSpec, UpdatePolicy,
};
use crate::resource::policy::bare_capability;
use crate::resource::workload::{Amount, DesiredHealthCheck};
use crate::swarm::wire;

/// The fields that we own. `networks` holds what the engine does: network ids.
pub(in crate::swarm) fn decode(spec: &wire::Spec) -> ServiceSpec {
    let task = wire::TaskTemplate::deserialize(&spec.task).unwrap_or_default();
    let networks = if task.networks.is_empty() {
        &spec.networks
    } else {
        &task.networks
    };
    ServiceSpec {
        name: spec.name.clone(),
        labels: spec
            .labels
            .iter()
            .filter(|(key, _)| is_ours(key))
            .map(owned)
            .collect(),
        replicas: spec.mode.replicated.as_ref().map_or(0, |mode| mode.replicas),
        limits: amount(&task.resources.limits),
        reservations: amount(&task.resources.reservations),
        constraints: task.placement.constraints,
        preferences: task
            .placement
            .preferences
            .into_iter()
            .map(|preference| preference.spread.descriptor)
            .collect(),
        networks: networks.iter().map(|network| network.target.clone()).collect(),
        restart: restart(task.restart),
        update: update(spec.update.as_ref()),
        dnsrr: spec.endpoint.mode == "dnsrr",
        ports: spec.endpoint.ports.iter().map(port).collect(),
        container: container(task.container),
    }
}

/// What decides whether a task runs a service's current spec: equal for a task's `Spec` and a service's
/// `TaskTemplate` when the engine would keep the task.
///
/// Placement is left out, since the engine keeps a task whose node still fits, with the spec that it was made
/// from. The engine's own addition to templates alone, `Runtime`, is left out too.
pub(in crate::swarm) fn template_print(template: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in template.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "Placement" | "Runtime") {
            (key, value.to_string()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn container(from: wire::Container) -> ContainerSpec {
    ContainerSpec {
        image: from.image,
        command: from.command,
        args: from.args,
        env: from.env.iter().map(|line| variable(line)).collect(),
        user: from.user,
        mounts: from.mounts.into_iter().map(mount).collect(),
        capabilities: from
            .capabilities
            .iter()
            .map(|name| bare_capability(name))
            .collect(),
        sysctls: from.sysctls,
        secrets: from
            .secrets
            .into_iter()
            .filter_map(|one| {
                Some(FileRef {
                    source: one.name,
                    path: one.file?.name,
                })
            })
            .collect(),
        configs: from
            .configs
            .into_iter()
            .filter_map(|one| {
                Some(FileRef {
                    source: one.name,
                    path: one.file?.name,
                })
            })
            .collect(),
        health_check: from.health.and_then(health),
        stop_grace_period: nanos(from.stop_grace_period.unwrap_or(DEFAULT_STOP_GRACE_NANOS)),
        read_only: from.read_only,
        init: from.init,
    }
}

fn variable(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    (name.to_owned(), value.to_owned())
}

fn mount(from: wire::Mount) -> MountSpec {
    MountSpec {
        target: from.target,
        mount_type: from.mount_type,
        source: from.source,
        read_only: from.read_only,
    }
}

fn port(from: &wire::Port) -> PortSpec {
    PortSpec {
        port: from.published,
        target: from.target,
        protocol: from.protocol.clone(),
        of_node: from.mode == "host",
    }
}

/// A health check in exec form loses its leading `CMD`, and a check that is turned off its `NONE`. Any other
/// form (`CMD-SHELL`) keeps its first word, and so equals none of ours.
fn health(from: wire::Health) -> Option<DesiredHealthCheck> {
    if from == wire::Health::default() {
        return None;
    }
    let mut command = from.test;
    if matches!(command.first().map(String::as_str), Some("CMD" | "NONE")) {
        command.remove(0);
    }
    Some(DesiredHealthCheck {
        command,
        interval: nanos(from.interval),
        timeout: nanos(from.timeout),
        start_period: nanos(from.start_period),
        retries: from.retries.try_into().unwrap_or_default(),
    })
}

fn restart(from: Option<wire::RestartPolicy>) -> RestartPolicy {
    let from = from.unwrap_or_default();
    RestartPolicy {
        always: matches!(from.condition.as_str(), "any" | ""),
        delay: nanos(from.delay.unwrap_or(DEFAULT_RESTART_DELAY_NANOS)),
        max_attempts: from.max_attempts,
        window: nanos(from.window),
    }
}

fn update(from: Option<&wire::UpdateConfig>) -> UpdatePolicy {
    UpdatePolicy {
        stop_first: from.is_none_or(|from| matches!(from.order.as_str(), "stop-first" | "")),
        pause_on_failure: from.is_none_or(|from| matches!(from.failure_action.as_str(), "pause" | "")),
        parallelism: from.map_or(1, |from| from.parallelism),
    }
}

fn amount(from: &wire::Amount) -> Amount {
    Amount {
        nano_cpus: from.nano_cpus,
        memory_bytes: from.memory_bytes,
    }
}

fn nanos(count: i64) -> Duration {
    Duration::from_nanos(count.try_into().unwrap_or_default())
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}
