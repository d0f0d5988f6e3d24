//! What of a round is worth telling.
//!
//! Actions are told when they are done, conditions when they change: a round that changes nothing is silent.

use std::cmp::Reverse;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::event::EventType;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::workload::Workload;

use super::action::{Action, Change, Target};
use super::assess::assess;
use super::explain::{ended, on};
use super::health::engine_text;
use super::observed::{Observed, Task};
use super::round::{Round, Subject};
use super::words;

/// An event, before the store counts and dates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// How it is meant.
    pub type_: EventType,
    /// One CamelCase word for machines.
    pub reason: String,
    /// Plain words.
    pub message: String,
}

/// What happened between two statuses. Empty for a round that changed nothing.
pub fn events(old: Option<&WorkloadStatus>, new: &WorkloadStatus, round: &Round<'_>) -> Vec<EventDraft> {
    let none = WorkloadStatus::default();
    let old = old.unwrap_or(&none);
    let mut events = Vec::new();
    if let (Subject::Workload(workload), Ok(observed)) = (round.subject, round.observed) {
        events.extend(of_failed_agents(old, new, workload, observed, round));
    }
    events.extend(of_conditions(old, new));
    events
}

fn normal(reason: impl Into<String>, message: impl Into<String>) -> EventDraft {
    EventDraft {
        type_: EventType::Normal,
        reason: reason.into(),
        message: message.into(),
    }
}

fn warning(reason: impl Into<String>, message: impl Into<String>) -> EventDraft {
    EventDraft {
        type_: EventType::Warning,
        ..normal(reason, message)
    }
}

/// What was done in a round, whatever becomes of its status.
pub fn deeds(old: Option<&WorkloadStatus>, new: &WorkloadStatus, round: &Round<'_>) -> Vec<EventDraft> {
    let done = &round.outcome.done;
    let names = |which: fn(&Action) -> bool| -> Vec<String> {
        let done = done.iter().filter(|action| which(action));
        done.map(|action| action.target().name().to_owned()).collect()
    };
    let created = names(|action| matches!(action, Action::CreateService { .. }));
    let updated = names(|action| matches!(action, Action::UpdateService { .. }));
    let (drifted, edited): (Vec<_>, Vec<_>) = round
        .report
        .changes
        .iter()
        .filter(|change| matches!(&change.what, Target::Service(name) if updated.contains(name)))
        .partition(|change| change.drift);
    let (lost, created) = if old.is_some_and(|old| was_complete(old, new)) {
        (created, Vec::new())
    } else {
        (Vec::new(), created)
    };
    let mut events = Vec::new();
    for (reason, verb, noun, names) in [
        (
            "NetworkCreated",
            "made",
            "network",
            names(|action| matches!(action, Action::CreateNetwork { .. })),
        ),
        ("ServiceCreated", "made", "service", created),
        (
            "ServiceRemoved",
            "removed",
            "service",
            names(|action| matches!(action, Action::RemoveService { .. })),
        ),
        (
            "ServiceReleased",
            "released",
            "service",
            names(|action| matches!(action, Action::ReleaseService { .. })),
        ),
        (
            "NetworkRemoved",
            "removed",
            "network",
            names(|action| matches!(action, Action::RemoveNetwork { .. })),
        ),
    ] {
        if !names.is_empty() {
            events.push(normal(reason, format!("{verb} {}", some(&names, noun))));
        }
    }
    if !lost.is_empty() {
        let lost = some(&lost, "service");
        events.push(warning(
            "DriftRepaired",
            format!("made {lost} again: removed outside WHOOSH"),
        ));
    }
    if !edited.is_empty() {
        events.push(normal("ServiceUpdated", format!("updated {}", changed(&edited))));
    }
    if !drifted.is_empty() {
        let message = format!("changed back {}: changed outside WHOOSH", changed(&drifted));
        events.push(warning("DriftRepaired", message));
    }
    events
}

/// Whether every agent that is declared now had its service, for this generation, when last seen: what is
/// missing since was taken away.
fn was_complete(old: &WorkloadStatus, new: &WorkloadStatus) -> bool {
    old.observed_generation == new.observed_generation
        && old.replicas == new.replicas
        && old.updated_replicas == old.replicas
}

/// `service a`, `services a, b`, `34 services`.
fn some(names: &[String], noun: &str) -> String {
    match names {
        [name] => format!("{noun} {name}"),
        [_, _] | [_, _, _] => format!("{noun}s {}", names.join(", ")),
        names => words::count(names.len(), noun),
    }
}

/// Services and the fields that changed: `service a (container.image)`.
fn changed(changes: &[&Change]) -> String {
    let names: Vec<_> = changes
        .iter()
        .map(|change| change.what.name().to_owned())
        .collect();
    let mut fields: Vec<_> = changes
        .iter()
        .flat_map(|change| &change.because)
        .map(|field| field.field.as_str())
        .collect();
    fields.sort_unstable();
    fields.dedup();
    format!("{} ({})", some(&names, "service"), words::list(fields))
}

/// Agents that ended since the last round, each with its own words: they may run again by now.
fn of_failed_agents(
    old: &WorkloadStatus,
    new: &WorkloadStatus,
    workload: &Workload,
    observed: &Observed,
    round: &Round<'_>,
) -> Vec<EventDraft> {
    if (new.restarts, &new.last_failure_time) == (old.restarts, &old.last_failure_time) {
        return Vec::new();
    }
    let agents = assess(workload, observed, round.report, round.instance, round.now);
    let mut failures: Vec<_> = agents
        .iter()
        .flat_map(|agent| agent.health.ended.iter().map(|task| (agent.slot.agent(), *task)))
        .collect();
    failures.sort_by_key(|(_, task)| Reverse(task.since));
    // The engine forgets old ones, so their number need not grow; and one node's clock may be behind another's.
    let more = usize::try_from(new.restarts - old.restarts).unwrap_or_default();
    let is_later = |task: &Task| {
        old.last_failure_time
            .as_ref()
            .is_some_and(|last| task.since > last.0)
    };
    let later = failures.iter().filter(|(_, task)| is_later(task)).count();
    failures.truncate(more.max(later));
    let told = failures.into_iter().map(|(agent, task)| {
        let ended = ended(task.exit_code, engine_text(task));
        let message = format!("{agent} {ended}{}", on(Some(task), &observed.nodes));
        warning(Reason::AgentFailed.to_string(), message)
    });
    told.collect()
}

fn of_conditions(old: &WorkloadStatus, new: &WorkloadStatus) -> Vec<EventDraft> {
    let turned = |type_, status: &str| {
        let is = |found: &&Condition| found.status == status;
        let before = condition::get(&old.conditions, type_).filter(is);
        condition::get(&new.conditions, type_)
            .filter(is)
            .filter(|_| before.is_none())
    };
    let mut events = Vec::new();
    for trouble in [ConditionType::Stalled, ConditionType::Degraded] {
        events.extend(news(trouble, old, new));
    }
    // Both speak of an agent that goes no further.
    events.dedup();
    if let Some(ready) = turned(ConditionType::Ready, "True") {
        events.push(normal("Ready", &ready.message));
    }
    if let Some(unknown) = turned(ConditionType::Ready, "Unknown") {
        events.push(warning(&unknown.reason, &unknown.message));
    }
    if let Some(suspended) = turned(ConditionType::Suspended, "True") {
        events.push(normal("Suspended", &suspended.message));
    }
    if condition::holds(&old.conditions, ConditionType::Suspended)
        && turned(ConditionType::Suspended, "False").is_some()
    {
        events.push(normal(
            "Resumed",
            "its agents are kept as they are declared again",
        ));
    }
    if new.state == "Deleting" && old.state != new.state {
        events.push(normal("Deleting", &new.message));
    }
    events
}

/// A trouble that holds, unless it was told before. Single failures are told agent by agent.
fn news(type_: ConditionType, old: &WorkloadStatus, new: &WorkloadStatus) -> Option<EventDraft> {
    let words = |found: &Condition| (found.status.clone(), found.reason.clone(), found.message.clone());
    let now = condition::get(&new.conditions, type_)?;
    let was = condition::get(&old.conditions, type_);
    let is_new = was.is_none_or(|was| words(was) != words(now));
    let tell = is_new && now.status == "True" && now.reason != Reason::AgentFailed.to_string();
    tell.then(|| warning(&now.reason, &now.message))
}
