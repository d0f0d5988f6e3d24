//! Webhooks: a forge tells that something was pushed, and the source is looked at.
//!
//! Who sends one has no token of ours, but proves that it knows the file `webhook` of the source's secret. What it sends is
//! believed in nothing else: it is not even read. Whoever proves nothing is told the same, whatever it is that they lack.

mod deliveries;
mod proof;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use tracing::{debug, warn};

pub(super) use deliveries::Deliveries;

use super::caller::{Caller, Peer};
use super::state::Api;
use super::status::ApiError;
use super::verbs::change::{Change, Sent, Step};
use super::verbs::write::json;
use crate::files::{Content, ReadError};
use crate::resource::git_source::GitSourceSpec;
use crate::resource::managed::Manager;
use crate::resource::names::{RECONCILE_REQUESTED, WEBHOOK_FILE};
use crate::resource::{Key, Kind, Object, validate};
use crate::telemetry::Chain;
use deliveries::Delivery;
use proof::Proof;

/// The largest body that is taken, in bytes.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// The longest such secret, in bytes.
const SECRET_MAX: u64 = 4096;
/// Who asks for the look.
const MANAGER: &str = "webhook";

/// `POST /hooks/v1/namespaces/{namespace}/gitsources/{name}`: with the source's key, for the log.
pub(super) async fn deliver(
    State(api): State<Api>,
    Extension(deliveries): Extension<Deliveries>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Extension<Key>, Json<Status>), ApiError> {
    let Path((namespace, name)) = path.map_err(|_| ApiError::Unauthorized)?;
    let proof = Proof::of(&headers).ok_or(ApiError::Unauthorized)?;
    let key = Key::new(Kind::GitSource, namespace, name);
    let secret = secret(&api, &key).await?;
    let secret = secret.as_ref().and_then(Content::text).unwrap_or_default();
    if !proof.holds(secret, &body) {
        debug!(%key, %peer, "a webhook was refused");
        return Err(ApiError::Unauthorized);
    }
    let delivery = Delivery::of(&key, &headers);
    let is_new = delivery.is_none_or(|delivery| deliveries.remember(delivery));
    let message = if is_new {
        let asked = ask_for_look(&api, &key, peer).await;
        if let (Some(delivery), Ok(false) | Err(_)) = (delivery, &asked) {
            deliveries.forget(delivery);
        }
        match asked? {
            true => "the repository is looked at",
            false => "the source is suspended, and nothing is done",
        }
    } else {
        "it was delivered before, and nothing is done"
    };
    let status = Status {
        status: Some("Success".to_owned()),
        message: Some(message.to_owned()),
        ..Status::default()
    };
    Ok((StatusCode::ACCEPTED, Extension(key), Json(status)))
}

/// What the webhooks of a source are signed with; `None` when there is no such source, or none are wanted of it.
async fn secret(api: &Api, key: &Key) -> Result<Option<Content>, ApiError> {
    let may_exist = [&key.namespace, &key.name]
        .iter()
        .all(|name| validate::label(name).is_ok());
    let (Some(folder), true) = (&api.git_secrets, may_exist) else {
        return Ok(None);
    };
    let source = api.store.get(key).await?;
    let Some(name) = source.as_ref().and_then(named) else {
        return Ok(None);
    };
    match folder
        .read(&[&key.namespace, name, WEBHOOK_FILE], SECRET_MAX)
        .await
    {
        Ok(content) => Ok(Some(content)),
        Err(ReadError::Missing { .. }) => Ok(None),
        Err(error) => {
            warn!(source = %key, error = %Chain(&error), "cannot read what its webhooks are signed with");
            Ok(None)
        }
    }
}

/// The secret that a source names.
fn named(source: &Object) -> Option<&str> {
    source.spec.get("secretRef")?.get("name")?.as_str()
}

/// Has whoever leads look at a repository, as `whoosh reconcile` does. One whose source is suspended is looked at when that
/// ends: then `false`, and nothing is written.
async fn ask_for_look(api: &Api, key: &Key, peer: Peer) -> Result<bool, ApiError> {
    let change = Change {
        key,
        caller: &Caller::hook(peer),
        reason: "webhook",
        dry_run: false,
    };
    let now = Timestamp::now();
    let rests = |object: &Object| {
        let spec: Option<GitSourceSpec> = serde_json::from_value(object.spec.clone()).ok();
        spec.is_some_and(|spec| spec.suspended(now).is_some())
    };
    let asked = |old: &Object| {
        if rests(old) {
            return Ok(Step::Keep);
        }
        let mut raw = json(old)?;
        let patch = serde_json::json!({"metadata": {"annotations": {RECONCILE_REQUESTED: now.to_string()}}});
        json_patch::merge(&mut raw, &patch);
        Ok(Step::Admit(Sent {
            raw,
            is_whole: false,
            manager: Manager::new(MANAGER),
            dropped: Vec::new(),
        }))
    };
    let changed = change.carry_out(api, asked).await?;
    Ok(!rests(&changed.object))
}
