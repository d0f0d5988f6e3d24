//! Every declared agent of a workload, judged.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::resource::condition::Reason;
use crate::resource::workload::Workload;

use super::action::{Blocked, ChangeKind, Report};
use super::addresses;
use super::desired::{Slot, slots};
use super::explain::explain;
use super::health::{Health, Verdict, judge};
use super::observed::{Node, Observed, Service};
use super::ownership::Ownership;
use super::problem::Problem;

/// Nodes come and go, above all at the start: nothing fits for good only after this time.
pub(super) const PLACEMENT_GRACE: SignedDuration = SignedDuration::from_secs(15);

/// A declared agent and how it is.
#[derive(Clone, Debug)]
pub(super) struct Assessed<'a> {
    pub(super) slot: Slot<'a>,
    /// Its own live service.
    pub(super) live: Option<&'a Service>,
    pub(super) health: Health<'a>,
    /// Why it cannot be brought about.
    pub(super) blocked: Option<&'a Blocked>,
    /// Why it gets no address, if a network of its own that is full is why.
    pub(super) crowded: Option<String>,
    /// Whether its live service is what is declared, but for changes that leave the agent running.
    pub(super) updated: bool,
}

/// Judges every declared agent, in the spec's order. `report` is that of the plan for the same observation.
pub(super) fn assess<'a>(
    workload: &'a Workload,
    observed: &'a Observed,
    report: &'a Report,
    instance: &str,
    now: Timestamp,
) -> Vec<Assessed<'a>> {
    let blocked: BTreeMap<_, _> = report
        .blocked
        .iter()
        .map(|blocked| (blocked.service.as_str(), blocked))
        .collect();
    let replaced: BTreeSet<_> = report
        .changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Replace)
        .map(|change| change.what.name())
        .collect();
    let assess = |slot: Slot<'a>| {
        let name = slot.service();
        let live = observed.services.get(&name);
        let live =
            live.filter(|live| Ownership::of(&live.spec.labels, slot.owner, instance) == Ownership::Own);
        let blocked = blocked.get(name.as_str()).copied();
        let outdated = replaced.contains(name.as_str());
        let health = judge(live, outdated, &observed.nodes, now);
        let unaddressed = live.filter(|_| health.verdict == Verdict::Unaddressed);
        Assessed {
            slot,
            live,
            health,
            blocked,
            crowded: unaddressed.and_then(|live| addresses::crowded(&live.spec.networks, observed)),
            updated: live.is_some() && !outdated && blocked.is_none(),
        }
    };
    slots(workload).map(assess).collect()
}

impl Assessed<'_> {
    /// Whether it runs what is declared and is healthy.
    pub(super) fn is_ready(&self) -> bool {
        self.updated && self.health.verdict == Verdict::Ready
    }

    /// Whether it is healthy, and runs what is declared, or what was before something came in its way.
    pub(super) fn is_running(&self) -> bool {
        self.health.verdict == Verdict::Ready
    }

    /// What is wrong with it; `None` when it is ready or on its way.
    pub(super) fn problem(&self, nodes: &BTreeMap<String, Node>, now: Timestamp) -> Option<Problem> {
        let (reason, stalled) = match (self.blocked, &self.health.verdict) {
            (Some(blocked), _) => (blocked.reason, true),
            (None, Verdict::ImageMissing { count, .. }) => (Reason::ImageMissing, *count >= tries(nodes)),
            (None, Verdict::NothingFits { .. }) => {
                let since = self.health.task.map_or(now, |task| task.created);
                if now.duration_since(since) < PLACEMENT_GRACE {
                    return None;
                }
                (Reason::NothingFits, true)
            }
            (None, Verdict::Unaddressed) if self.crowded.is_some() => (Reason::NetworkFull, true),
            (None, Verdict::CrashLoop { .. }) => (Reason::CrashLoop, true),
            (None, Verdict::Failed { .. }) => (Reason::AgentFailed, false),
            (None, Verdict::Unhealthy { .. }) => (Reason::Unhealthy, false),
            (None, Verdict::NodeDown { .. }) => (Reason::NodeDown, false),
            (
                None,
                Verdict::Ready
                | Verdict::Starting
                | Verdict::Pending { .. }
                | Verdict::Unaddressed
                | Verdict::Updating
                | Verdict::Missing,
            ) => return None,
        };
        Some(Problem {
            agent: self.slot.agent(),
            reason,
            stalled,
            message: self.message(nodes),
        })
    }

    /// What to know of it, in plain words.
    pub(super) fn message(&self, nodes: &BTreeMap<String, Node>) -> String {
        match (self.blocked, &self.crowded, &self.slot.role.agent) {
            (Some(blocked), ..) => blocked.message.clone(),
            (None, Some(crowded), _) => crowded.clone(),
            (None, None, Err(missing)) => missing.to_string(),
            (None, None, Ok(agent)) => explain(&self.health, agent, nodes),
        }
    }
}

/// How many tries show that an image is on no node: the engine goes on to the next node by itself.
fn tries(nodes: &BTreeMap<String, Node>) -> usize {
    let open = nodes.values().filter(|node| node.ready && node.active).count();
    open.clamp(1, 3)
}
