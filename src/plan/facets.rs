//! The conditions of a status, before they are dated.

use crate::resource::condition::{ConditionStatus, Reason};
use crate::resource::kinds::WorkloadStatus;
use crate::resource::workload::Workload;

use super::action::{Failure, Outcome};
use super::assess::Assessed;
use super::look::Look;
use super::observed::Observed;
use super::round::Round;
use super::teardown::Remaining;
use super::words;

/// One condition.
#[derive(Clone, Debug)]
pub(super) struct Facet {
    pub(super) status: ConditionStatus,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// Whether the condition stays as it is where there is one.
    pub(super) keeps_old: bool,
}

/// All conditions, and what stands for them.
#[derive(Clone, Debug)]
pub(super) struct Facets {
    pub(super) ready: Facet,
    pub(super) progressing: Facet,
    pub(super) degraded: Facet,
    pub(super) stalled: Facet,
    pub(super) suspended: Facet,
    /// One word.
    pub(super) state: &'static str,
    /// The message behind that word.
    pub(super) message: String,
}

impl Facet {
    pub(super) fn new(
        status: impl Into<ConditionStatus>,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status: status.into(),
            reason,
            message: message.into(),
            keeps_old: false,
        }
    }

    /// It does not hold, and that is well.
    pub(super) fn well() -> Self {
        Self::new(false, Reason::AsExpected, "")
    }

    /// As it was, or well.
    fn kept() -> Self {
        Self {
            keeps_old: true,
            ..Self::well()
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// Of a workload that was observed, planned and acted on.
pub(super) fn of_workload(
    old: &WorkloadStatus,
    workload: &Workload,
    agents: &[Assessed<'_>],
    observed: &Observed,
    round: &Round<'_>,
) -> Facets {
    let look = Look::new(workload, agents, observed, round);
    let stalled = look.stalled();
    let progressing = look.progressing(old, &stalled);
    let degraded = look.degraded(&progressing);
    let ready = look.ready(&stalled, &degraded);
    let suspended = suspended(workload.suspended);
    let (state, message) = [
        ("Suspended", &suspended),
        ("Stalled", &stalled),
        ("Degraded", &degraded),
        ("Progressing", &progressing),
    ]
    .into_iter()
    .find(|(_, facet)| facet.holds())
    .map_or(("Ready", ready.message.clone()), |(state, facet)| {
        (state, facet.message.clone())
    });
    Facets {
        ready,
        progressing,
        degraded,
        stalled,
        suspended,
        state,
        message,
    }
}

/// Of a workload whose agents could not be looked at.
pub(super) fn of_unknown(is_suspended: bool, why: &str) -> Facets {
    let message = format!("the agents cannot be looked at: {why}");
    let unknown = || {
        Facet::new(
            ConditionStatus::Unknown,
            Reason::EngineUnavailable,
            message.clone(),
        )
    };
    Facets {
        ready: unknown(),
        progressing: unknown(),
        degraded: unknown(),
        stalled: Facet::kept(),
        suspended: suspended(is_suspended),
        state: "Unknown",
        message: message.clone(),
    }
}

/// Of an object that cannot become a workload. Its agents, if it has any, are left as they are.
pub(super) fn of_invalid(why: &str) -> Facets {
    let facet = |holds: bool| Facet::new(holds, Reason::InvalidSpec, why);
    Facets {
        ready: facet(false),
        progressing: facet(false),
        degraded: Facet::well(),
        stalled: facet(true),
        suspended: Facet::kept(),
        state: "Stalled",
        message: why.to_owned(),
    }
}

/// Of an object that goes.
pub(super) fn of_deleting(remaining: Remaining, unavailable: Option<&str>, outcome: &Outcome) -> Facets {
    let Remaining { services, tasks } = remaining;
    let mut message = match (services, tasks) {
        (0, 0) => "its agents are gone".to_owned(),
        (0, tasks) => format!("waits for {} to stop", words::count(tasks, "agent")),
        (services, _) => format!("removes {}", words::count(services, "agent")),
    };
    if let Some(why) = unavailable {
        message = format!("waits for the Docker engine: {why}");
    } else if let Some(failure) = outcome.failed.first() {
        message = format!("{message}; {}", again(failure));
    }
    Facets {
        ready: Facet::new(false, Reason::Deleting, message.clone()),
        progressing: Facet::new(true, Reason::Deleting, message.clone()),
        degraded: Facet::well(),
        stalled: Facet::well(),
        suspended: Facet::well(),
        state: "Deleting",
        message,
    }
}

fn suspended(is_suspended: bool) -> Facet {
    if is_suspended {
        let message = "its agents are left as they are until `spec.suspend` is taken away";
        Facet::new(true, Reason::Suspended, message)
    } else {
        Facet::well()
    }
}

/// What is said of a failure that is tried again.
pub(super) fn again(failure: &Failure) -> String {
    format!("trying again: {}", failure.message)
}
