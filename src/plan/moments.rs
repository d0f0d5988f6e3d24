//! When what is seen comes to mean something else by time alone: deadlines end, graces run out, failures are forgotten.

use std::iter::once;

use jiff::{SignedDuration, Timestamp};

use super::assess::PLACEMENT_GRACE;
use super::health::{ADDRESSING, STABLE, WINDOW};
use super::observed::{Observed, Task};
use crate::resource::condition::{self, ConditionType};
use crate::resource::kinds::WorkloadStatus;
use crate::resource::workload::Workload;

/// A failure of just this age still counts.
const PAST: SignedDuration = SignedDuration::from_millis(1);

/// The first moment after `now` at which the status may be another although nothing changes; `None` when time alone
/// changes nothing any more. `status` is the one of now.
pub fn next_moment(
    workload: &Workload,
    observed: &Observed,
    status: &WorkloadStatus,
    now: Timestamp,
) -> Option<Timestamp> {
    let services = || observed.services.values();
    let tasks = services().filter_map(|service| service.tasks.as_ref()).flatten();
    let progressing = condition::get(&status.conditions, ConditionType::Progressing);
    let progressing = progressing.map(|condition| condition.last_transition_time.0);
    let limit = SignedDuration::try_from(workload.progress_deadline).unwrap_or(SignedDuration::MAX);
    let deadlines = services()
        .map(|service| service.updated)
        .chain(progressing)
        .map(|since| (since, limit));
    let moments = deadlines.chain(tasks.flat_map(of_task));
    let moments = moments.filter_map(|(since, after)| since.checked_add(after).ok());
    moments.filter(|moment| *moment > now).min()
}

/// What a task comes to mean after some time, each with since when that counts.
fn of_task(task: &Task) -> impl Iterator<Item = (Timestamp, SignedDuration)> {
    let from_creation = [ADDRESSING, PLACEMENT_GRACE].map(|after| (task.created, after));
    let from_state = [STABLE, WINDOW + PAST].map(|after| (task.since, after));
    once(from_creation).chain(once(from_state)).flatten()
}
