//! The status of a Team or Council, from one round.

use jiff::SignedDuration;

use crate::resource::condition::{self, ConditionType};
use crate::resource::kinds::WorkloadStatus;
use crate::resource::names::label;

use super::assess::assess;
use super::counts;
use super::facets::{self, Facets};
use super::round::{Round, Subject, Unseen};

/// An engine that restarts, and managers that elect a leader, are back within this: what was seen last is still
/// the best that is known.
pub const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// What people are told after a round. Equal to `old` when nothing but the time has moved, so that a settled
/// workload is never written.
///
/// Ready never runs ahead of reality: what was done in this round counts when it is seen in a later one. When
/// the engine could not be asked, the counts stay what they were; what depends on them is unknown after a grace.
pub fn status(old: Option<&WorkloadStatus>, round: &Round<'_>) -> WorkloadStatus {
    let old = old.cloned().unwrap_or_default();
    let (counted, facets) = match (round.subject, round.observed) {
        (Subject::Workload(workload), Ok(observed)) => {
            let agents = assess(workload, observed, round.report, round.instance, round.now);
            (
                counts::of_agents(&old, workload, &agents),
                facets::of_workload(&old, workload, &agents, observed, round),
            )
        }
        (Subject::Workload(_), Err(unseen)) if holds_on(&old, unseen, round) => return old,
        (Subject::Workload(workload), Err(Unseen { why, .. })) => (
            counts::kept(&old, workload),
            facets::of_unknown(workload.suspended, why),
        ),
        (Subject::Invalid { owner, why }, observed) => {
            let counted = match observed {
                Ok(observed) => counts::of_services(&old, owner, observed, round),
                Err(_) => old.clone(),
            };
            (counted, facets::of_invalid(why))
        }
        (Subject::Deleting { remaining, .. }, observed) => (
            counts::none(&old),
            facets::of_deleting(
                remaining,
                observed.err().map(|unseen| unseen.why.as_str()),
                round.outcome,
            ),
        ),
    };
    finish(counted, facets, round)
}

/// Whether what is said of this generation is kept, though nothing could be seen just now.
fn holds_on(old: &WorkloadStatus, unseen: &Unseen, round: &Round<'_>) -> bool {
    let is_brief = |since: jiff::Timestamp| round.now.duration_since(since) < GRACE;
    old.observed_generation == Some(round.subject.owner().generation)
        && unseen.away_since.is_some_and(is_brief)
}

/// Dates the conditions and fills in what people read first.
fn finish(counted: WorkloadStatus, facets: Facets, round: &Round<'_>) -> WorkloadStatus {
    let owner = round.subject.owner();
    let Facets {
        ready,
        progressing,
        degraded,
        stalled,
        suspended,
        state,
        message,
    } = facets;
    let mut conditions = counted.conditions;
    for (type_, facet) in [
        (ConditionType::Ready, ready),
        (ConditionType::Progressing, progressing),
        (ConditionType::Degraded, degraded),
        (ConditionType::Stalled, stalled),
        (ConditionType::Suspended, suspended),
    ] {
        if facet.keeps_old && condition::get(&conditions, type_).is_some() {
            continue;
        }
        let (status, reason, message) = (facet.status, facet.reason, facet.message);
        condition::set(
            &mut conditions,
            type_,
            status,
            reason,
            message,
            owner.generation,
            round.now,
        );
    }
    let templates = match round.subject {
        Subject::Workload(workload) => workload.templates.clone(),
        Subject::Invalid { .. } | Subject::Deleting { .. } => counted.templates,
    };
    WorkloadStatus {
        observed_generation: Some(owner.generation),
        summary: format!("{}/{}", counted.ready_replicas, counted.replicas),
        state: state.to_owned(),
        message,
        selector: format!(
            "{}={},{}={}",
            label::KIND,
            owner.key.kind.singular(),
            label::NAME,
            owner.key.name
        ),
        templates,
        conditions,
        ..counted
    }
}
