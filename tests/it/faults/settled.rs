//! When a step has settled.

use serde_json::Value;
use whoosh::resource::{Key, Kind, Object};
use whoosh::store::Store;

use super::look;

/// The template that workloads of [`super::workload::Kind::Template`] start from.
pub(super) fn template() -> Key {
    Key::new(Kind::AgentTemplate, "default", "worker")
}

/// Whether the store says that the workload `key` is as declared, or gone when it is not to be there any more; and
/// that the owner beside is as declared. The workload's status, null when it is gone.
///
/// # Errors
/// What is missing.
pub(super) async fn in_store(
    store: &Store,
    key: &Key,
    beside: &Key,
    is_there: bool,
) -> Result<Value, String> {
    let get = async |key| store.get(key).await.map_err(|error| error.to_string());
    as_declared(beside, get(beside).await?.as_ref())?;
    match (get(key).await?, is_there) {
        (None, false) => Ok(Value::Null),
        (Some(_), false) => Err(format!("{key} is still there")),
        (found, true) => {
            let status = as_declared(key, found.as_ref())?;
            if let Some(template) = get(&template()).await? {
                speaks_of(&status, &template)?;
            }
            Ok(status)
        }
    }
}

/// Whether two worlds agree.
///
/// # Errors
/// In what they do not.
pub(super) fn agree(expected: &Value, found: &Value) -> Result<(), String> {
    match look::difference(expected, found) {
        difference if difference.is_empty() => Ok(()),
        difference => Err(difference),
    }
}

/// An object's status, if it says that all is as declared.
fn as_declared(key: &Key, object: Option<&Object>) -> Result<Value, String> {
    let object = object.ok_or_else(|| format!("{key} is not there"))?;
    let status = object.status.clone().unwrap_or_default();
    let is_current = status["observedGeneration"].as_i64() == Some(object.generation());
    if is_current && status["state"] == "Ready" && status["updatedReplicas"] == status["replicas"] {
        Ok(status)
    } else {
        Err(format!(
            "{key} at generation {} says {status}",
            object.generation()
        ))
    }
}

/// Whether a status speaks of a template as it is.
fn speaks_of(status: &Value, template: &Object) -> Result<(), String> {
    let told = status
        .pointer("/templates/0/observedGeneration")
        .and_then(Value::as_i64);
    if told == Some(template.generation()) {
        Ok(())
    } else {
        Err(format!(
            "the template's generation {} is not in {status}",
            template.generation()
        ))
    }
}
