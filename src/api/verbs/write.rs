//! Create, and change: an update replaces an object, a merge patch edits it.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::change::{Change, Step, store};
use crate::api::admission::admit_new;
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::options::{Params, WriteOptions};
use crate::api::paths::{Collection, Target};
use crate::api::payload::{Document, Edit};
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::object::DEFAULT_NAMESPACE;
use crate::resource::{Key, Object};
use crate::store::Op;

/// `POST …/namespaces/{namespace}/{plural}`: with the key that the path does not tell, for the log.
pub(in crate::api) async fn create(
    State(api): State<Api>,
    collection: Collection,
    params: Params,
    caller: Caller,
    Document(raw): Document,
) -> Result<(Extension<Key>, Answer<Object>), ApiError> {
    let options = WriteOptions::try_from(&params)?;
    let namespace = collection.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let admitted = admit_new(&api, &raw, collection.kind, namespace, &[]).await?;
    let key = admitted.object.key();
    let object = if options.dry_run {
        match api.store.get(&key).await? {
            Some(_) => return Err(ApiError::AlreadyExists(key)),
            None => admitted.object,
        }
    } else {
        store(&api, Op::Create(admitted.object), &caller, "create").await?
    };
    let answer = Answer {
        code: StatusCode::CREATED,
        body: object,
        warnings: admitted.warnings,
    };
    Ok((Extension(key), answer))
}

/// `PUT` and `PATCH …/{plural}/{name}`: a resourceVersion in the body must be the present one; without one, the last
/// word wins, and a patch is applied to the present state, whoever else writes.
pub(in crate::api) async fn change(
    State(api): State<Api>,
    Target(key): Target,
    params: Params,
    caller: Caller,
    edit: Edit,
) -> Result<Answer<Object>, ApiError> {
    let reason = match edit {
        Edit::Replace(_) => "update",
        Edit::Merge(_) | Edit::Operations(_) => "patch",
    };
    let change = Change::new(&key, &caller, reason, &params)?;
    replace(&api, change, |old| edit.of(json(old)?)).await
}

/// Replaces an object by what `make` turns its present state into, after admission.
pub(super) async fn replace(
    api: &Api,
    change: Change<'_>,
    make: impl Fn(&Object) -> Result<Value, ApiError>,
) -> Result<Answer<Object>, ApiError> {
    let changed = change.carry_out(api, |old| make(old).map(Step::Admit)).await?;
    Ok(Answer {
        code: StatusCode::OK,
        body: changed.object,
        warnings: changed.warnings,
    })
}

/// An object as JSON.
pub(super) fn json(object: &Object) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| ApiError::Internal(format!("{}: {error}", object.key())))
}
