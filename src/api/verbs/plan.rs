//! The subresource `plan`: what storing an object would come to, by the planner that the controllers use.

use axum::extract::State;
use serde_json::Value;

use super::apply::applied;
use crate::api::admission::{Admitted, Intent, admit_at, validated};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::lowering::{self, Shelf};
use crate::api::options::Params;
use crate::api::paths::Target;
use crate::api::payload::{Proposed, Written};
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::api::write_options::WriteOptions;
use crate::plan;
use crate::resource::condition::Reason;
use crate::resource::managed::{Applied, Manager};
use crate::resource::preview::{Preview, PreviewBlocked};
use crate::resource::proposal::Proposal;
use crate::resource::validate::{Cause, Invalid};
use crate::resource::{Kind, Object};
use crate::swarm::Want;

/// `GET …/{name}/plan`: what is still to be done for the stored object.
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Proposal>, ApiError> {
    let object = api.object(&key).await?;
    propose(&api, Some(object.clone()), object, &[])
        .await
        .map(Answer::ok)
}

/// `POST …/{name}/plan`: what would be done if the object in the body were stored. Nothing is.
///
/// The body may be a `List` of the object and the AgentTemplates and Policies that would be stored before it. As an
/// apply patch, its object is a part that would be applied, and the parameters are those of an apply. With
/// `preview=false` the object is only judged, and the Swarm is not asked.
pub(in crate::api) async fn propose_change(
    State(api): State<Api>,
    Target(key): Target,
    params: Params,
    options: WriteOptions,
    caller: Caller,
    Written {
        body,
        warnings: repeated,
    }: Written<Proposed>,
) -> Result<Answer<Proposal>, ApiError> {
    let live = api.store.get(&key).await?;
    let (raw, owners, beside) = match body {
        Proposed::Whole(body) => {
            let (raw, beside) = unpack(body)?;
            (raw, None, beside)
        }
        Proposed::Part(body) => {
            let (config, beside) = unpack(body)?;
            let manager = Manager::new(options.applier()?);
            let Applied { object, owners, .. } = applied(live.as_ref(), &key, &config, &manager, &options)?;
            (object, owners, beside)
        }
    };
    let Admitted {
        mut object,
        mut warnings,
        turn: _,
    } = admit_at(
        &api,
        &caller,
        &raw,
        &key,
        live.as_ref(),
        Intent::Rehearse(&beside),
    )
    .await?;
    warnings.extend(repeated);
    if owners.is_some() {
        object.metadata.managed_fields = owners;
    }
    let proposal = if params.text("preview") == Some("false") {
        Proposal {
            live,
            proposed: object,
            preview: Preview::default(),
        }
    } else {
        propose(&api, live, object, &beside).await?
    };
    Ok(Answer {
        warnings,
        ..Answer::ok(proposal)
    })
}

/// The object that a plan is wanted for, and the templates and Policies that come with it.
fn unpack(mut body: Value) -> Result<(Value, Vec<Object>), ApiError> {
    let is_list = body.get("kind").and_then(Value::as_str) == Some("List");
    let Some(items) = body
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .filter(|_| is_list)
    else {
        return Ok((body, Vec::new()));
    };
    let mut items = std::mem::take(items).into_iter();
    let object = items
        .next()
        .ok_or_else(|| ApiError::BadRequest("the list is empty; its first item is planned".to_owned()))?;
    let beside: Vec<Object> = items
        .map(|raw| validated(&raw, Kind::AgentTemplate))
        .collect::<Result<_, _>>()?;
    match beside.iter().find(|item| !item.kind.shapes_owners()) {
        None => Ok((object, beside)),
        Some(other) => Err(ApiError::BadRequest(format!(
            "the list has {} after its first item; only AgentTemplates and Policies may stand there",
            other.kind.with_article()
        ))),
    }
}

async fn propose(
    api: &Api,
    live: Option<Object>,
    proposed: Object,
    beside: &[Object],
) -> Result<Proposal, ApiError> {
    let namespace = proposed.namespace();
    let is_as_it_was = live.as_ref().is_some_and(|live| live.spec == proposed.spec);
    if proposed.kind.shapes_owners() && is_as_it_was && beside.is_empty() {
        return Ok(Proposal {
            live,
            proposed,
            preview: Preview::default(),
        });
    }
    let concerned = match proposed.kind {
        Kind::AgentTemplate => lowering::users(api, namespace, proposed.name()).await?,
        Kind::Policy => lowering::owners(api, Some(namespace)).await?,
        // What comes of a repository says its next commit.
        Kind::GitSource => Vec::new(),
        Kind::Team | Kind::Council | Kind::Agent => vec![proposed.clone()],
    };
    let mut shelf = Shelf::named_by(api, namespace, &concerned, beside).await?;
    shelf.put(&proposed);
    let preview = match concerned.as_slice() {
        [one] if one.key() == proposed.key() => preview_of(api, &shelf, one).await?,
        all => preview_of_all(api, &shelf, all).await?,
    };
    Ok(Proposal {
        live,
        proposed,
        preview,
    })
}

/// What a template or Policy would do to all whom it concerns, as one preview.
async fn preview_of_all(api: &Api, shelf: &Shelf, owners: &[Object]) -> Result<Preview, ApiError> {
    let mut all = Preview::default();
    for owner in owners {
        let Preview {
            changes,
            blocked,
            interrupted,
            suspended: _,
        } = preview_of(api, shelf, owner).await?;
        all.changes.extend(changes);
        all.interrupted += interrupted;
        all.blocked
            .extend(blocked.into_iter().map(|blocked| PreviewBlocked {
                agent: format!("{}/{} {}", owner.kind.singular(), owner.name(), blocked.agent),
                ..blocked
            }));
    }
    Ok(all)
}

async fn preview_of(api: &Api, shelf: &Shelf, object: &Object) -> Result<Preview, ApiError> {
    let workload = match shelf.lower(api, object) {
        Ok(workload) => workload,
        Err(invalid) => return Ok(unplanned(&invalid)),
    };
    let observed = api.cache.observe(&Want::of(&workload)).await?;
    Ok(plan::preview(&plan::plan(&workload, &observed, &api.instance)))
}

/// The preview of what cannot be planned: its agents are left as they are.
fn unplanned(invalid: &Invalid) -> Preview {
    let blocked = |cause: &Cause| PreviewBlocked {
        agent: cause.field.clone(),
        reason: Reason::InvalidSpec.to_string(),
        message: cause.message.clone(),
    };
    Preview {
        blocked: invalid.causes.iter().map(blocked).collect(),
        ..Preview::default()
    }
}
