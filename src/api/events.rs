//! Events, as Kubernetes' core API has them and as its newer `events.k8s.io` does: of all namespaces, or of one.

use std::convert::Infallible;

use axum::Extension;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::events::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use serde_json::Value;

use super::answer::Answer;
use super::form::{Form, Presenter, Resource};
use super::options::{ListOptions, Params, Selection};
use super::paths::{Name, Scope};
use super::polled::{self, Rows};
use super::recent::Recent;
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;

/// What a field selector can compare, as in Kubernetes.
const FIELDS: [&str; 13] = [
    "metadata.name",
    "metadata.namespace",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
/// The same, by the newer names.
const NEWER_FIELDS: [&str; 12] = [
    "metadata.name",
    "metadata.namespace",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

/// Which of the two APIs is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/api/v1`
    Core,
    /// `/apis/events.k8s.io/v1`: other names of the same fields.
    Newer,
}

impl Dialect {
    fn resource(self) -> Resource {
        let (api_version, columns) = match self {
            Self::Core => ("v1", Columns::Events),
            Self::Newer => ("events.k8s.io/v1", Columns::NewerEvents),
        };
        Resource {
            api_version,
            kind: "Event",
            columns,
        }
    }

    /// The selection, whose fields events must have.
    fn selection(self, options: &ListOptions) -> Result<Selection, ApiError> {
        let known = match self {
            Self::Core => &FIELDS[..],
            Self::Newer => &NEWER_FIELDS,
        };
        options.selection.fits_fields("Event", known)?;
        Ok(options.selection.clone().renamed("source", "source.component"))
    }

    fn json(self, event: &Event) -> serde_json::Result<Value> {
        match self {
            Self::Core => serde_json::to_value(event),
            Self::Newer => serde_json::to_value(newer(event.clone())),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Dialect {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(match parts.uri.path().starts_with("/apis/") {
            true => Self::Newer,
            false => Self::Core,
        })
    }
}

/// Lists events, the newest [`MAX_EVENTS`](crate::store::MAX_EVENTS) with the newest last, or watches them.
///
/// `fieldSelector` compares some fields of an event, such as `involvedObject.name=payments,type!=Normal`.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(recent): Extension<Recent<Option<String>, Event>>,
    Scope(namespace): Scope,
    dialect: Dialect,
    form: Form,
    params: Params,
) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    let selection = dialect.selection(&options)?;
    let store = api.store.clone();
    let of = namespace.clone();
    let look = move |look| {
        let (store, namespace, selection) = (store.clone(), namespace.clone(), selection.clone());
        let recent = recent.clone();
        async move {
            let read = async { Ok(store.list_events(namespace.as_deref()).await?) };
            let events = recent.get(look, namespace.clone(), read).await?;
            let rows = events
                .iter()
                .map(|event| dialect.json(event))
                .collect::<Result<Vec<Value>, _>>()
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            let chosen = rows.into_iter().filter(|row| selection.matches_json(row));
            Ok(Rows::new(chosen.collect()))
        }
    };
    let resource = dialect.resource();
    let presenter = Presenter { form, resource };
    polled::answer(&api, presenter, of.as_deref(), &options, look).await
}

/// `GET …/events/{name}`
pub(super) async fn get(
    State(api): State<Api>,
    Scope(namespace): Scope,
    Name(name): Name,
    dialect: Dialect,
    form: Form,
) -> Result<Response, ApiError> {
    let found = api.store.event(&namespace.unwrap_or_default(), &name).await?;
    let event = found.ok_or(ApiError::NoSuch {
        resource: "events",
        name,
    })?;
    let event = dialect
        .json(&event)
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let resource = dialect.resource();
    let presenter = Presenter { form, resource };
    Ok(Answer::ok(presenter.one(&polled::versioned(event))?).into_response())
}

/// A core event in its newer form.
fn newer(event: Event) -> v1::Event {
    v1::Event {
        // What was done is what the reason names.
        action: event.action.or_else(|| event.reason.clone()),
        deprecated_count: event.count,
        deprecated_first_timestamp: event.first_timestamp.clone(),
        deprecated_last_timestamp: event.last_timestamp,
        deprecated_source: event.source,
        event_time: event
            .event_time
            .or_else(|| event.first_timestamp.map(|Time(first)| MicroTime(first))),
        metadata: event.metadata,
        note: event.message,
        reason: event.reason,
        regarding: Some(event.involved_object),
        related: event.related,
        reporting_controller: event.reporting_component.clone(),
        reporting_instance: event.reporting_instance.or(event.reporting_component),
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
