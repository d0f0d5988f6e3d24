//! Events: `/api/v1/events` and `/api/v1/namespaces/{namespace}/events`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::form::{Form, Presenter, Resource};
use super::options::{ListOptions, Params};
use super::paths::Scope;
use super::polled::{self, Rows};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;

/// Lists events, the newest [`MAX_EVENTS`](crate::store::MAX_EVENTS) with the newest last, or watches them.
///
/// `fieldSelector` compares plain fields of an event, such as `involvedObject.name=payments,type!=Normal`.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Option<String>, Event>>,
    Scope(namespace): Scope,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    let selection = options.selection.clone();
    let store = api.store.clone();
    let look = move |look| {
        let (store, namespace, selection) = (store.clone(), namespace.clone(), selection.clone());
        let recent = recent.clone();
        async move {
            let read = async { Ok(store.list_events(namespace.as_deref()).await?) };
            let events = recent.get(look, namespace.clone(), read).await?;
            let rows = events
                .iter()
                .map(serde_json::to_value)
                .collect::<Result<Vec<Value>, _>>()
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            let chosen = rows.into_iter().filter(|row| selection.matches_json(row));
            Ok(Rows::new(chosen.collect()))
        }
    };
    let resource = Resource {
        api_version: "v1",
        kind: "Event",
        columns: Columns::Events,
    };
    polled::answer(&api, Presenter { form, resource }, &options, look).await
}
