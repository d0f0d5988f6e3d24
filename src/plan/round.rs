//! One round of a reconcile, as status and events look back on it.

use jiff::Timestamp;

use crate::resource::workload::{Owner, Workload};

use super::action::{Outcome, Report};
use super::observed::Observed;
use super::teardown::Remaining;

/// What one round saw, wanted and did.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// What the round was about.
    pub subject: Subject<'a>,
    /// What was seen before anything was done, or why nothing was.
    pub observed: Result<&'a Observed, &'a Unseen>,
    /// The plan's report; empty when there was no plan.
    pub report: &'a Report,
    /// What became of the plan; empty when there was none.
    pub outcome: &'a Outcome,
    /// The installation's id.
    pub instance: &'a str,
    /// The time of the round.
    pub now: Timestamp,
}

/// Why the Swarm could not be looked at.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// The engine's words, or those of the way there.
    pub why: String,
    /// Since when the engine is away; `None` when it answers, and the look failed all the same.
    pub away_since: Option<Timestamp>,
}

/// What a round was about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A workload was brought nearer to what it declares.
    Workload(&'a Workload),
    /// The object cannot become a workload: its agents were left as they are.
    Invalid {
        /// Whose agents.
        owner: &'a Owner,
        /// What is not valid, in plain words.
        why: &'a str,
    },
    /// The object is going.
    Deleting {
        /// Whose agents.
        owner: &'a Owner,
        /// What is still there of it.
        remaining: Remaining,
    },
}

impl Subject<'_> {
    /// Whose agents.
    pub fn owner(&self) -> &Owner {
        match self {
            Self::Workload(workload) => &workload.owner,
            Self::Invalid { owner, .. } | Self::Deleting { owner, .. } => owner,
        }
    }
}
