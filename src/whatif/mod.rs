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
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

use crate::plan::Observed;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Managers, Outlook, Scenario};
use crate::resource::workload::Workload;
pub use crate::sim::COLLECTIONS;
use crate::sim::{Documents, Refused, Rehearsal, Timing};

use self::look::Moment;

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
    /// What people are told of it today; nothing of a new one.
    pub status: Option<WorkloadStatus>,
    /// Whether the scenario changes it.
    pub is_changed: bool,
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
    /// It names a node by the start of an id that several have.
    #[error("the ids of several nodes begin with \"{name}\": {ids}; write more of the one that is meant")]
    ManyNodes {
        /// The start.
        name: String,
        /// The ids.
        ids: String,
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
    /// It was broken off.
    #[error(transparent)]
    Unwanted(#[from] Unwanted),
}

/// Nobody wants to know any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for the end of the simulation any more")]
pub struct Unwanted;

/// Who wants to know how it ends: asked again and again, so that a long game can be broken off.
#[derive(Clone, Copy)]
struct Audience<'a>(&'a dyn Fn() -> bool);

impl Audience<'_> {
    /// # Errors
    /// When nobody is left.
    fn check(self) -> Result<(), Unwanted> {
        if (self.0)() { Ok(()) } else { Err(Unwanted) }
    }
}

/// Plays a scenario to its end, or until nobody wants to know any more.
///
/// # Errors
/// When it cannot be played at all, or is broken off.
pub fn play(
    today: &Today,
    scenario: &Scenario,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Outlook, ScenarioError> {
    let audience = Audience(is_wanted);
    let start = today.now;
    let mut swarm =
        Rehearsal::copy(&today.documents, start, Timing::lifelike()).map_err(ScenarioError::NoCopy)?;
    audience.check()?;
    let documents = swarm.documents().map_err(ScenarioError::NoLeader)?;
    let before = look::look(&documents, today, Moment::Today, audience)?;
    let failed = happen::happen(&mut swarm, today, scenario)?;
    let length = Duration::from_secs(scenario.seconds.min(LONGEST));
    let refused = operate::operate(&mut swarm, today, length, audience)?;
    let documents = swarm.documents();
    let (reachable, total) = swarm.managers();
    let managers = Managers {
        reachable,
        total,
        has_leader: documents.is_ok(),
    };
    Ok(match documents {
        Ok(documents) => Outlook {
            managers,
            unnoticed: happen::unnoticed(&documents, &failed, Timing::lifelike().node_down),
            ..compare::compare(
                today,
                &before,
                &look::look(&documents, today, Moment::At(swarm.now()), audience)?,
                &refused,
            )
        },
        Err(why) => Outlook {
            managers,
            ..compare::leaderless(today, &before, &failed, why, swarm.now())
        },
    })
}
