//! When to look at an object again. Pure.

use crate::plan::action::{FailureKind, Outcome};
use crate::queue::Next;
use crate::resource::condition::{self, ConditionType};
use crate::resource::kinds::WorkloadStatus;

use super::Tuning;

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
pub(super) fn after(ended: Ended, outcome: &Outcome, tuning: &Tuning) -> Next {
    if outcome
        .failed
        .iter()
        .any(|failure| failure.kind != FailureKind::InUse)
    {
        return Next::Backoff;
    }
    match ended {
        Ended::Settled => Next::After(tuning.resync),
        Ended::Settling { acted: true } => Next::After(tuning.after_acting),
        Ended::Settling { acted: false } => Next::After(tuning.while_settling),
        Ended::Removing => Next::After(tuning.while_removing),
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
        let tuning = Tuning::default();
        for (ended, failed, next) in [
            (Ended::Settled, &[] as &[FailureKind], Next::After(tuning.resync)),
            (Ended::Settled, &[FailureKind::Refused], Next::Backoff),
            (
                Ended::Removing,
                &[FailureKind::InUse],
                Next::After(tuning.while_removing),
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
            (
                Ended::Settling { acted: true },
                &[],
                Next::After(tuning.after_acting),
            ),
            (Ended::Gone, &[], Next::Never),
        ] {
            assert_eq!(
                after(ended, &outcome(failed), &tuning),
                next,
                "{ended:?} {failed:?}"
            );
        }
    }
}
