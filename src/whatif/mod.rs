//! What would come of something that has not happened: a copy of the Swarm on paper, moved on by what happens, by
//! the engine's rules and by the operator's own planner, and compared with today.
//!
//! ```text
//! Today (documents, owners) -> sim::Rehearsal -> happen(Scenario) -> operate until quiet -> look -> Outlook
//! ```
//!
//! Pure: it asks nobody and waits for nothing.

mod compare;
mod happen;
mod look;
mod operate;

use std::time::Duration;

use jiff::Timestamp;

use crate::plan::Observed;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Managers, Outlook, Scenario};
use crate::resource::workload::Workload;
pub use crate::sim::COLLECTIONS;
use crate::sim::{Documents, Refused, Rehearsal, Timing};

/// The longest that is watched, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

/// What a game begins with.
#[derive(Debug)]
pub struct Today {
    /// What the engine lists: [`COLLECTIONS`].
    pub documents: Documents,
    /// Everything that declares agents.
    pub owners: Vec<Owner>,
    /// The installation's id.
    pub instance: String,
    /// The time.
    pub now: Timestamp,
}

/// One object that declares agents, as it is to be in the game.
#[derive(Debug)]
pub struct Owner {
    /// What it comes to.
    pub workload: Workload,
    /// Its images and secrets, as they are today.
    pub sources: Observed,
    /// What it was, if the scenario changes it.
    pub change: Option<Change>,
}

/// An object that the scenario changes.
#[derive(Debug)]
pub struct Change {
    /// What people are told of it today; nothing of a new one.
    pub status: Option<WorkloadStatus>,
}

/// Why a scenario cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It names a node that is not there.
    #[error("there is no node \"{name}\"{hint}; the nodes are {known}")]
    NoSuchNode {
        /// The name.
        name: String,
        /// The nearest name, if one is near.
        hint: String,
        /// The names that there are.
        known: String,
    },
    /// It adds a node whose name is taken.
    #[error("there is a node \"{0}\" already; choose another name for the new one")]
    NodeExists(String),
    /// The engine lists something that the copy cannot hold.
    #[error("the Swarm cannot be copied: {0}")]
    NoCopy(#[source] Refused),
    /// The managers have no leader today.
    #[error("nothing can be foretold of a Swarm that has no leader: {0}")]
    NoLeader(#[source] Refused),
}

/// Plays a scenario to its end, or until nobody wants to know any more: what then comes back says nothing.
///
/// # Errors
/// When it cannot be played at all.
pub fn play(
    today: &Today,
    scenario: &Scenario,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Outlook, ScenarioError> {
    let start = today.now;
    let mut swarm =
        Rehearsal::copy(&today.documents, start, Timing::lifelike()).map_err(ScenarioError::NoCopy)?;
    let before = look::look(&mut swarm, today, None).map_err(ScenarioError::NoLeader)?;
    let lost = happen::happen(&mut swarm, today, scenario)?;
    let refused = operate::operate(
        &mut swarm,
        today,
        Duration::from_secs(scenario.seconds.min(LONGEST)),
        is_wanted,
    );
    let after = look::look(&mut swarm, today, Some(&before));
    let (reachable, total) = swarm.managers();
    let managers = Managers {
        reachable,
        total,
        has_leader: after.is_ok(),
    };
    Ok(match after {
        Ok(after) => compare::compare(&before, &after, &refused, managers, start),
        Err(_) => compare::leaderless(&before, &lost, managers),
    })
}
