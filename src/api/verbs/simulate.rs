//! `POST …/simulations`: what would come of something, played on a copy of the Swarm. Nothing is stored or changed.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::api::admission::{Admitted, admit, admit_new, validated};
use crate::api::answer::Answer;
use crate::api::limits::Abandoned;
use crate::api::lowering::{self, Shelf};
use crate::api::payload::Document;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Outlook, Scenario};
use crate::resource::{Key, Kind, Object, lower};
use crate::swarm::Want;
use crate::whatif::{self, COLLECTIONS, Change, Owner, ScenarioError, Today};

/// One game at a time: each holds a copy of the Swarm, and the operator has other work.
static PLAYING: Semaphore = Semaphore::const_new(1);

/// Plays the scenario in the body, in all namespaces.
pub(in crate::api) async fn simulate(
    State(api): State<Api>,
    Extension(Abandoned(abandoned)): Extension<Abandoned>,
    Document(body): Document,
) -> Result<Answer<Outlook>, ApiError> {
    let scenario = Scenario::deserialize(body)
        .map_err(|error| ApiError::BadRequest(format!("the body is no scenario: {error}")))?;
    let Some(turn) = abandoned.run_until_cancelled(PLAYING.acquire()).await else {
        // Nobody reads this.
        return Err(ApiError::Internal("the client has gone".to_owned()));
    };
    let (today, warnings) = today(&api, &scenario).await?;
    let played = tokio::task::spawn_blocking(move || {
        // Held to the end of the game, which outlives its client by a round.
        let _turn = turn;
        whatif::play(&today, &scenario, &|| !abandoned.is_cancelled())
    })
    .await;
    match played.map_err(|error| ApiError::Internal(error.to_string()))? {
        Ok(outlook) => Ok(Answer {
            warnings,
            ..Answer::ok(outlook)
        }),
        Err(error @ (ScenarioError::NoSuchNode { .. } | ScenarioError::NodeExists(_))) => {
            Err(ApiError::BadRequest(error.to_string()))
        }
        Err(error @ (ScenarioError::NoCopy(_) | ScenarioError::NoLeader(_))) => {
            Err(ApiError::Internal(error.to_string()))
        }
    }
}

/// What is declared, with the scenario's objects in the place of theirs, and what runs; and what their authors should
/// know of them.
async fn today(api: &Api, scenario: &Scenario) -> Result<(Today, Vec<String>), ApiError> {
    let mut warnings = Vec::new();
    let mut shelf = Shelf::read(api, None).await?;
    let stored = lowering::owners(api, None).await?;
    let mut objects: BTreeMap<Key, Object> = stored
        .into_iter()
        .filter(|object| !object.is_deleting())
        .map(|object| (object.key(), object))
        .collect();
    let mut replaced: BTreeMap<Key, Option<Object>> = BTreeMap::new();
    let mut templates: Vec<Object> = Vec::new();
    for raw in &scenario.objects {
        let Admitted {
            object,
            warnings: more,
        } = proposed(api, raw, &templates).await?;
        warnings.extend(more);
        if object.kind == Kind::AgentTemplate {
            shelf.put(&object);
            templates.push(object);
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
        let uses =
            |template: &Object| template.namespace() == object.namespace() && names.contains(template.name());
        let before = match replaced.remove(&key) {
            Some(before) => Some(before),
            None => templates.iter().any(uses).then(|| Some(object.clone())),
        };
        let change = before.map(|before| Change {
            status: before.and_then(|before| WorkloadStatus::deserialize(before.status?).ok()),
        });
        owners.push(Owner {
            sources: api.cache.observe_sources(&Want::of(&workload)).await,
            change,
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
async fn proposed(api: &Api, raw: &Value, templates: &[Object]) -> Result<Admitted, ApiError> {
    let key = validated(raw, Kind::Team)?.key();
    match api.store.get(&key).await? {
        Some(live) => admit(api, raw, &live, templates).await,
        None => admit_new(api, raw, key.kind, &key.namespace, templates).await,
    }
}
