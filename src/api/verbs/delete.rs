//! Delete: at once when nothing holds the object, otherwise by a mark that its finalizers are waited for.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;

use super::change::{Change, Changed, Step};
use crate::api::admission::unchanged;
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::form::{Form, ListMetadata, Presenter, Resource};
use crate::api::lowering;
use crate::api::options::{DeleteRequest, ListOptions, Params};
use crate::api::paths::{Collection, Target};
use crate::api::payload::MaybeDocument;
use crate::api::state::Api;
use crate::api::status::{ApiError, deleted};
use crate::resource::lifecycle::{self, Deletion};
use crate::resource::{Key, Kind, Object};
use crate::store::StoreError;

/// `DELETE …/{plural}/{name}`: answers with the marked object while finalizers hold it, with a Status once it is gone.
pub(in crate::api) async fn delete(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
    params: Params,
    caller: Caller,
    MaybeDocument(body): MaybeDocument,
) -> Result<Response, ApiError> {
    let request = DeleteRequest::from(&params, body.map(options).transpose()?)?;
    let changed = remove(&api, &key, &caller, &request).await?;
    if !changed.removed {
        return form.answer(Answer::ok(changed.object));
    }
    let answer = Answer {
        warnings: left_alone(&api, &key).await,
        ..Answer::ok(deleted(&key, changed.object.uid()))
    };
    Ok(answer.into_response())
}

/// `DELETE …/namespaces/{namespace}/{plural}`: each object that is selected; answers with all of them, as they are then or
/// were last.
pub(in crate::api) async fn delete_all(
    State(api): State<Api>,
    collection: Collection,
    form: Form,
    params: Params,
    caller: Caller,
    MaybeDocument(body): MaybeDocument,
) -> Result<Response, ApiError> {
    let of_lists = [
        "limit",
        "continue",
        "watch",
        "resourceVersion",
        "resourceVersionMatch",
    ];
    if let Some(name) = of_lists.into_iter().find(|name| params.text(name).is_some()) {
        return Err(ApiError::BadRequest(format!(
            "the parameter {name} is for lists: a collection is deleted whole, or as far as selectors pick"
        )));
    }
    let selection = ListOptions::try_from(&params)?.selection;
    selection.fits(collection.kind)?;
    let request = DeleteRequest::from(&params, body.map(options).transpose()?)?;
    let mut listed = api
        .store
        .list(collection.kind, collection.namespace.as_deref())
        .await?;
    listed.items.retain(|object| selection.matches(object));
    let mut deleted = Vec::new();
    for object in listed.items {
        match remove(&api, &object.key(), &caller, &request).await {
            Ok(changed) => deleted.push(changed.object),
            // Somebody else was faster.
            Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let resource = Resource::of(collection.kind);
    Presenter { form, resource }.list(ListMetadata::at(listed.revision), deleted)
}

async fn remove(api: &Api, key: &Key, caller: &Caller, request: &DeleteRequest) -> Result<Changed, ApiError> {
    let change = Change {
        key,
        caller,
        reason: "delete",
        dry_run: request.dry_run,
    };
    let seen = &request.preconditions;
    let step = |old: &Object| {
        unchanged(old, seen.uid.as_deref(), seen.resource_version.as_deref())?;
        let deletion = lifecycle::delete(old, request.propagation, Timestamp::now());
        Ok(match deletion {
            Deletion::Remove => Step::Remove,
            Deletion::Mark(marked) => Step::Store(marked, Vec::new()),
            Deletion::AlreadyMarked => Step::Keep,
        })
    };
    change.carry_out(api, step).await
}

fn options(body: serde_json::Value) -> Result<DeleteOptions, ApiError> {
    let kind = body.get("kind").and_then(serde_json::Value::as_str);
    if let Some(kind) = kind.filter(|kind| *kind != "DeleteOptions") {
        return Err(ApiError::BadRequest(format!(
            "the body is no DeleteOptions but a {kind}"
        )));
    }
    serde_json::from_value(body)
        .map_err(|error| ApiError::BadRequest(format!("the body is no DeleteOptions: {error}")))
}

/// A warning that names those who still use a template that went.
async fn left_alone(api: &Api, key: &Key) -> Vec<String> {
    match key.kind {
        Kind::AgentTemplate => {
            let users = lowering::users(api, &key.namespace, &key.name).await;
            told_of(&key.name, users).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The warning, if there is something to say. The template is gone by now, whatever became of the look for its users.
fn told_of(template: &str, users: Result<Vec<Object>, StoreError>) -> Option<String> {
    let mut users = match users {
        Ok(users) => users,
        Err(error) => {
            return Some(format!(
                "nobody knows who still uses the template {template}: {error}"
            ));
        }
    };
    users.retain(|user| user.metadata.deletion_timestamp.is_none());
    let names: Vec<String> = users
        .iter()
        .map(|user| format!("{}/{}", user.kind.singular(), user.name()))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "the template {template} is still used by {}: their agents run on, and they wait for it (TemplateNotFound)",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_that_is_gone_is_gone_whoever_uses_it() {
        let user = Object::new(&Key::new(Kind::Team, "prod", "payments"), json!({}));
        for (users, expected) in [
            (Ok(vec![]), None),
            (Ok(vec![user]), Some("is still used by team/payments: ")),
            (
                Err(StoreError::Timeout),
                Some("nobody knows who still uses the template reviewer: "),
            ),
        ] {
            let told = told_of("reviewer", users);
            match expected {
                None => assert_eq!(told, None),
                Some(part) => assert!(told.unwrap().contains(part), "{part}"),
            }
        }
    }
}
