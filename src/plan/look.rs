//! What the conditions of a workload are read from: its agents, and what became of the plan.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::duration::Duration;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::workload::Workload;

use super::action::{Action, Failure, FailureKind, Outcome, Target};
use super::assess::Assessed;
use super::facets::{Facet, again};
use super::health::Verdict;
use super::observed::Observed;
use super::problem::{self, Problem};
use super::round::Round;

/// The agents of a workload, and the troubles among them.
pub(super) struct Look<'a> {
    workload: &'a Workload,
    agents: &'a [Assessed<'a>],
    outcome: &'a Outcome,
    now: Timestamp,
    /// Of required agents, and of the plan: these hold up the whole.
    required: Vec<Problem>,
    /// Of agents that may be missing.
    optional: Vec<Problem>,
    /// Whether something may still become ready by itself.
    waits: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        workload: &'a Workload,
        agents: &'a [Assessed<'a>],
        observed: &'a Observed,
        round: &Round<'a>,
    ) -> Self {
        let mut look = Self {
            workload,
            agents,
            outcome: round.outcome,
            now: round.now,
            required: Vec::new(),
            optional: Vec::new(),
            waits: passing(round.outcome).next().is_some(),
        };
        let mut refused: BTreeMap<_, _> = refusals(round.outcome)
            .map(|refused| (&refused.0.what, refused))
            .collect();
        for agent in agents.iter().filter(|agent| !agent.is_ready()) {
            let refused = refused.remove(&Target::Service(agent.slot.service()));
            let problem = match refused {
                Some(refused) => Some(refusal(agent.slot.agent(), refused)),
                None => agent.problem(&observed.nodes, round.now),
            };
            look.waits |= problem.as_ref().is_none_or(|problem| !problem.stalled);
            let required = agent.slot.role.required;
            let troubles = if required {
                &mut look.required
            } else {
                &mut look.optional
            };
            troubles.extend(problem);
        }
        let others = refused.into_values();
        look.required
            .extend(others.map(|refused| refusal(refused.0.what.to_string(), refused)));
        look
    }

    pub(super) fn stalled(&self) -> Facet {
        if self.workload.suspended {
            return Facet::well();
        }
        let stalled: Vec<_> = self.required.iter().filter(|problem| problem.stalled).collect();
        match stalled.first() {
            Some(first) => Facet::new(true, first.reason, problem::tell(stalled.iter().copied())),
            None => Facet::well(),
        }
    }

    pub(super) fn progressing(&self, old: &WorkloadStatus, stalled: &Facet) -> Facet {
        if self.workload.suspended {
            return Facet::new(false, Reason::Suspended, "");
        }
        if !self.waits {
            return match stalled.holds() {
                true => Facet::new(false, stalled.reason, stalled.message.clone()),
                false => Facet::new(false, Reason::AgentsReady, ""),
            };
        }
        if self.is_late(old) {
            let deadline = Duration(self.workload.progress_deadline);
            let message = format!("{} after {deadline}", self.tally());
            return Facet::new(false, Reason::ProgressDeadlineExceeded, message);
        }
        let failure = passing(self.outcome).next();
        let reason = match failure.map(|failure| failure.kind) {
            Some(FailureKind::Unavailable | FailureKind::Indeterminate) => Reason::EngineUnavailable,
            Some(_) if self.agents.iter().all(Assessed::is_ready) => Reason::AgentsStopping,
            _ => Reason::AgentsStarting,
        };
        let failure = failure
            .map(|failure| format!("; {}", again(failure)))
            .unwrap_or_default();
        Facet::new(true, reason, format!("{}{failure}", self.progress()))
    }

    /// Whether it has been at work for longer than it may. The clock starts when it begins to progress, and
    /// anew with every change of a service; once late, only a new generation or a change starts it again.
    fn is_late(&self, old: &WorkloadStatus) -> bool {
        let worked = self.outcome.done.iter().any(|action| {
            matches!(
                action,
                Action::CreateService { .. } | Action::UpdateService { .. }
            )
        });
        let old = condition::get(&old.conditions, ConditionType::Progressing);
        let since = match old {
            _ if worked => return false,
            Some(old) if old.status == "True" => old.last_transition_time.0,
            Some(old) if old.reason == Reason::ProgressDeadlineExceeded.to_string() => {
                return old.observed_generation == Some(self.workload.owner.generation);
            }
            _ => return false,
        };
        let changes = self
            .agents
            .iter()
            .filter_map(|agent| agent.live)
            .map(|live| live.updated.min(self.now));
        let since = changes.fold(since, Timestamp::max);
        let deadline =
            SignedDuration::try_from(self.workload.progress_deadline).unwrap_or(SignedDuration::MAX);
        self.now.duration_since(since) >= deadline
    }

    pub(super) fn degraded(&self, progressing: &Facet) -> Facet {
        let problems = || self.required.iter().chain(&self.optional);
        let late = progressing.reason == Reason::ProgressDeadlineExceeded;
        match problems().next() {
            None if late => Facet::new(true, progressing.reason, progressing.message.clone()),
            None => Facet::well(),
            Some(_) if late => {
                let message = format!("{}: {}", progressing.message, problem::tell(problems()));
                Facet::new(true, Reason::ProgressDeadlineExceeded, message)
            }
            Some(first) => Facet::new(true, first.reason, problem::tell(problems())),
        }
    }

    pub(super) fn ready(&self, stalled: &Facet, degraded: &Facet) -> Facet {
        let required = || self.agents.iter().filter(|agent| agent.slot.role.required);
        if required().all(Assessed::is_ready) {
            return Facet::new(true, Reason::AgentsReady, self.tally());
        }
        let worst = [stalled, degraded].into_iter().find(|facet| facet.holds());
        match worst {
            Some(facet) => Facet::new(false, facet.reason, facet.message.clone()),
            None => Facet::new(false, Reason::AgentsStarting, self.progress()),
        }
    }

    /// `2 of 4 agents are ready`.
    fn tally(&self) -> String {
        let (all, ready) = (
            self.agents.len(),
            self.agents.iter().filter(|agent| agent.is_running()).count(),
        );
        match (ready, all) {
            (_, 0) => "no agents are declared".to_owned(),
            (0, 1) => "the agent is not ready".to_owned(),
            (1, 1) => "the agent is ready".to_owned(),
            (ready, all) if ready == all => format!("all {all} agents are ready"),
            (ready, all) => format!("{ready} of {all} agents are ready"),
        }
    }

    /// The tally, and how the others are: `2 of 4 agents are ready: 1 starting, 1 waiting for a node`.
    fn progress(&self) -> String {
        let number = |kind: fn(&Verdict) -> bool| {
            let waiting = self
                .agents
                .iter()
                .filter(|agent| !agent.is_ready() && agent.blocked.is_none());
            waiting.filter(|agent| kind(&agent.health.verdict)).count()
        };
        let parts = [
            (number(|verdict| *verdict == Verdict::Missing), "being created"),
            (number(|verdict| *verdict == Verdict::Updating), "being updated"),
            (number(|verdict| *verdict == Verdict::Starting), "starting"),
            (
                number(|verdict| matches!(verdict, Verdict::Pending { .. } | Verdict::NothingFits { .. })),
                "waiting for a node",
            ),
            (
                number(|verdict| *verdict == Verdict::Unaddressed),
                "waiting for an address",
            ),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts.map(|(number, what)| format!("{number} {what}")).collect();
        match parts.as_slice() {
            [] => self.tally(),
            parts => format!("{}: {}", self.tally(), parts.join(", ")),
        }
    }
}

/// The failures that are tried again.
fn passing(outcome: &Outcome) -> impl Iterator<Item = &Failure> {
    let failed = outcome.failed.iter();
    failed.filter(|failure| failure.kind.refusal().is_none())
}

/// The failures that need a person, with what they are called.
fn refusals(outcome: &Outcome) -> impl Iterator<Item = (&Failure, Reason)> {
    let failed = outcome.failed.iter();
    failed.filter_map(|failure| Some((failure, failure.kind.refusal()?)))
}

fn refusal(agent: String, (failure, reason): (&Failure, Reason)) -> Problem {
    Problem {
        agent,
        reason,
        stalled: true,
        message: failure.message.clone(),
    }
}
