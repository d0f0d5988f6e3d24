//! Namespaces: a read-only view. An object makes its namespace by being in it, and `default` is always there.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceSpec, NamespaceStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::Value;

use super::answer::Answer;
use super::form::{Form, Presenter, Resource};
use super::identity;
use super::options::{ListOptions, Params};
use super::paths::Name;
use super::polled::{self, Rows};
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;
use crate::resource::object::DEFAULT_NAMESPACE;

/// What a field selector can compare, as in Kubernetes.
const FIELDS: [&str; 2] = ["metadata.name", "status.phase"];

/// `GET /api/v1/namespaces`: a list, or a watch that looks once a second.
pub(super) async fn list(State(api): State<Api>, form: Form, params: Params) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    options.selection.fits_fields("Namespace", &FIELDS)?;
    let (state, selection) = (api.clone(), options.selection.clone());
    let look = move |_| {
        let (api, selection) = (state.clone(), selection.clone());
        async move {
            let all = rows(&api).await?;
            Ok(Rows::new(
                all.into_iter()
                    .filter(|row| selection.matches_json(row))
                    .collect(),
            ))
        }
    };
    polled::answer(&api, presenter(form), None, &options, look).await
}

/// `GET /api/v1/namespaces/{namespace}`
pub(super) async fn get(State(api): State<Api>, Name(name): Name, form: Form) -> Result<Response, ApiError> {
    let all = rows(&api).await?;
    let found = all
        .iter()
        .find(|row| row.pointer("/metadata/name").and_then(Value::as_str) == Some(&name));
    let found = found.ok_or_else(|| ApiError::NoSuch {
        resource: "namespaces",
        name: name.clone(),
    })?;
    let found = polled::versioned(found.clone());
    Ok(Answer::ok(presenter(form).one(&found)?).into_response())
}

/// Any other method: what is nothing of its own is neither made nor removed, and has nothing that could be changed.
pub(super) async fn read_only() -> ApiError {
    ApiError::MethodNotAllowed(
        "a namespace begins with the first object in it and ends with the last, so create, or delete, what is in it"
            .to_owned(),
    )
}

fn presenter(form: Form) -> Presenter {
    let resource = Resource {
        api_version: "v1",
        kind: "Namespace",
        columns: Columns::Namespaces,
    };
    Presenter { form, resource }
}

async fn rows(api: &Api) -> Result<Vec<Value>, ApiError> {
    let mut since: BTreeMap<String, Option<Timestamp>> = api.store.namespaces().await?.into_iter().collect();
    since.entry(DEFAULT_NAMESPACE.to_owned()).or_default();
    let json = |(name, since)| {
        serde_json::to_value(namespace(&api.instance, name, since))
            .map_err(|error| ApiError::Internal(error.to_string()))
    };
    since.into_iter().map(json).collect()
}

fn namespace(instance: &str, name: String, since: Option<Timestamp>) -> Namespace {
    let labels = [("kubernetes.io/metadata.name".to_owned(), name.clone())];
    Namespace {
        metadata: ObjectMeta {
            uid: Some(identity::uid(&[instance, "namespaces", &name])),
            name: Some(name),
            labels: Some(labels.into()),
            creation_timestamp: since.map(Time),
            ..ObjectMeta::default()
        },
        spec: Some(NamespaceSpec::default()),
        status: Some(NamespaceStatus {
            phase: Some("Active".to_owned()),
            conditions: None,
        }),
    }
}
