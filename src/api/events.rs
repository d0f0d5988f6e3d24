//! Events, as Kubernetes' core API has them and as its newer `events.k8s.io` does: of all namespaces, or of one.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::events::v1;
use serde_json::Value;

use super::form::{Form, Presenter, Resource};
use super::options::{ListOptions, Params};
use super::paths::Scope;
use super::polled::{self, Rows};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;

/// `/api/v1/events`: lists events, the newest [`MAX_EVENTS`](crate::store::MAX_EVENTS) with the newest last, or watches them.
///
/// `fieldSelector` compares plain fields of an event, such as `involvedObject.name=payments,type!=Normal`.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Option<String>, Event>>,
    Scope(namespace): Scope,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let resource = Resource {
        api_version: "v1",
        kind: "Event",
        columns: Columns::Events,
    };
    let presenter = Presenter { form, resource };
    let json = |event: &Event| serde_json::to_value(event);
    answer(&api, recent, namespace, presenter, &params, json).await
}

/// `/apis/events.k8s.io/v1/events`: the same events, with other names of their fields.
pub(super) async fn list_newer(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Option<String>, Event>>,
    Scope(namespace): Scope,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let resource = Resource {
        api_version: "events.k8s.io/v1",
        kind: "Event",
        columns: Columns::NewerEvents,
    };
    let presenter = Presenter { form, resource };
    let json = |event: &Event| serde_json::to_value(newer(event.clone()));
    answer(&api, recent, namespace, presenter, &params, json).await
}

async fn answer(
    api: &Api,
    recent: Recent<Option<String>, Event>,
    namespace: Option<String>,
    presenter: Presenter,
    params: &Params,
    json: impl Fn(&Event) -> serde_json::Result<Value> + Clone + Send + 'static,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(params)?;
    let selection = options.selection.clone();
    let store = api.store.clone();
    let look = move |look| {
        let (store, namespace, selection) = (store.clone(), namespace.clone(), selection.clone());
        let (recent, json) = (recent.clone(), json.clone());
        async move {
            let read = async { Ok(store.list_events(namespace.as_deref()).await?) };
            let events = recent.get(look, namespace.clone(), read).await?;
            let rows = events
                .iter()
                .map(json)
                .collect::<Result<Vec<Value>, _>>()
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            let chosen = rows.into_iter().filter(|row| selection.matches_json(row));
            Ok(Rows::new(chosen.collect()))
        }
    };
    polled::answer(api, presenter, &options, look).await
}

/// A core event in its newer form.
fn newer(event: Event) -> v1::Event {
    v1::Event {
        action: event.action,
        deprecated_count: event.count,
        deprecated_first_timestamp: event.first_timestamp,
        deprecated_last_timestamp: event.last_timestamp,
        deprecated_source: event.source,
        event_time: event.event_time,
        metadata: event.metadata,
        note: event.message,
        reason: event.reason,
        regarding: Some(event.involved_object),
        related: event.related,
        reporting_controller: event.reporting_component,
        reporting_instance: event.reporting_instance,
        // The counts and times above say the same.
        series: None,
        type_: event.type_,
    }
}

/// The same, the other way: what tables show is made of core events.
pub(super) fn older(event: v1::Event) -> Event {
    Event {
        count: event.deprecated_count,
        first_timestamp: event.deprecated_first_timestamp,
        last_timestamp: event.deprecated_last_timestamp,
        event_time: event.event_time,
        metadata: event.metadata,
        message: event.note,
        reason: event.reason,
        involved_object: event.regarding.unwrap_or_default(),
        type_: event.type_,
        ..Event::default()
    }
}
