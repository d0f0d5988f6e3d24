//! Does on paper what the operator would do for the objects that change.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::look::observe;
use super::{Owner, Today};
use crate::plan::{self, Action};
use crate::sim::{Refused, Rehearsal};
use crate::swarm::Picture;

/// Between two looks of the operator, and between two steps that build on one another.
const STEP: Duration = Duration::from_secs(1);
/// After so many looks that find nothing to do, nothing more will come: a node that fails is noticed earlier.
const QUIET: u32 = 30;
/// Content that stands for one that nobody needs here, in Base64.
const ANY_CONTENT: &str = "Lg==";

/// Moves time on until `length` has gone by. What the engine refused last, by the name of what it was about.
pub(super) fn operate(swarm: &mut Rehearsal, today: &Today, length: Duration) -> BTreeMap<String, Refused> {
    let changed: Vec<&Owner> = today
        .owners
        .iter()
        .filter(|owner| owner.change.is_some())
        .collect();
    let mut refused = BTreeMap::new();
    let (mut left, mut quiet) = (length, 0);
    while !changed.is_empty() && left > STEP && quiet < QUIET {
        let before = swarm.now();
        let acted = changed
            .iter()
            .map(|owner| take_a_turn(swarm, today, owner, &mut refused))
            .fold(false, |any, acted| any | acted);
        quiet = if acted { 0 } else { quiet + 1 };
        swarm.advance(STEP);
        let gone = Duration::try_from(swarm.now().duration_since(before)).unwrap_or(STEP);
        left = left.saturating_sub(gone);
    }
    swarm.advance(left);
    refused
}

/// One turn of one owner: whether there was anything to do.
fn take_a_turn(
    swarm: &mut Rehearsal,
    today: &Today,
    owner: &Owner,
    refused: &mut BTreeMap<String, Refused>,
) -> bool {
    let Ok(documents) = swarm.documents() else {
        return false;
    };
    let mut picture = Picture::new(&documents, &today.instance);
    let plan = plan::plan(&owner.workload, &observe(&picture, owner), &today.instance);
    let is_empty = plan.is_empty();
    for stage in plan.stages.iter().filter(|stage| !stage.is_empty()) {
        for action in stage {
            if let Err(why) = act(swarm, &picture, action) {
                refused.insert(action.target().name().to_owned(), why);
            }
        }
        swarm.advance(STEP);
        let Ok(documents) = swarm.documents() else { break };
        picture = Picture::new(&documents, &today.instance);
    }
    !is_empty
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
        // What is not used any more moves no agent, and no plan for a declared object lets a service go.
        Action::ReleaseService { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveSecret { .. }
        | Action::RemoveConfig { .. } => {}
    }
    Ok(())
}
