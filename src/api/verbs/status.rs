//! The subresource `status`: what the operator saw, written apart from what people declare.

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use super::apply::applied;
use super::change::{Change, Step};
use super::write::json;
use crate::api::admission::{belongs, says_what_it_saw, unchanged};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::discovery::has_status;
use crate::api::escalation;
use crate::api::form::Form;
use crate::api::paths::Target;
use crate::api::payload::{Edit, Modification, Written};
use crate::api::state::Api;
use crate::api::status::{ApiError, refused};
use crate::api::write_options::{UnknownFields, WriteOptions};
use crate::resource::managed::{self, Applied, Manager};
use crate::resource::object::API_VERSION;
use crate::resource::validate::{Cause, Known};
use crate::resource::{Object, lifecycle, schema};

/// `GET …/{name}/status`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
) -> Result<Response, ApiError> {
    offered(has_status(key.kind))?;
    form.answer(Answer::ok(api.object(&key).await?))
}

/// `PUT` and `PATCH …/{name}/status`: everything but the status is ignored, as far as there is such a thing.
pub(in crate::api) async fn change(
    State(api): State<Api>,
    Target(key): Target,
    form: Form,
    options: WriteOptions,
    caller: Caller,
    Written {
        body: modification,
        warnings: mut told,
    }: Written<Modification>,
) -> Result<Response, ApiError> {
    offered(has_status(key.kind))?;
    let change = Change {
        key: &key,
        caller: &caller,
        reason: "status",
        dry_run: options.dry_run,
    };
    let changed = match modification {
        Modification::Edit(edit) => {
            let manager = Manager::of_status(options.manager());
            let edited = |old: &Object| {
                refused(old, escalation::of_status(&caller, old))?;
                let (new, dropped) = with_status(old, edit.of(json(old)?)?, options.unknown)?;
                if let Edit::Replace(new) = &edit {
                    says_what_it_saw(new, old)?;
                }
                let owners = managed::update(Some(old), &new, &manager, Timestamp::now());
                Ok(Step::Store(Box::new(owned(new, owners)), dropped))
            };
            change.carry_out(&api, edited).await?
        }
        Modification::Apply(mut config) => {
            told.extend(options.unknown.drop_from(&mut config, &Known::status(key.kind)));
            let manager = Manager::of_status(options.applier()?);
            let applied = |old: &Object| {
                refused(old, escalation::of_status(&caller, old))?;
                let Applied { object, owners, .. } = applied(Some(old), &key, &config, &manager, &options)?;
                let (new, dropped) = with_status(old, object, options.unknown)?;
                Ok(Step::Store(Box::new(owned(new, owners)), dropped))
            };
            change.carry_out(&api, applied).await?
        }
    };
    let mut answer = Answer::from(changed);
    answer.warnings.extend(told);
    form.answer(answer)
}

/// Fails for a subresource that the kind does not have.
pub(in crate::api) fn offered(has_it: bool) -> Result<(), ApiError> {
    has_it.then_some(()).ok_or(ApiError::NoSuchPath { nearest: None })
}

/// The object with the status in `raw`, unless that is another's or was made from another state; and warnings of what was left out.
fn with_status(
    old: &Object,
    mut raw: Value,
    unknown: UnknownFields,
) -> Result<(Object, Vec<String>), ApiError> {
    let type_ = (API_VERSION, old.kind.name());
    belongs(&raw, type_, old.namespace(), Some(old.name()))?;
    let metadata = |field: &str| raw.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
    unchanged(old, metadata("uid"), metadata("resourceVersion"))?;
    let dropped = unknown.drop_from(&mut raw, &Known::status(old.kind));
    refused(old, wrong(old, &raw))?;
    let status = raw.pointer_mut("/status").map(Value::take).unwrap_or_default();
    Ok((lifecycle::update_status(old, status), dropped))
}

fn owned(mut object: Object, owners: Option<Vec<ManagedFieldsEntry>>) -> Object {
    object.metadata.managed_fields = owners;
    object
}

/// What is not as it must be in a status, and what cannot be in an object at all.
fn wrong(old: &Object, raw: &Value) -> Vec<Cause> {
    let mut causes = Known::object(old.kind).unknown(raw);
    if let Some(schema) = schema::member(old.kind, "status") {
        let status = raw.get("status").unwrap_or(&Value::Null);
        schema::check(status, schema, "status", &mut causes);
    }
    causes
}
