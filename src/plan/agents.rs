//! The view of agents: one row a slot.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::resource::condition::{ConditionStatus, ConditionType};
use crate::resource::kinds::{AgentStatus, AgentViewSpec};
use crate::resource::names::{self, label};
use crate::resource::workload::Workload;
use crate::resource::{Key, labels};

use super::assess::{Assessed, assess};
use super::explain::engine_error;
use super::health::{Health, Verdict, judge, node_name};
use super::observed::{Node, Observed, Service};
use super::ownership::Ownership;
use super::planner;

/// One agent, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    /// The owner's namespace.
    pub namespace: String,
    /// `team.payments.reviewer.2`.
    pub name: String,
    /// Kind, name, role and slot, for selectors.
    pub labels: BTreeMap<String, String>,
    /// When its service was made; `None` when there is none.
    pub created: Option<Timestamp>,
    /// What is declared.
    pub spec: AgentViewSpec,
    /// What the Swarm says of it.
    pub status: AgentStatus,
}

/// Every agent of a workload, in the spec's order: the declared ones, then those that are still to go.
pub fn views(workload: &Workload, observed: &Observed, instance: &str, now: Timestamp) -> Vec<AgentView> {
    let report = planner::plan(workload, observed, instance).report;
    let agents = assess(workload, observed, &report, instance, now);
    let mut views: Vec<_> = agents
        .iter()
        .map(|agent| declared(agent, &observed.nodes))
        .collect();
    let shown: BTreeSet<_> = views.iter().map(|view| view.spec.service.clone()).collect();
    let left = observed.services.iter().filter(|(name, live)| {
        let foreign = Ownership::of(&live.spec.labels, &workload.owner, instance) == Ownership::Foreign;
        !foreign && !shown.contains(*name)
    });
    let left = left.filter_map(|(_, live)| of_service(live, &observed.nodes, now));
    views.extend(left);
    views
}

/// The agents of `instance` among `services`, for owners whose declaration is not known: it is not valid, or the
/// owner is gone.
pub fn views_of_services<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    nodes: &BTreeMap<String, Node>,
    instance: &str,
    now: Timestamp,
) -> Vec<AgentView> {
    services
        .into_iter()
        .filter(|live| labels::is_ours(&live.spec.labels, instance))
        .filter_map(|live| of_service(live, nodes, now))
        .collect()
}

fn declared(agent: &Assessed<'_>, nodes: &BTreeMap<String, Node>) -> AgentView {
    let (role, number) = (agent.slot.role, agent.slot.number);
    let mut view = view(
        &agent.slot.owner.key,
        &role.name,
        number,
        agent.live,
        status(&agent.health, agent.live, nodes),
    );
    match &role.agent {
        Ok(declared) => {
            view.spec.image = declared.image.clone();
            view.spec.model = declared.model.clone();
        }
        Err(_) => view.spec.image = agent.live.map(requested_image).unwrap_or_default(),
    }
    view.status.error = match agent.blocked {
        Some(blocked) => Some(blocked.message.clone()),
        None => view.status.error,
    };
    view
}

/// The agent that a service runs, from its labels; `None` when they do not say.
fn of_service(live: &Service, nodes: &BTreeMap<String, Node>, now: Timestamp) -> Option<AgentView> {
    let label = |name| live.spec.labels.get(name).map(String::as_str);
    let owner = labels::owner(&live.spec.labels)?;
    let slot = label(label::SLOT)?.parse().ok()?;
    let health = judge(Some(live), false, nodes, now);
    let mut view = view(
        &owner,
        label(label::ROLE)?,
        slot,
        Some(live),
        status(&health, Some(live), nodes),
    );
    view.spec.service.clone_from(&live.spec.name);
    view.spec.image = requested_image(live);
    Some(view)
}

/// The image of a service as the spec named it.
fn requested_image(live: &Service) -> String {
    live.spec.labels.get(label::IMAGE).cloned().unwrap_or_default()
}

fn view(owner: &Key, role: &str, slot: u32, live: Option<&Service>, status: AgentStatus) -> AgentView {
    let labels = [
        (label::KIND, owner.kind.singular().to_owned()),
        (label::NAME, owner.name.clone()),
        (label::ROLE, role.to_owned()),
        (label::SLOT, slot.to_string()),
    ];
    AgentView {
        namespace: owner.namespace.clone(),
        name: names::agent_name(owner, role, slot),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        created: live.map(|live| live.created),
        spec: AgentViewSpec {
            owner: format!("{}/{}", owner.kind.singular(), owner.name),
            role: role.to_owned(),
            slot,
            service: names::service_name(owner, role, slot),
            image: String::new(),
            model: None,
        },
        status,
    }
}

fn status(health: &Health<'_>, live: Option<&Service>, nodes: &BTreeMap<String, Node>) -> AgentStatus {
    let task = health.task;
    AgentStatus {
        state: state(&health.verdict).to_owned(),
        task_state: task.map(|task| task.state.word().to_owned()),
        node: task.and_then(|task| node_name(task, nodes)).map(str::to_owned),
        restarts: u32::try_from(health.ended.len()).unwrap_or(u32::MAX),
        address: task.and_then(|task| task.address.clone()),
        container: task.and_then(|task| task.container.clone()),
        error: engine_error(health).map(str::to_owned),
        conditions: live.map(|live| ready(health, live)).into_iter().collect(),
    }
}

fn ready(health: &Health<'_>, live: &Service) -> Condition {
    let is_ready = matches!(health.verdict, Verdict::Ready);
    let since = health.task.map_or(live.updated, |task| task.since);
    Condition {
        type_: ConditionType::Ready.to_string(),
        status: ConditionStatus::from(is_ready).to_string(),
        reason: state(&health.verdict).to_owned(),
        message: engine_error(health).unwrap_or_default().to_owned(),
        observed_generation: None,
        last_transition_time: Time(since),
    }
}

fn state(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "Ready",
        Verdict::Starting => "Starting",
        Verdict::Pending { .. } | Verdict::Unaddressed | Verdict::NothingFits { .. } => "Pending",
        Verdict::ImageMissing { .. }
        | Verdict::Failed { .. }
        | Verdict::CrashLoop { .. }
        | Verdict::Unhealthy { .. }
        | Verdict::NodeDown { .. } => "Failed",
        Verdict::Updating => "Updating",
        Verdict::Missing => "Missing",
    }
}
