//! When to look at an object again. Pure.

use std::time::Duration;

use crate::plan::action::{FailureKind, Outcome};
use crate::queue::Next;
use crate::resource::condition::{self, ConditionType};
use crate::resource::kinds::WorkloadStatus;

/// A settled object is looked at again after this, whatever events were lost.
pub(super) const RESYNC: Duration = Duration::from_secs(60);
/// After acting: the engine's answer to what was done is a task that starts.
const AFTER_ACTING: Duration = Duration::from_millis(100);
/// While agents start, on top of the task polls' hints: deadlines pass without any.
const WHILE_SETTLING: Duration = Duration::from_secs(5);
/// While something is removed, which has no event: tasks stop, a network becomes free.
const WHILE_REMOVING: Duration = Duration::from_millis(250);

/// Whether agents are on their way: their tasks, which have no events, are polled until they are not.
pub(super) fn is_settling(status: &WorkloadStatus) -> bool {
    let holds = |type_| condition::holds(&status.conditions, type_);
    if holds(ConditionType::Suspended) {
        return false;
    }
    !holds(ConditionType::Ready) || holds(ConditionType::Progressing) || holds(ConditionType::Degraded)
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All is as declared.
    Settled,
    /// Something was done, or is under way in the Swarm.
    Settling {
        /// Whether this turn itself did something.
        acted: bool,
    },
    /// Services of it are going.
    Removing,
    /// It is gone.
    Gone,
}

/// When to look again after a turn that did all it could.
pub(super) fn after(ended: Ended, outcome: &Outcome) -> Next {
    if outcome
        .failed
        .iter()
        .any(|failure| failure.kind != FailureKind::InUse)
    {
        return Next::Backoff;
    }
    match ended {
        Ended::Settled => Next::After(RESYNC),
        Ended::Settling { acted: true } => Next::After(AFTER_ACTING),
        Ended::Settling { acted: false } => Next::After(WHILE_SETTLING),
        Ended::Removing => Next::After(WHILE_REMOVING),
        Ended::Gone => Next::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::action::{Failure, Target};

    fn outcome(kinds: &[FailureKind]) -> Outcome {
        let failed = kinds.iter().map(|kind| Failure {
            what: Target::Network("chorus_net".to_owned()),
            kind: *kind,
            message: String::new(),
        });
        Outcome {
            done: Vec::new(),
            failed: failed.collect(),
        }
    }

    #[test]
    fn failures_back_off_and_a_network_in_use_is_waited_for() {
        for (ended, failed, next) in [
            (Ended::Settled, &[] as &[FailureKind], Next::After(RESYNC)),
            (Ended::Settled, &[FailureKind::Refused], Next::Backoff),
            (
                Ended::Removing,
                &[FailureKind::InUse],
                Next::After(WHILE_REMOVING),
            ),
            (
                Ended::Removing,
                &[FailureKind::InUse, FailureKind::Unavailable],
                Next::Backoff,
            ),
            (
                Ended::Settling { acted: true },
                &[FailureKind::Conflict],
                Next::Backoff,
            ),
            (Ended::Settling { acted: true }, &[], Next::After(AFTER_ACTING)),
            (Ended::Gone, &[], Next::Never),
        ] {
            assert_eq!(after(ended, &outcome(failed)), next, "{ended:?} {failed:?}");
        }
    }
}
