//! The subresource `status`: what the operator saw, written apart from what people declare.

use axum::extract::State;
use serde_json::Value;

use super::change::{Change, Step};
use super::write::json;
use crate::api::admission::unchanged;
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::discovery::has_status;
use crate::api::options::Params;
use crate::api::paths::Target;
use crate::api::payload::Edit;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::{Object, lifecycle, schema};

/// `GET …/{name}/status`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Object>, ApiError> {
    offered(has_status(key.kind))?;
    api.object(&key).await.map(Answer::ok)
}

/// `PUT` and `PATCH …/{name}/status`: everything but the status is ignored.
pub(in crate::api) async fn change(
    State(api): State<Api>,
    Target(key): Target,
    params: Params,
    caller: Caller,
    edit: Edit,
) -> Result<Answer<Object>, ApiError> {
    offered(has_status(key.kind))?;
    let change = Change::new(&key, &caller, "status", &params)?;
    let changed = change
        .carry_out(&api, |old| {
            let mut raw = edit.of(json(old)?)?;
            let metadata = |field: &str| raw.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
            unchanged(old, metadata("uid"), metadata("resourceVersion"))?;
            let status = checked(old, raw["status"].take())?;
            Ok(Step::Store(Box::new(lifecycle::update_status(old, status))))
        })
        .await?;
    Ok(Answer::ok(changed.object))
}

/// Fails for a subresource that the kind does not have.
pub(in crate::api) fn offered(has_it: bool) -> Result<(), ApiError> {
    has_it.then_some(()).ok_or(ApiError::NoSuchPath { nearest: None })
}

/// The status, if it is one of the object's kind.
fn checked(old: &Object, status: Value) -> Result<Value, ApiError> {
    let mut causes = Vec::new();
    if let Some(schema) = schema::member(old.kind, "status") {
        schema::check(&status, schema, "status", &mut causes);
    }
    if causes.is_empty() {
        return Ok(status);
    }
    Err(ApiError::Invalid {
        kind: old.kind,
        name: old.name().to_owned(),
        causes,
    })
}
