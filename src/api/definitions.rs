//! The definitions of our kinds, as Kubernetes' CustomResourceDefinitions: read-only.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::Answer;
use super::form::{Form, Presenter, Resource};
use super::identity;
use super::options::{ListOptions, Params};
use super::paths::Name;
use super::polled::{self, Rows};
use super::state::Api;
use super::status::ApiError;
use super::table::Columns;
use crate::resource::Kind;

/// `GET …/customresourcedefinitions`: a list, or a watch in which nothing happens.
pub(super) async fn list(State(api): State<Api>, form: Form, params: Params) -> Result<Response, ApiError> {
    let options = ListOptions::try_from(&params)?;
    options
        .selection
        .fits_fields("CustomResourceDefinition", &["metadata.name"])?;
    let selection = options.selection.clone();
    let look = move |_| {
        let rows = Kind::ALL
            .into_iter()
            .map(definition)
            .filter(|row| selection.matches_json(row));
        let rows = Rows::new(rows.collect());
        async move { Ok(rows) }
    };
    polled::answer(&api, presenter(form), None, &options, look).await
}

/// `GET …/customresourcedefinitions/{name}`
pub(super) async fn get(Name(name): Name, form: Form) -> Result<Response, ApiError> {
    let found = Kind::ALL
        .into_iter()
        .map(definition)
        .find(|row| row["metadata"]["name"] == name.as_str());
    let found = found.ok_or(ApiError::NoSuch {
        resource: "customresourcedefinitions",
        name,
    })?;
    let found = polled::versioned(found);
    Ok(Answer::ok(presenter(form).one(&found)?).into_response())
}

fn presenter(form: Form) -> Presenter {
    let resource = Resource {
        api_version: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        columns: Columns::NameOnly,
    };
    Presenter { form, resource }
}

/// Established, as clients wait for it to be.
fn definition(kind: Kind) -> Value {
    let definition = kind.definition();
    let mut row = serde_json::to_value(definition).unwrap_or_default();
    let name = definition.metadata.name.as_deref().unwrap_or_default();
    row["metadata"]["uid"] = identity::uid(&["customresourcedefinitions", name]).into();
    let established = |type_: &str, reason: &str| json!({"type": type_, "status": "True", "reason": reason, "message": "it is built in"});
    row["status"] = json!({
        "acceptedNames": definition.spec.names,
        "conditions": [established("NamesAccepted", "NoConflicts"), established("Established", "InitialNamesAccepted")],
        "storedVersions": ["v1"],
    });
    row
}
