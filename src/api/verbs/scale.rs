//! The subresource `scale`: the number of agents of each role that does not say its own.

use axum::extract::State;
use k8s_openapi::Resource;
use k8s_openapi::api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::apply::applied;
use super::change::{Change, Changed, Sent, Step};
use super::status::offered;
use super::write::json;
use crate::api::admission::belongs;
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::discovery::has_scale;
use crate::api::paths::Target;
use crate::api::payload::{Modification, Written};
use crate::api::state::Api;
use crate::api::status::{ApiError, refused};
use crate::api::write_options::WriteOptions;
use crate::resource::Object;
use crate::resource::managed::Manager;
use crate::resource::object::API_VERSION;
use crate::resource::validate::Known;

/// What `spec.replicas` means when it is not set.
const DEFAULT_REPLICAS: i64 = 1;
/// The type of a Scale.
const SCALE: (&str, &str) = (<Scale as Resource>::API_VERSION, <Scale as Resource>::KIND);

/// `GET …/{name}/scale`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Scale>, ApiError> {
    offered(has_scale(key.kind))?;
    Ok(Answer::ok(scale_of(&api.object(&key).await?)))
}

/// `PUT` and `PATCH …/{name}/scale`
pub(in crate::api) async fn change(
    State(api): State<Api>,
    Target(key): Target,
    options: WriteOptions,
    caller: Caller,
    Written {
        body: modification,
        warnings: mut told,
    }: Written<Modification>,
) -> Result<Answer<Scale>, ApiError> {
    offered(has_scale(key.kind))?;
    let manager = |name| Manager {
        name,
        subresource: "scale",
    };
    let change = Change {
        key: &key,
        caller: &caller,
        reason: "scale",
        dry_run: options.dry_run,
    };
    let changed = match modification {
        Modification::Edit(edit) => {
            let manager = manager(options.manager());
            let scaled = |old: &Object| {
                let mut scale = edit.of(serde_json::to_value(scale_of(old)).map_err(unreadable)?)?;
                let dropped = options.unknown.drop_from(&mut scale, &Known::scale());
                let mut raw = json(old)?;
                json_patch::merge(&mut raw, &number_of(&scale, old)?);
                Ok(Step::Admit(Sent {
                    raw,
                    is_whole: false,
                    manager: manager.clone(),
                    dropped,
                }))
            };
            change.carry_out(&api, scaled).await?
        }
        Modification::Apply(mut scale) => {
            told.extend(options.unknown.drop_from(&mut scale, &Known::scale()));
            let manager = manager(options.applier()?);
            let scaled = |old: &Object| {
                let mut config = number_of(&scale, old)?;
                config["apiVersion"] = API_VERSION.into();
                config["kind"] = old.kind.name().into();
                applied(Some(old), &key, &config, &manager, &options).map(Step::Apply)
            };
            change.carry_out(&api, scaled).await?
        }
    };
    let Changed {
        object,
        mut warnings,
        removed: _,
    } = changed;
    warnings.extend(told);
    warnings.extend(in_vain(&object));
    Ok(Answer {
        warnings,
        ..Answer::ok(scale_of(&object))
    })
}

/// What a Scale says of an object: its number, and the uid and resourceVersion that it names.
fn number_of(scale: &Value, old: &Object) -> Result<Value, ApiError> {
    belongs(scale, SCALE, old.namespace(), Some(old.name()))?;
    refused(old, Known::scale().unknown(scale))?;
    let replicas = scale.pointer("/spec/replicas").unwrap_or(&Value::Null);
    if replicas.is_null() {
        return Err(ApiError::BadRequest(
            "a Scale must have spec.replicas, a number".to_owned(),
        ));
    }
    let seen = |field: &str| scale.pointer(field).cloned().unwrap_or_default();
    Ok(serde_json::json!({
        "metadata": {"uid": seen("/metadata/uid"), "resourceVersion": seen("/metadata/resourceVersion")},
        "spec": {"replicas": replicas},
    }))
}

/// What is said where the number changes nothing.
fn in_vain(object: &Object) -> Option<String> {
    let roles = object.spec.get("roles")?.as_array()?;
    let all_say = !roles.is_empty() && roles.iter().all(|role| role.get("replicas").is_some());
    all_say.then(|| {
        "every role says its own number, so spec.replicas changes nothing: `whoosh scale --role` changes that of one".to_owned()
    })
}

fn scale_of(object: &Object) -> Scale {
    let number = |value: Option<&Value>| value.and_then(Value::as_i64);
    let whole = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let status = object.status.as_ref();
    let metadata = &object.metadata;
    Scale {
        metadata: ObjectMeta {
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            creation_timestamp: metadata.creation_timestamp.clone(),
            ..ObjectMeta::default()
        },
        spec: Some(ScaleSpec {
            replicas: Some(whole(
                number(object.spec.get("replicas")).unwrap_or(DEFAULT_REPLICAS),
            )),
        }),
        status: Some(ScaleStatus {
            replicas: whole(scaled_to(object).unwrap_or_default()),
            selector: status
                .and_then(|status| status.get("selector")?.as_str())
                .map(str::to_owned),
        }),
    }
}

/// The number that the operator has taken over: how many agents each role has that says no number of its own, and not how many
/// all roles have (`.status.replicas`). Whoever scales waits for this to be what they asked for.
fn scaled_to(object: &Object) -> Option<i64> {
    let status = object.status.as_ref()?;
    let number = |value: &Value, field: &str| value.get(field).and_then(Value::as_i64);
    let roles = |whose: &'_ Value| {
        whose
            .get("roles")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let follows = |role: &&Value| role.get("replicas").is_none();
    let Some(follower) = roles(&object.spec).iter().find(follows).cloned() else {
        // Nothing follows the number, so nobody is to wait for it.
        return Some(number(&object.spec, "replicas").unwrap_or(DEFAULT_REPLICAS));
    };
    let told = roles(status);
    let role = told
        .iter()
        .find(|role| role.get("name") == follower.get("name"))?;
    number(role, "desired")
}

fn unreadable(error: serde_json::Error) -> ApiError {
    ApiError::Internal(error.to_string())
}
