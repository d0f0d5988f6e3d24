//! What there is to see at one moment of a game: every agent, and what people are told of every object.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Change, Owner, Today};
use crate::plan::agents::{self, AgentView};
use crate::plan::observed::{Node, Task, TaskState};
use crate::plan::{self, Observed, Outcome, Round, Subject};
use crate::resource::Key;
use crate::resource::kinds::WorkloadStatus;
use crate::sim::{Refused, Rehearsal};
use crate::swarm::{Picture, Want};

/// One moment.
#[derive(Debug)]
pub(super) struct Look {
    /// By namespace and name.
    pub(super) agents: BTreeMap<(String, String), Agent>,
    /// By key; those alone that have agents.
    pub(super) objects: BTreeMap<Key, WorkloadStatus>,
}

/// One agent.
#[derive(Debug)]
pub(super) struct Agent {
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

/// Looks around; at first without `before`, and then from there on.
///
/// # Errors
/// When the managers have no leader.
pub(super) fn look(swarm: &mut Rehearsal, today: &Today, before: Option<&Look>) -> Result<Look, Refused> {
    let picture = Picture::new(&swarm.documents()?, &today.instance);
    let now = swarm.now();
    let mut look = Look {
        agents: BTreeMap::new(),
        objects: BTreeMap::new(),
    };
    for owner in &today.owners {
        let key = &owner.workload.owner.key;
        let observed = observe(&picture, owner);
        // What the scenario makes of it is not declared before.
        let change = owner.change.as_ref().filter(|_| before.is_none());
        for view in agents::views(&owner.workload, &observed, &today.instance, now) {
            if change.is_none() || observed.services.contains_key(&view.spec.service) {
                let name = (view.namespace.clone(), view.name.clone());
                look.agents.insert(name, agent(view, &observed));
            }
        }
        if let Some(Change { status }) = change {
            look.objects
                .extend(status.clone().map(|status| (key.clone(), status)));
            continue;
        }
        let report = plan::plan(&owner.workload, &observed, &today.instance).report;
        let round = Round {
            subject: Subject::Workload(&owner.workload),
            observed: Ok(&observed),
            report: &report,
            outcome: &Outcome::default(),
            instance: &today.instance,
            now,
        };
        let old = before.and_then(|before| before.objects.get(key));
        look.objects.insert(key.clone(), plan::status(old, &round));
    }
    Ok(look)
}

/// An owner's slice of the picture, with what is not of the Swarm as it is today.
pub(super) fn observe(picture: &Picture, owner: &Owner) -> Observed {
    let observed = picture.observe(&Want::of(&owner.workload));
    observed.with_sources(owner.sources.clone())
}

fn agent(view: AgentView, observed: &Observed) -> Agent {
    let service = observed.services.get(&view.spec.service);
    let tasks = service
        .and_then(|service| service.tasks.as_deref())
        .unwrap_or_default();
    Agent {
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
