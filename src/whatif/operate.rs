//! Does on paper what the operator would do for the objects that change.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::look::observe;
use super::{Audience, Owner, Today, Unwanted};
use crate::plan::{self, Action, Plan};
use crate::sim::{Refused, Rehearsal};
use crate::swarm::Picture;

/// Between two looks of the operator, and between two steps that build on one another.
const STEP: Duration = Duration::from_secs(1);
/// What is played at a stretch.
const PIECE: Duration = Duration::from_millis(50);
/// After so many looks that find nothing to do, nothing more will come: a node that fails is noticed earlier.
const QUIET: u32 = 30;
/// Content that stands for one that nobody needs here, in Base64.
const ANY_CONTENT: &str = "Lg==";

/// Moves time on until `length` has gone by. What the engine refused last, by the name of what it was about.
///
/// # Errors
/// When nobody wants to know any more.
pub(super) fn operate(
    swarm: &mut Rehearsal,
    today: &Today,
    length: Duration,
    audience: Audience<'_>,
) -> Result<BTreeMap<String, Refused>, Unwanted> {
    let owners = today.owners.iter();
    let changed: Vec<&Owner> = owners.filter(|owner| owner.is_changed).collect();
    let end = swarm.now().checked_add(length).unwrap_or(Timestamp::MAX);
    let mut refused = BTreeMap::new();
    let mut quiet = 0;
    while swarm.now() < end {
        if !changed.is_empty() && quiet < QUIET {
            let acted = take_turns(swarm, today, &changed, &mut refused, audience)?;
            quiet = if acted { 0 } else { quiet + 1 };
        }
        let left = Duration::try_from(end.duration_since(swarm.now())).unwrap_or_default();
        advance(swarm, STEP.min(left), audience)?;
    }
    Ok(refused)
}

/// Moves time on in pieces, in each of which little happens.
///
/// # Errors
/// When nobody wants to know any more.
fn advance(swarm: &mut Rehearsal, by: Duration, audience: Audience<'_>) -> Result<(), Unwanted> {
    let mut left = by;
    while !left.is_zero() {
        audience.check()?;
        let piece = PIECE.min(left);
        swarm.advance(piece);
        left -= piece;
    }
    Ok(())
}

/// One turn of all owners at once: whether anything was done.
///
/// # Errors
/// When nobody wants to know any more.
fn take_turns(
    swarm: &mut Rehearsal,
    today: &Today,
    owners: &[&Owner],
    refused: &mut BTreeMap<String, Refused>,
    audience: Audience<'_>,
) -> Result<bool, Unwanted> {
    let Some(mut picture) = picture(swarm, today) else {
        return Ok(false);
    };
    let plan = |owner: &&Owner| {
        audience.check()?;
        Ok(plan::plan(
            &owner.workload,
            &observe(&picture, owner),
            &today.instance,
        ))
    };
    let plans: Vec<Plan> = owners.iter().map(plan).collect::<Result<_, Unwanted>>()?;
    let stages = plans
        .iter()
        .map(|plan| plan.stages.len())
        .max()
        .unwrap_or_default();
    let mut acted = false;
    for stage in 0..stages {
        if stage > 0 {
            advance(swarm, STEP, audience)?;
            let Some(next) = self::picture(swarm, today) else {
                break;
            };
            picture = next;
        }
        for action in plans.iter().filter_map(|plan| plan.stages.get(stage)).flatten() {
            audience.check()?;
            let name = action.target().name().to_owned();
            match act(swarm, &picture, action) {
                Ok(()) => {
                    acted = true;
                    refused.remove(&name);
                }
                Err(why) => {
                    refused.insert(name, why);
                }
            }
        }
    }
    Ok(acted)
}

/// What the operator sees; nothing while the managers have no leader.
fn picture(swarm: &mut Rehearsal, today: &Today) -> Option<Picture> {
    let documents = swarm.documents().ok()?;
    Some(Picture::new(&documents, &today.instance))
}

fn act(swarm: &mut Rehearsal, picture: &Picture, action: &Action) -> Result<(), Refused> {
    match action {
        Action::CreateNetwork { name, labels } => {
            swarm.post("/networks/create", &picture.network_request(name, labels))?;
        }
        Action::CreateSecret {
            name,
            labels,
            source: _,
        } => {
            let body = json!({"Name": name, "Labels": labels, "Data": ANY_CONTENT});
            swarm.post("/secrets/create", &body)?;
        }
        Action::CreateConfig {
            name,
            labels,
            data: _,
        } => {
            let body = json!({"Name": name, "Labels": labels, "Data": ANY_CONTENT});
            swarm.post("/configs/create", &body)?;
        }
        Action::CreateService { spec } => {
            swarm.post("/services/create", &picture.service_request(spec, None))?;
        }
        Action::UpdateService {
            id,
            version,
            spec,
            uid: _,
        } => {
            let path = format!("/services/{id}/update?version={version}");
            swarm.post(&path, &picture.service_request(spec, Some(id)))?;
        }
        Action::RemoveService { id, .. } => swarm.delete(&format!("/services/{id}"))?,
        Action::RemoveNetwork { id, .. } => swarm.delete(&format!("/networks/{id}"))?,
        Action::RemoveSecret { id, .. } => swarm.delete(&format!("/secrets/{id}"))?,
        Action::RemoveConfig { id, .. } => swarm.delete(&format!("/configs/{id}"))?,
        // No plan for a declared object lets a service go.
        Action::ReleaseService { .. } => {}
    }
    Ok(())
}
