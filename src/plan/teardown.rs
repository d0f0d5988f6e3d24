//! Takes away what an owner has in the Swarm: it is being deleted, or it is gone already.

use std::collections::BTreeSet;

use crate::resource::{Key, labels};

use super::action::{Action, FailureKind, Outcome, Plan, Report};
use super::observed::{Observed, Service, Task, TaskState};
use super::planner;
use super::unused;

/// How an owner leaves the Swarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Teardown {
    /// What is to be done now.
    pub plan: Plan,
    /// What was still there when it was observed.
    pub remaining: Remaining,
}

/// What is still there of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Its services.
    pub services: usize,
    /// Its tasks that still stop, on nodes that answer. A node that is down may come back days later; nobody
    /// waits for it.
    pub tasks: usize,
}

impl Teardown {
    /// Whether nothing of the owner is left after the plan had this outcome, so that its finalizer may go.
    ///
    /// What turned out to be in use, or to be gone, is not the owner's to remove: its own services and tasks
    /// were gone before.
    pub fn finished(&self, outcome: &Outcome) -> bool {
        let Outcome { done, failed } = outcome;
        let actions = self.plan.stages.iter().map(Vec::len).sum::<usize>();
        self.remaining == Remaining::default()
            && done.len() + failed.len() == actions
            && failed
                .iter()
                .all(|failure| matches!(failure.kind, FailureKind::InUse | FailureKind::NotFound))
    }
}

/// What is to be done so that nothing in the Swarm belongs to `key` any more, under any uid.
///
/// First its services go; when their tasks have stopped, so do the networks, secrets and configs that nobody
/// else uses. `networks` are those that its spec names (empty when it is not known any more). With `orphan`,
/// services are released: they run on, without our labels.
pub fn teardown(
    key: &Key,
    networks: &BTreeSet<String>,
    orphan: bool,
    observed: &Observed,
    instance: &str,
) -> Teardown {
    let services = observed.services.values();
    let services: Vec<_> = services
        .filter(|live| labels::belongs_to(&live.spec.labels, key, instance))
        .collect();
    let stopping = observed
        .leftover_tasks
        .iter()
        .filter(|task| stops(task, observed));
    let remaining = Remaining {
        services: services.len(),
        tasks: if orphan { 0 } else { stopping.count() },
    };
    let leave = if orphan { release } else { planner::remove };
    let stage: Vec<Action> = if remaining == Remaining::default() {
        unused::without_services(key, networks, observed, instance)
    } else {
        services.into_iter().filter_map(leave).collect()
    };
    let report = Report {
        changes: stage
            .iter()
            .map(|action| planner::describe(action, None))
            .collect(),
        ..Report::default()
    };
    let stages = if stage.is_empty() { Vec::new() } else { vec![stage] };
    Teardown {
        plan: Plan { stages, report },
        remaining,
    }
}

fn stops(task: &Task, observed: &Observed) -> bool {
    let node = task.node.as_ref().map(|node| observed.nodes.get(node));
    let answers = node.is_none_or(|node| node.is_some_and(|node| node.ready));
    task.state <= TaskState::Running && answers
}

fn release(live: &Service) -> Option<Action> {
    Some(Action::ReleaseService {
        id: live.id.clone(),
        version: live.version,
        name: live.spec.name.clone(),
        uid: labels::uid(&live.spec.labels)?.to_owned(),
    })
}
