//! Get and list; a list that asks for it is a watch.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::watch;
use crate::api::answer::Answer;
use crate::api::options::{ListOptions, Params};
use crate::api::paths::{Collection, Target};
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::object::API_VERSION;
use crate::resource::{Kind, Object};

/// A list as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct List<T> {
    kind: String,
    api_version: &'static str,
    metadata: ListMetadata,
    items: Vec<T>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
}

impl<T> List<T> {
    /// A list of `kind` at the revision that a watch can go on from.
    pub(in crate::api) fn new(
        api_version: &'static str,
        kind: &str,
        revision: impl ToString,
        items: Vec<T>,
    ) -> Self {
        Self {
            kind: format!("{kind}List"),
            api_version,
            metadata: ListMetadata {
                resource_version: revision.to_string(),
            },
            items,
        }
    }

    /// A list of one of our kinds.
    pub(in crate::api) fn of(kind: Kind, revision: impl ToString, items: Vec<T>) -> Self {
        Self::new(API_VERSION, kind.name(), revision, items)
    }
}

/// `GET …/{plural}/{name}`
pub(in crate::api) async fn get(
    State(api): State<Api>,
    Target(key): Target,
) -> Result<Answer<Object>, ApiError> {
    api.object(&key).await.map(Answer::ok)
}

/// `GET …/{plural}`, of a namespace or of all.
pub(in crate::api) async fn list(
    State(api): State<Api>,
    collection: Collection,
    params: Params,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    options.selection.fits(collection.kind)?;
    if options.watch {
        return watch::start(api, collection, options).await;
    }
    let mut listed = api
        .store
        .list(collection.kind, collection.namespace.as_deref())
        .await?;
    options.not_older_than_asked(listed.revision)?;
    listed.items.retain(|object| options.selection.matches(object));
    Ok(Answer::ok(List::of(collection.kind, listed.revision, listed.items)).into_response())
}
