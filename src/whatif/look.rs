//! What there is to see at one moment of a game: every agent, and what people are told of every object.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Audience, Owner, Today, Unwanted};
use crate::plan::agents::{self, AgentView};
use crate::plan::observed::{Node, Task, TaskState};
use crate::plan::{self, Observed, Outcome, Round, Subject};
use crate::resource::Key;
use crate::resource::kinds::WorkloadStatus;
use crate::sim::Documents;
use crate::swarm::{Picture, Want};

/// One moment.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// By namespace and name.
    pub(super) agents: BTreeMap<(String, String), Agent>,
    /// By key; those alone of which anything is told.
    pub(super) objects: BTreeMap<Key, WorkloadStatus>,
}

/// One agent.
#[derive(Debug)]
pub(super) struct Agent {
    /// Whose it is.
    pub(super) owner: Key,
    /// The name of its service.
    pub(super) service: String,
    /// What runs, if anything does.
    pub(super) running: Option<Running>,
    /// Why nothing runs, as far as anybody said so.
    pub(super) error: Option<String>,
    /// One word for how it is.
    pub(super) state: String,
}

/// A task that runs on a node that answers.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) task: String,
    /// Host name.
    pub(super) node: String,
    pub(super) since: Timestamp,
}

/// When it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before anything has happened: people are told what they are told today.
    Today,
    /// Then, after what has happened.
    At(Timestamp),
}

/// Looks at what `documents` show.
///
/// # Errors
/// When nobody wants to know any more.
pub(super) fn look(
    documents: &Documents,
    today: &Today,
    moment: Moment,
    audience: Audience<'_>,
) -> Result<Look, Unwanted> {
    let picture = Picture::new(documents, &today.instance);
    let mut look = Look::default();
    for owner in &today.owners {
        audience.check()?;
        let key = &owner.workload.owner.key;
        let observed = observe(&picture, owner);
        let (now, status) = match moment {
            Moment::Today => (today.now, owner.status.clone()),
            Moment::At(now) => (now, Some(told(owner, &observed, &today.instance, now))),
        };
        look.objects.extend(status.map(|status| (key.clone(), status)));
        // What the scenario makes of an owner is not declared before.
        let is_declared = moment != Moment::Today || !owner.is_changed;
        for view in agents::views(&owner.workload, &observed, &today.instance, now) {
            if is_declared || observed.services.contains_key(&view.spec.service) {
                let name = (view.namespace.clone(), view.name.clone());
                look.agents.insert(name, agent(key, view, &observed));
            }
        }
    }
    Ok(look)
}

/// What people are told of an owner, after what they are told today.
fn told(owner: &Owner, observed: &Observed, instance: &str, now: Timestamp) -> WorkloadStatus {
    let report = plan::plan(&owner.workload, observed, instance).report;
    let round = Round {
        subject: Subject::Workload(&owner.workload),
        observed: Ok(observed),
        report: &report,
        outcome: &Outcome::default(),
        instance,
        now,
    };
    plan::status(owner.status.as_ref(), &round)
}

/// An owner's slice of the picture, with what is not of the Swarm as it is today.
pub(super) fn observe(picture: &Picture, owner: &Owner) -> Observed {
    let observed = picture.observe(&Want::of(&owner.workload));
    observed.with_sources(owner.sources.clone())
}

fn agent(owner: &Key, view: AgentView, observed: &Observed) -> Agent {
    let service = observed.services.get(&view.spec.service);
    let tasks = service
        .and_then(|service| service.tasks.as_deref())
        .unwrap_or_default();
    Agent {
        owner: owner.clone(),
        running: tasks.iter().find_map(|task| running(task, &observed.nodes)),
        service: view.spec.service,
        error: view.status.error,
        state: view.status.state,
    }
}

fn running(task: &Task, nodes: &BTreeMap<String, Node>) -> Option<Running> {
    let node = nodes.get(task.node.as_ref()?).filter(|node| node.ready)?;
    let runs = (task.state, task.desired) == (TaskState::Running, TaskState::Running);
    runs.then(|| Running {
        task: task.id.clone(),
        node: node.hostname.clone(),
        since: task.since,
    })
}
