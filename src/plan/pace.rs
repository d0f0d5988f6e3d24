//! How many agents a change may take down at once.

use std::collections::BTreeMap;

use super::observed::{Node, Observed, Service, TaskState};
use super::placement;

/// How many more running agents of one workload may be stopped for a change.
pub(super) struct Pace<'a> {
    nodes: &'a BTreeMap<String, Node>,
    left: usize,
}

impl<'a> Pace<'a> {
    /// A quarter of a workload's `live` services, at least one, less those that do not run: a change that does
    /// harm stops at the first ones. The quarter is what Kubernetes does without in a rollout
    /// (`maxUnavailable`).
    pub(super) fn of<'s>(live: impl Iterator<Item = &'s Service>, observed: &'a Observed) -> Self {
        let (mut all, mut down) = (0_usize, 0);
        for service in live {
            all += 1;
            down += usize::from(!runs(service, &observed.nodes));
        }
        Self {
            nodes: &observed.nodes,
            left: (all / 4).max(1).saturating_sub(down),
        }
    }

    /// Whether this service's agent may be replaced now. One that does not run always may: it may be what mends it.
    pub(super) fn admits(&mut self, service: &Service) -> bool {
        if !runs(service, self.nodes) {
            return true;
        }
        let admitted = self.left > 0;
        self.left -= usize::from(admitted);
        admitted
    }
}

/// Whether its agent runs, and the engine takes it for healthy. What was not looked at counts as running.
fn runs(service: &Service, nodes: &BTreeMap<String, Node>) -> bool {
    let is_at_home = |node: Option<&String>| {
        node.and_then(|node| nodes.get(node))
            .is_some_and(|node| node.ready && !placement::keeps_off(&service.spec.constraints, node))
    };
    service.tasks.as_deref().is_none_or(|tasks| {
        tasks.iter().any(|task| {
            task.current
                && (task.state, task.desired) == (TaskState::Running, TaskState::Running)
                && is_at_home(task.node.as_ref())
        })
    })
}
