//! The one door: what a client sent is judged, completed and warned about here, whichever verb it came by.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::caller::Caller;
use super::judge::{Judged, judge};
use super::lowering::Shelf;
use super::quota::Turn;
use super::state::Api;
use super::status::{ApiError, refused};
use crate::resource::lifecycle::{self, Stamp};
use crate::resource::object::API_VERSION;
use crate::resource::validate::{self, Cause, CauseReason};
use crate::resource::{Key, Kind, Object};

/// An object as it would be stored, and what its author should know.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) object: Object,
    pub(super) warnings: Vec<String>,
    /// Held until it is stored, if that counts for a quota.
    pub(super) turn: Option<Turn>,
}

/// What an object is judged for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Intent<'a> {
    /// It is stored next.
    Store,
    /// It is not stored, but judged as if these templates and Policies were.
    Rehearse(&'a [Object]),
    /// It is stored together with others, these templates and Policies among them. What they come to for a quota is
    /// judged of all at once, and nobody reads warnings.
    Together(&'a Beside),
}

/// What objects that are stored together have beside them.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The templates and Policies among them that change.
    pub(super) changing: Vec<Object>,
    /// All templates and Policies, as they are then.
    pub(super) shelf: Shelf,
}

impl<'a> Intent<'a> {
    /// What a request is for that may be a dry run.
    pub(super) fn of(dry_run: bool) -> Self {
        if dry_run { Self::Rehearse(&[]) } else { Self::Store }
    }

    /// What counts as stored.
    pub(super) fn beside(self) -> &'a [Object] {
        match self {
            Self::Store => &[],
            Self::Rehearse(beside) => beside,
            Self::Together(beside) => &beside.changing,
        }
    }
}

/// Judges what is to be the object of a key, in the place of the `live` one if there is one.
///
/// # Errors
/// As of [`admit`] and [`admit_new`].
pub(super) async fn admit_at(
    api: &Api,
    caller: &Caller,
    raw: &Value,
    key: &Key,
    live: Option<&Object>,
    intent: Intent<'_>,
) -> Result<Admitted, ApiError> {
    match live {
        Some(live) => admit(api, caller, raw, live, intent).await,
        None => {
            admit_new(
                api,
                caller,
                raw,
                key.kind,
                (&key.namespace, Some(&key.name)),
                intent,
            )
            .await
        }
    }
}

/// Judges a new object, sent to a place in the collection of `kind`: a namespace, and a name if the path says one.
///
/// # Errors
/// 400 when it belongs elsewhere, [`ApiError::Invalid`] with every cause when it breaks rules.
pub(super) async fn admit_new(
    api: &Api,
    caller: &Caller,
    raw: &Value,
    kind: Kind,
    (namespace, name): (&str, Option<&str>),
    intent: Intent<'_>,
) -> Result<Admitted, ApiError> {
    belongs(raw, (API_VERSION, kind.name()), namespace, name)?;
    let mut object = validated(raw, kind)?;
    if object
        .metadata
        .resource_version
        .as_ref()
        .is_some_and(|seen| !seen.is_empty())
    {
        return Err(ApiError::BadRequest(
            "resourceVersion should not be set on objects to be created".to_owned(),
        ));
    }
    object.metadata.namespace = Some(namespace.to_owned());
    let stamp = Stamp {
        now: Timestamp::now(),
        uid: Uuid::new_v4().to_string(),
    };
    let object = lifecycle::create(object, &stamp);
    let Judged { warnings, turn } = judge(api, caller, &object, None, intent).await?;
    Ok(Admitted {
        object,
        warnings,
        turn,
    })
}

/// Judges what somebody sent to replace `old`.
///
/// # Errors
/// 400 and 422 as for a new object, and 422 for finalizers that come too late; 409 when it names a uid or a
/// resourceVersion that is not the present one.
pub(super) async fn admit(
    api: &Api,
    caller: &Caller,
    raw: &Value,
    old: &Object,
    intent: Intent<'_>,
) -> Result<Admitted, ApiError> {
    belongs(
        raw,
        (API_VERSION, old.kind.name()),
        old.namespace(),
        Some(old.name()),
    )?;
    let object = validated(raw, old.kind)?;
    let metadata = &object.metadata;
    unchanged(old, metadata.uid.as_deref(), metadata.resource_version.as_deref())?;
    let late = lifecycle::late_finalizers(old, &object);
    if !late.is_empty() {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found {}",
            late.join(", ")
        );
        refused(
            old,
            vec![Cause::new("metadata.finalizers", CauseReason::Forbidden, why)],
        )?;
    }
    let mut object = lifecycle::update(old, object);
    object
        .metadata
        .resource_version
        .clone_from(&old.metadata.resource_version);
    let Judged { warnings, turn } = judge(api, caller, &object, Some(old), intent).await?;
    Ok(Admitted {
        object,
        warnings,
        turn,
    })
}

/// Fails unless `old` is still what the client saw, as far as it says what it saw.
pub(super) fn unchanged(
    old: &Object,
    uid: Option<&str>,
    resource_version: Option<&str>,
) -> Result<(), ApiError> {
    if let Some(uid) = uid.filter(|uid| !uid.is_empty() && *uid != old.uid()) {
        return Err(ApiError::Conflict {
            key: old.key(),
            why: format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                old.uid()
            ),
        });
    }
    match resource_version {
        Some(seen) if !seen.is_empty() && old.metadata.resource_version.as_deref() != Some(seen) => {
            Err(ApiError::modified(old.key()))
        }
        _ => Ok(()),
    }
}

/// Fails for a whole object that says not which state of `old` it is the successor of.
///
/// # Errors
/// 422, as for Kubernetes' custom resources.
pub(super) fn says_what_it_saw(raw: &Value, old: &Object) -> Result<(), ApiError> {
    let seen = raw.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    if seen.is_some_and(|seen| !seen.is_empty()) {
        return Ok(());
    }
    let why = "must be specified for an update: read the object, change it, and send it with the one it had";
    refused(
        old,
        vec![Cause::new("metadata.resourceVersion", CauseReason::Required, why)],
    )
}

/// Fails when what the object says of its type and identity is not what the path says. What it leaves out is not judged
/// here.
///
/// # Errors
/// 400.
pub(super) fn belongs(
    raw: &Value,
    (api_version, kind): (&str, &str),
    namespace: &str,
    name: Option<&str>,
) -> Result<(), ApiError> {
    let of_path = [
        ("apiVersion", Some(api_version)),
        ("kind", Some(kind)),
        ("metadata.namespace", Some(namespace)),
        ("metadata.name", name),
    ];
    for (field, expected) in of_path {
        let Some(expected) = expected else { continue };
        let said = field.split('.').try_fold(raw, |value, key| value.get(key));
        if let Some(said) = said.and_then(Value::as_str).filter(|said| *said != expected) {
            return Err(ApiError::BadRequest(format!(
                "the object's {field} is \"{}\", the request's path says \"{expected}\"",
                said.escape_debug()
            )));
        }
    }
    Ok(())
}

/// The object in `raw`.
///
/// # Errors
/// [`ApiError::Invalid`] with every cause when it breaks rules.
pub(super) fn validated(raw: &Value, kind: Kind) -> Result<Object, ApiError> {
    validate::object(raw).map_err(|invalid| {
        let name = raw.pointer("/metadata/name").and_then(Value::as_str);
        ApiError::Invalid {
            kind,
            name: name.unwrap_or_default().to_owned(),
            causes: invalid.causes,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_must_be_sent_where_it_belongs() {
        fn check(raw: &Value, expected: Option<&str>) {
            let result = belongs(raw, (API_VERSION, "Team"), "prod", Some("payments"));
            assert_eq!(
                result.err().map(|error| error.to_string()).as_deref(),
                expected,
                "{raw}"
            );
        }
        check(&json!({}), None);
        check(&json!([1, 2]), None);
        check(
            &json!({"apiVersion": "chorus.services/v1", "kind": "Team", "metadata": {"name": "payments"}}),
            None,
        );
        check(
            &json!({"kind": "Council"}),
            Some(r#"the object's kind is "Council", the request's path says "Team""#),
        );
        check(
            &json!({"metadata": {"namespace": "default", "name": "payments"}}),
            Some(r#"the object's metadata.namespace is "default", the request's path says "prod""#),
        );
        check(
            &json!({"metadata": {"name": "\u{1b}[31m"}}),
            Some(r#"the object's metadata.name is "\u{1b}[31m", the request's path says "payments""#),
        );
    }

    #[test]
    fn a_client_may_say_what_it_saw() {
        let mut old = Object::new(&Key::new(Kind::Team, "default", "x"), json!({}));
        old.metadata.uid = Some("u1".to_owned());
        old.metadata.resource_version = Some("7".to_owned());
        for (uid, revision, expected) in [
            (None, None, None),
            (Some("u1"), Some("7"), None),
            (
                Some("u2"),
                None,
                Some("UID in precondition: u2, UID in object meta: u1"),
            ),
            (None, Some("6"), Some("the object has been modified")),
        ] {
            let refused = unchanged(&old, uid, revision)
                .err()
                .map(|error| error.to_string());
            match expected {
                None => assert_eq!(refused, None),
                Some(part) => assert!(refused.unwrap().contains(part), "{part}"),
            }
        }
    }
}
