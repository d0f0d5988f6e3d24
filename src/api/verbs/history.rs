//! The subresource `history`: what the log still knows of an object, who changed it, when and why.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::answer::Answer;
use crate::api::paths::Target;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::object::API_VERSION;
use crate::resource::{Object, Revision};
use crate::store::{ChangeKind, HistoryEntry};

#[derive(Serialize)]
struct Entry {
    revision: Revision,
    change: &'static str,
    generation: i64,
    actor: String,
    reason: String,
    at: jiff::Timestamp,
    object: Object,
}

impl From<HistoryEntry> for Entry {
    fn from(entry: HistoryEntry) -> Self {
        let HistoryEntry {
            revision,
            change,
            generation,
            actor,
            reason,
            at,
            object,
        } = entry;
        Self {
            revision,
            change: word(change),
            generation,
            actor,
            reason,
            at,
            object,
        }
    }
}

/// `GET …/{name}/history`: oldest first; an object that is gone still has one until the log is compacted.
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Value>, ApiError> {
    let entries = api.store.history(&key).await?;
    if entries.is_empty() {
        return Err(ApiError::NotFound {
            kind: key.kind,
            name: key.name,
        });
    }
    let items: Vec<Entry> = entries.into_iter().map(Entry::from).collect();
    Ok(Answer::ok(
        json!({"kind": "History", "apiVersion": API_VERSION, "items": items}),
    ))
}

/// Kubernetes' word for a change in a watch.
pub(in crate::api) fn word(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Added => "ADDED",
        ChangeKind::Modified => "MODIFIED",
        ChangeKind::Deleted => "DELETED",
    }
}
