//! The subresource `history`: what the log still knows of an object, who changed it, when and why.

use axum::extract::State;
use serde::Serialize;

use crate::api::answer::Answer;
use crate::api::options::{Params, revision};
use crate::api::paths::Target;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::object::API_VERSION;
use crate::resource::{Object, Revision};
use crate::store::{ChangeKind, HistoryEntry, HistoryPage};

/// What an object has been.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct History {
    kind: &'static str,
    api_version: &'static str,
    metadata: Place,
    items: Vec<Entry>,
}

/// Where the rest is; nothing when there is none.
#[derive(Serialize)]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
}

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

/// `GET …/{name}/history`: oldest first, and the newest if they are too many at once; those before them are told with the
/// parameter `continue` from `metadata`. An object that is gone still has one until the log is compacted.
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
    params: Params,
) -> Result<Answer<History>, ApiError> {
    let before = params.text("continue").map(revision).transpose()?;
    let HistoryPage { entries, has_more } = api.store.history_page(&key, before).await?;
    let Some(oldest) = entries.first().map(|entry| entry.revision) else {
        return Err(ApiError::NotFound {
            kind: key.kind,
            name: key.name,
        });
    };
    Ok(Answer::ok(History {
        kind: "History",
        api_version: API_VERSION,
        metadata: Place {
            r#continue: has_more.then(|| oldest.to_string()),
        },
        items: entries.into_iter().map(Entry::from).collect(),
    }))
}

/// Kubernetes' word for a change in a watch.
pub(in crate::api) fn word(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Added => "ADDED",
        ChangeKind::Modified => "MODIFIED",
        ChangeKind::Deleted => "DELETED",
    }
}
