//! When to look at an object again. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::plan::action::{FailureKind, Outcome};
use crate::plan::{self, Observed, Report};
use crate::queue::Next;
use crate::resource::condition::{self, ConditionType};
use crate::resource::kinds::WorkloadStatus;

use super::Tuning;
use super::prepare::Prepared;

/// Of the time for which an object has been as it is, the part after which what nobody tells of is looked at again.
const QUIET_PART: u32 = 10;

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
    Settled {
        /// Whether it depends on what nobody tells of.
        has_secrets: bool,
    },
    /// Something was done in this turn.
    Acted,
    /// Something is under way in the Swarm.
    Settling {
        /// For how long it has been as it is.
        quiet: Duration,
        /// How long it takes until its status may differ by time alone.
        moment: Option<Duration>,
        /// Whether it may wait for what nobody tells of.
        is_untold: bool,
    },
    /// Services of it are going.
    Removing,
    /// It is gone.
    Gone,
}

/// The end of a turn after which something is still under way.
pub(super) fn settling(
    prepared: &Prepared,
    observed: &Observed,
    report: &Report,
    status: &WorkloadStatus,
    now: Timestamp,
) -> Ended {
    let moment = match prepared {
        Prepared::Workload(workload) => plan::next_moment(workload, observed, status, now),
        Prepared::Invalid { .. } => None,
    };
    Ended::Settling {
        quiet: quiet(status, observed, now),
        moment: moment.map(|moment| Duration::try_from(moment.duration_since(now)).unwrap_or_default()),
        is_untold: !report.blocked.is_empty() || prepared.want().has_secret_files(),
    }
}

/// For how long an object has been as it is: since its conditions, or any of its tasks, changed.
fn quiet(status: &WorkloadStatus, observed: &Observed, now: Timestamp) -> Duration {
    let conditions = status.conditions.iter();
    let told = conditions.map(|condition| condition.last_transition_time.0);
    let tasks = observed
        .services
        .values()
        .filter_map(|service| service.tasks.as_ref());
    let tasks = tasks.flatten();
    let since = told.chain(tasks.map(|task| task.since)).max().unwrap_or(now);
    // A node's clock may be ahead of ours.
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// When to look again after a turn that did all it could. `random`, from 0 to 1, keeps those apart that are looked at
/// seldom.
pub(super) fn after(ended: Ended, outcome: &Outcome, tuning: &Tuning, random: f64) -> Next {
    if outcome
        .failed
        .iter()
        .any(|failure| failure.kind != FailureKind::InUse)
    {
        return Next::Backoff;
    }
    match ended {
        Ended::Settled { has_secrets: true } => Next::After(tuning.resync),
        Ended::Settled { has_secrets: false } => Next::After(tuning.safety_net.mul_f64(0.5 + random)),
        Ended::Acted => Next::After(tuning.after_acting),
        Ended::Settling {
            quiet,
            moment,
            is_untold,
        } => {
            let sure = match is_untold {
                true => (quiet / QUIET_PART).min(tuning.resync).max(tuning.while_settling),
                false => tuning.resync,
            };
            Next::After(moment.map_or(sure, |moment| sure.min(moment.max(tuning.after_acting))))
        }
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
    fn what_may_wait_for_something_untold_is_looked_at_less_and_less_often() {
        for (quiet, next) in [(0, 5), (50, 5), (100, 10), (600, 60), (86_400, 60)] {
            let quiet = Duration::from_secs(quiet);
            let next = Next::After(Duration::from_secs(next));
            let ended = Ended::Settling {
                quiet,
                moment: None,
                is_untold: true,
            };
            assert_eq!(
                after(ended, &outcome(&[]), &Tuning::default(), 0.5),
                next,
                "{quiet:?}"
            );
        }
    }

    #[test]
    fn what_is_told_is_looked_at_when_time_makes_it_another() {
        let tuning = Tuning::default();
        for (moment, next) in [
            (None, tuning.resync),
            (Some(600_000), tuning.resync),
            (Some(7_001), Duration::from_millis(7_001)),
            (Some(0), tuning.after_acting),
        ] {
            let ended = Ended::Settling {
                quiet: Duration::ZERO,
                moment: moment.map(Duration::from_millis),
                is_untold: false,
            };
            let looked = after(ended, &outcome(&[]), &tuning, 0.5);
            assert_eq!(looked, Next::After(next), "{moment:?}");
        }
    }

    #[test]
    fn seldom_looks_are_spread() {
        let ended = Ended::Settled { has_secrets: false };
        let settled = |random| after(ended, &outcome(&[]), &Tuning::default(), random);
        let minutes = |minutes: u64| Next::After(Duration::from_secs(60 * minutes));
        assert_eq!([0.0, 1.0].map(settled), [5, 15].map(minutes));
    }

    #[test]
    fn failures_back_off_and_a_network_in_use_is_waited_for() {
        let tuning = Tuning::default();
        for (ended, failed, next) in [
            (
                Ended::Settled { has_secrets: true },
                &[] as &[FailureKind],
                Next::After(tuning.resync),
            ),
            (
                Ended::Settled { has_secrets: false },
                &[],
                Next::After(tuning.safety_net),
            ),
            (
                Ended::Settled { has_secrets: true },
                &[FailureKind::Refused],
                Next::Backoff,
            ),
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
            (Ended::Acted, &[FailureKind::Conflict], Next::Backoff),
            (Ended::Acted, &[], Next::After(tuning.after_acting)),
            (Ended::Gone, &[], Next::Never),
        ] {
            assert_eq!(
                after(ended, &outcome(failed), &tuning, 0.5),
                next,
                "{ended:?} {failed:?}"
            );
        }
    }
}
