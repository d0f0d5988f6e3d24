//! From columns to types.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use sqlx::types::Json;

use super::{ChangeKind, StoreError};
use crate::resource::object::API_VERSION;
use crate::resource::{Kind, Object, Revision};

/// An object from a row of `objects`.
pub(super) fn object(
    kind: Kind,
    revision: i64,
    metadata: Json<ObjectMeta>,
    spec: Value,
    status: Option<Value>,
) -> Object {
    let object = Object {
        api_version: API_VERSION.to_owned(),
        kind,
        metadata: metadata.0,
        spec,
        status,
    };
    at(object, Revision(revision))
}

/// The object as of a revision: what its resourceVersion says.
pub(super) fn at(mut object: Object, revision: Revision) -> Object {
    object.metadata.resource_version = Some(revision.to_string());
    object
}

pub(super) fn change_kind(text: &str) -> Result<ChangeKind, StoreError> {
    match text {
        "Added" => Ok(ChangeKind::Added),
        "Modified" => Ok(ChangeKind::Modified),
        "Deleted" => Ok(ChangeKind::Deleted),
        other => Err(StoreError::Unreadable(format!("a change of the kind {other:?}"))),
    }
}

/// A time that SQL gave as microseconds since 1970.
pub(super) fn timestamp(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| StoreError::Unreadable(format!("a time: {error}")))
}
