//! `POST …/simulations`: what would come of something, played on a copy of the Swarm. Nothing is stored or changed.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api::admission::{Admitted, Intent, admit_at, validated};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::limits::Abandoned;
use crate::api::lowering::{self, Shelf};
use crate::api::payload::Document;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Outlook, Scenario};
use crate::resource::{Key, Kind, Object, lower};
use crate::swarm::Want;
use crate::whatif::{self, COLLECTIONS, Owner, ScenarioError, Today};

/// One game at a time: each holds a copy of the Swarm, and the operator has other work.
static PLAYING: Semaphore = Semaphore::const_new(1);
/// How long to wait for the end of another one.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much a game stands back behind everything else that the machine does: as far as it goes.
const NICE: i32 = 19;

/// Plays the scenario in the body, in all namespaces.
pub(in crate::api) async fn simulate(
    State(api): State<Api>,
    caller: Caller,
    Extension(Abandoned(abandoned)): Extension<Abandoned>,
    Document(body): Document,
) -> Result<Answer<Outlook>, ApiError> {
    let scenario = Scenario::deserialize(body)
        .map_err(|error| ApiError::BadRequest(format!("the body is no scenario: {error}")))?;
    let turn = turn().await?;
    let (today, warnings) = today(&api, &caller, &scenario).await?;
    let played = play(turn, today, scenario, abandoned).await;
    match played.map_err(|error| ApiError::Internal(error.to_string()))? {
        Ok(outlook) => Ok(Answer {
            warnings,
            ..Answer::ok(outlook)
        }),
        Err(
            error @ (ScenarioError::NoSuchNode { .. }
            | ScenarioError::ManyNodes { .. }
            | ScenarioError::NodeExists(_)),
        ) => Err(ApiError::BadRequest(error.to_string())),
        Err(error @ (ScenarioError::NoCopy(_) | ScenarioError::NoLeader(_) | ScenarioError::Unwanted(_))) => {
            Err(ApiError::Internal(error.to_string()))
        }
    }
}

/// The turn to play.
///
/// # Errors
/// When somebody else's does not end soon.
async fn turn() -> Result<SemaphorePermit<'static>, ApiError> {
    let busy = || ApiError::Unavailable {
        what: "another what-if is being played".to_owned(),
        advice: "try again",
    };
    let turn = timeout(PATIENCE, PLAYING.acquire()).await.ok();
    turn.and_then(Result::ok).ok_or_else(busy)
}

/// Plays in a thread of its own, which has the processor only while nobody else wants it.
///
/// # Errors
/// When there is no thread, or it failed.
async fn play(
    turn: SemaphorePermit<'static>,
    today: Today,
    scenario: Scenario,
    abandoned: CancellationToken,
) -> Result<Result<Outlook, ScenarioError>, Box<dyn Error + Send + Sync>> {
    let (sender, played) = oneshot::channel();
    let thread = std::thread::Builder::new().name("what-if".to_owned());
    thread.spawn(move || {
        // Held to the end of the game, which outlives its client by little.
        let _turn = turn;
        // On Linux, of this thread alone. It plays as well without.
        let _unchanged = rustix::process::nice(NICE);
        // Whoever asked may have gone.
        let _unheard = sender.send(whatif::play(&today, &scenario, &|| !abandoned.is_cancelled()));
    })?;
    Ok(played.await?)
}

/// What is declared, with the scenario's objects in the place of theirs, and what runs; and what their authors should
/// know of them.
async fn today(api: &Api, caller: &Caller, scenario: &Scenario) -> Result<(Today, Vec<String>), ApiError> {
    let mut warnings = Vec::new();
    let mut shelf = Shelf::read(api, None).await?;
    let stored = lowering::owners(api, None).await?;
    let mut objects: BTreeMap<Key, Object> = stored
        .into_iter()
        .filter(|object| !object.is_deleting())
        .map(|object| (object.key(), object))
        .collect();
    let mut replaced: BTreeMap<Key, Option<Object>> = BTreeMap::new();
    let mut shaping: Vec<Object> = Vec::new();
    for raw in &scenario.objects {
        let Admitted {
            object,
            warnings: more,
            turn: _,
        } = proposed(api, caller, raw, &shaping).await?;
        warnings.extend(more);
        if object.kind.shapes_owners() {
            shelf.put(&object);
            shaping.push(object);
        } else {
            let key = object.key();
            replaced.insert(key.clone(), objects.insert(key, object));
        }
    }
    let mut owners = Vec::new();
    for (key, object) in objects {
        // What cannot be brought about is left as it runs.
        let Ok(workload) = shelf.lower(api, &object) else {
            continue;
        };
        let names = lower::template_names(&object.spec);
        let is_shaped_by = |other: &Object| {
            other.namespace() == object.namespace()
                && (other.kind == Kind::Policy || names.contains(other.name()))
        };
        let (status, is_changed) = match replaced.remove(&key) {
            Some(before) => (before.and_then(|before| before.status), true),
            None => (object.status.clone(), shaping.iter().any(is_shaped_by)),
        };
        owners.push(Owner {
            sources: api.cache.observe_sources(&Want::of(&workload)).await,
            status: status.and_then(|status| WorkloadStatus::deserialize(status).ok()),
            is_changed,
            workload,
        });
    }
    let today = Today {
        documents: api.cache.swarm().documents(&COLLECTIONS).await?,
        owners,
        instance: api.instance.clone(),
        now: Timestamp::now(),
    };
    Ok((today, warnings))
}

/// An object of the scenario as it would be stored.
async fn proposed(api: &Api, caller: &Caller, raw: &Value, beside: &[Object]) -> Result<Admitted, ApiError> {
    let key = validated(raw, Kind::Team)?.key();
    let live = api.store.get(&key).await?;
    admit_at(api, caller, raw, &key, live.as_ref(), Intent::Rehearse(beside)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_another_one_is_played_is_told() {
        let playing = turn().await.unwrap();
        let told = turn().await.unwrap_err();
        assert_eq!(
            (told.code().as_u16(), told.to_string().as_str()),
            (503, "another what-if is being played; try again")
        );
        drop(playing);
        drop(turn().await.unwrap());
    }
}
