//! The subresource `plan`: what storing an object would come to, by the planner that the controllers use.

use axum::extract::State;

use crate::api::admission::{Admitted, admit, admit_new};
use crate::api::answer::Answer;
use crate::api::lowering::{self, Shelf};
use crate::api::paths::Target;
use crate::api::payload::Document;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::plan;
use crate::plan::action::BlockedReason;
use crate::resource::lower::LowerError;
use crate::resource::preview::{Preview, PreviewBlocked};
use crate::resource::proposal::Proposal;
use crate::resource::{Kind, Object};
use crate::swarm::Want;

/// `GET …/{name}/plan`: what is still to be done for the stored object.
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Proposal>, ApiError> {
    let object = api.object(&key).await?;
    propose(&api, Some(object.clone()), object).await.map(Answer::ok)
}

/// `POST …/{name}/plan`: what would be done if the object in the body were stored. Nothing is.
pub(in crate::api) async fn propose_change(
    State(api): State<Api>,
    Target(key): Target,
    Document(raw): Document,
) -> Result<Answer<Proposal>, ApiError> {
    let live = api.store.get(&key).await?;
    let Admitted { object, warnings } = match &live {
        Some(live) => admit(&api, &raw, live).await?,
        None => admit_new(&api, &raw, key.kind, &key.namespace).await?,
    };
    if object.name() != key.name {
        return Err(ApiError::BadRequest(format!(
            "the object's metadata.name is \"{}\", the request's path says \"{}\"",
            object.name(),
            key.name
        )));
    }
    let proposal = propose(&api, live, object).await?;
    Ok(Answer {
        warnings,
        ..Answer::ok(proposal)
    })
}

async fn propose(api: &Api, live: Option<Object>, proposed: Object) -> Result<Proposal, ApiError> {
    let mut shelf = Shelf::read(api, Some(proposed.namespace())).await?;
    let preview = if proposed.kind == Kind::AgentTemplate {
        shelf.put(&proposed);
        of_users(api, &shelf, &proposed).await?
    } else {
        preview_of(api, &shelf, &proposed).await?
    };
    Ok(Proposal {
        live,
        proposed,
        preview,
    })
}

/// What a template would do to all who use it, as one preview.
async fn of_users(api: &Api, shelf: &Shelf, template: &Object) -> Result<Preview, ApiError> {
    let mut all = Preview::default();
    for user in lowering::users(api, template.namespace(), template.name()).await? {
        let Preview {
            changes,
            blocked,
            interrupted,
            suspended: _,
        } = preview_of(api, shelf, &user).await?;
        all.changes.extend(changes);
        all.interrupted += interrupted;
        all.blocked
            .extend(blocked.into_iter().map(|blocked| PreviewBlocked {
                agent: format!("{}/{} {}", user.kind.singular(), user.name(), blocked.agent),
                ..blocked
            }));
    }
    Ok(all)
}

async fn preview_of(api: &Api, shelf: &Shelf, object: &Object) -> Result<Preview, ApiError> {
    let workload = match shelf.lower(api, object) {
        Ok(workload) => workload,
        Err(error) => return Ok(unlowered(&error)),
    };
    let observed = api.cache.observe(&Want::of(&workload)).await?;
    Ok(plan::preview(&plan::plan(&workload, &observed, &api.instance)))
}

/// The preview of what cannot be planned: its agents are left as they are.
fn unlowered(error: &LowerError) -> Preview {
    let entry = |agent: &str, reason: BlockedReason, message: String| PreviewBlocked {
        agent: agent.to_owned(),
        reason: format!("{reason:?}"),
        message,
    };
    let blocked = match error {
        LowerError::MissingTemplates(missing) => missing
            .iter()
            .map(|missing| {
                let only = LowerError::MissingTemplates(vec![missing.clone()]);
                entry(&missing.role, BlockedReason::TemplateNotFound, only.to_string())
            })
            .collect(),
        LowerError::Invalid(invalid) => invalid
            .causes
            .iter()
            .map(|cause| entry(&cause.field, BlockedReason::Invalid, cause.message.clone()))
            .collect(),
    };
    Preview {
        blocked,
        ..Preview::default()
    }
}
