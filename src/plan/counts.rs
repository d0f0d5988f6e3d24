//! The numbers of a status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::resource::kinds::{RoleStatus, WorkloadStatus};
use crate::resource::names::label;
use crate::resource::workload::{Owner, Workload};

use super::assess::Assessed;
use super::health::{Verdict, judge};
use super::observed::{Observed, Service};
use super::ownership::Ownership;
use super::round::Round;

/// Of the agents that are declared.
pub(super) fn of_agents(
    old: &WorkloadStatus,
    workload: &Workload,
    agents: &[Assessed<'_>],
) -> WorkloadStatus {
    let ready = number(agents.iter().filter(|agent| agent.is_running()).count());
    let roles = workload.roles.iter().map(|role| RoleStatus {
        name: role.name.clone(),
        required: role.required,
        desired: i64::from(role.replicas),
        ready: number(
            agents
                .iter()
                .filter(|agent| agent.slot.role.name == role.name && agent.is_running())
                .count(),
        ),
    });
    let ended = agents.iter().flat_map(|agent| &agent.health.ended);
    WorkloadStatus {
        replicas: number(agents.len()),
        updated_replicas: number(agents.iter().filter(|agent| agent.updated).count()),
        ready_replicas: ready,
        unavailable_replicas: number(agents.len()) - ready,
        last_failure_time: ended
            .map(|task| task.since)
            .max()
            .map(Time)
            .or(old.last_failure_time.clone()),
        restarts: number(agents.iter().map(|agent| agent.health.ended.len()).sum()),
        roles: roles.collect(),
        ..old.clone()
    }
}

/// What was last seen, of what is declared now.
pub(super) fn kept(old: &WorkloadStatus, workload: &Workload) -> WorkloadStatus {
    let last = |name: &str| {
        old.roles
            .iter()
            .find(|role| role.name == name)
            .map_or(0, |role| role.ready)
    };
    let roles: Vec<_> = workload
        .roles
        .iter()
        .map(|role| RoleStatus {
            name: role.name.clone(),
            required: role.required,
            desired: i64::from(role.replicas),
            ready: last(&role.name).min(i64::from(role.replicas)),
        })
        .collect();
    let replicas: i64 = roles.iter().map(|role| role.desired).sum();
    let ready: i64 = roles.iter().map(|role| role.ready).sum();
    WorkloadStatus {
        replicas,
        updated_replicas: old.updated_replicas.min(replicas),
        ready_replicas: ready,
        unavailable_replicas: replicas - ready,
        roles,
        ..old.clone()
    }
}

/// Of the services that run on while what is declared cannot be brought about.
pub(super) fn of_services(
    old: &WorkloadStatus,
    owner: &Owner,
    observed: &Observed,
    round: &Round<'_>,
) -> WorkloadStatus {
    let own = |live: &&Service| Ownership::of(&live.spec.labels, owner, round.instance) == Ownership::Own;
    let is_ready =
        |live: &&Service| judge(Some(live), false, &observed.nodes, round.now).verdict == Verdict::Ready;
    let services: Vec<&Service> = observed.services.values().filter(own).collect();
    let ready: Vec<&Service> = services.iter().copied().filter(is_ready).collect();
    let of_role = |role: &str| {
        let labelled = |live: &&&Service| {
            live.spec
                .labels
                .get(label::ROLE)
                .is_some_and(|found| found == role)
        };
        number(ready.iter().filter(labelled).count())
    };
    let roles = old.roles.iter().map(|role| RoleStatus {
        ready: of_role(&role.name),
        ..role.clone()
    });
    let replicas = old.replicas.max(number(services.len()));
    WorkloadStatus {
        replicas,
        updated_replicas: 0,
        ready_replicas: number(ready.len()),
        unavailable_replicas: replicas - number(ready.len()),
        roles: roles.collect(),
        ..old.clone()
    }
}

/// Of an owner that goes: nothing of it counts any more.
pub(super) fn none(old: &WorkloadStatus) -> WorkloadStatus {
    let roles = old.roles.iter().map(|role| RoleStatus {
        ready: 0,
        ..role.clone()
    });
    WorkloadStatus {
        updated_replicas: 0,
        ready_replicas: 0,
        unavailable_replicas: old.replicas,
        roles: roles.collect(),
        ..old.clone()
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
