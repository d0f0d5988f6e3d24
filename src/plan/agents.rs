//! The view of agents: one row a slot.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::resource::kinds::{AgentStatus, AgentViewSpec};
use crate::resource::workload::Workload;

use super::observed::{Observed, Service};

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
pub fn views(_workload: &Workload, _observed: &Observed, _instance: &str, _now: Timestamp) -> Vec<AgentView> {
    Vec::new()
}

/// The agents of an owner whose declaration is not known (a template is missing, it is gone), from their services.
pub fn views_of_services(
    _services: &BTreeMap<String, Service>,
    _observed: &Observed,
    _instance: &str,
    _now: Timestamp,
) -> Vec<AgentView> {
    Vec::new()
}
