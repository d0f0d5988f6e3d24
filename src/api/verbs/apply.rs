//! Server-side apply: somebody says which fields they care about, and the object becomes that, or comes to be.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::change::{Change, Step};
use super::write::insert;
use crate::api::admission::{Admitted, Intent, admit_at};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::api::write_options::WriteOptions;
use crate::resource::managed::{self, Applied, Claim, Manager};
use crate::resource::validate::Known;
use crate::resource::{Key, Object};

/// `PATCH …/{plural}/{name}` of `application/apply-patch+yaml`.
///
/// # Errors
/// 409 for what others own, unless by force; 409 as well when the config names a version or uid that is not the present
/// one; what admission refuses.
pub(super) async fn apply(
    api: &Api,
    key: &Key,
    caller: &Caller,
    options: &WriteOptions,
    mut config: Value,
) -> Result<Answer<Object>, ApiError> {
    let manager = Manager::new(options.applier()?);
    for field in ["apiVersion", "kind"] {
        if config.get(field).is_none() {
            return Err(ApiError::BadRequest(format!(
                "what is applied has no {field}: an apply says which object it is of"
            )));
        }
    }
    let dropped = options.unknown.drop_from(&mut config, &Known::object(key.kind));
    let change = Change {
        key,
        caller,
        reason: "apply",
        dry_run: options.dry_run,
    };
    let to_present = |old: &Object| applied(Some(old), key, &config, &manager, options).map(Step::Apply);
    // Another one may create it, or delete it, in between: each is met once.
    let mut answer = match change.carry_out(api, to_present).await {
        Err(ApiError::NotFound { .. }) => match create(api, &change, &config, &manager, options).await {
            Err(ApiError::AlreadyExists(_)) => change.carry_out(api, to_present).await?.into(),
            created => created?,
        },
        changed => changed?.into(),
    };
    answer.warnings.extend(dropped);
    Ok(answer)
}

async fn create(
    api: &Api,
    change: &Change<'_>,
    config: &Value,
    manager: &Manager,
    options: &WriteOptions,
) -> Result<Answer<Object>, ApiError> {
    let key = change.key;
    let Applied {
        object: raw, owners, ..
    } = applied(None, key, config, manager, options)?;
    let intent = Intent::of(change.dry_run);
    let Admitted {
        mut object,
        warnings,
        turn,
    } = admit_at(api, change.caller, &raw, key, None, intent).await?;
    object.metadata.managed_fields = owners;
    let body = insert(api, object, turn, change.caller, change.reason, change.dry_run).await?;
    Ok(Answer {
        code: StatusCode::CREATED,
        body,
        warnings,
    })
}

/// What comes of applying `config` to `old`, or to nothing.
///
/// # Errors
/// 409 for what others own, unless by force, and for a uid where there is nothing; 400 for what an apply cannot say.
pub(super) fn applied(
    old: Option<&Object>,
    key: &Key,
    config: &Value,
    manager: &Manager,
    options: &WriteOptions,
) -> Result<Applied, ApiError> {
    let uid = config.pointer("/metadata/uid").and_then(Value::as_str);
    if let (None, Some(uid)) = (old, uid.filter(|uid| !uid.is_empty())) {
        return Err(ApiError::Conflict {
            key: key.clone(),
            why: format!("Precondition failed: UID in precondition: {uid}, UID in object meta: "),
        });
    }
    if config
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApiError::BadRequest(
            "metadata.managedFields must not be set in what is applied".to_owned(),
        ));
    }
    if config
        .get("metadata")
        .is_some_and(|metadata| !metadata.is_object() && !metadata.is_null())
    {
        return Err(ApiError::BadRequest("metadata must be an object".to_owned()));
    }
    let claim = match options.force {
        Some(true) => Claim::Force,
        Some(false) | None => Claim::Fair,
    };
    managed::apply(old, config, key.kind, manager, claim, Timestamp::now())
        .map_err(|by| ApiError::Contested { key: key.clone(), by })
}
