//! The form that a client wants objects in, by its `Accept`: whole, as rows of a table, or as their metadata.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::options::{Params, Part};
use super::status::ApiError;
use super::table::{Columns, IncludeObject, table};
use crate::resource::object::API_VERSION;
use crate::resource::{Kind, Object};

/// The group and version of tables and of objects that are metadata alone.
pub(super) const META_V1: &str = "meta.k8s.io/v1";

/// A form of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Whole,
    /// Rows, with as much of each object as is wanted beside its cells.
    Table(IncludeObject),
    /// `PartialObjectMetadata`.
    Metadata,
}

/// What is served, and what a table shows of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) columns: Columns,
}

impl Resource {
    /// One of our kinds.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            api_version: API_VERSION,
            kind: kind.name(),
            columns: Columns::Of(kind),
        }
    }
}

/// Objects of one resource in one form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presenter {
    pub(super) form: Form,
    pub(super) resource: Resource,
}

/// An object in its form.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Shown<'a, T> {
    /// As it is.
    Whole(&'a T),
    /// Made of it.
    Made(Value),
}

/// Where a list stands.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    pub(super) resource_version: String,
    /// Where the rest goes on; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#continue: Option<String>,
    /// How many come after this part; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_item_count: Option<usize>,
}

impl ListMetadata {
    /// Of a list at the revision that a watch can go on from.
    pub(super) fn at(revision: impl ToString) -> Self {
        Self {
            resource_version: revision.to_string(),
            r#continue: None,
            remaining_item_count: None,
        }
    }

    /// Says where the list goes on, and how many are left, if that is known.
    pub(super) fn goes_on(&mut self, next: Part, left: Option<usize>) {
        self.r#continue = Some(next.to_string());
        self.remaining_item_count = left;
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    kind: String,
    api_version: &'static str,
    metadata: ListMetadata,
    items: Vec<T>,
}

impl Form {
    /// An answer with one of our objects, in this form.
    ///
    /// # Errors
    /// 500 when it cannot be written as JSON.
    pub(super) fn answer(self, answer: Answer<Object>) -> Result<Response, ApiError> {
        let presenter = Presenter {
            form: self,
            resource: Resource::of(answer.body.kind),
        };
        let shown = Answer {
            code: answer.code,
            body: presenter.one(&answer.body)?,
            warnings: answer.warnings,
        };
        Ok(shown.into_response())
    }
}

impl Presenter {
    /// One object.
    ///
    /// # Errors
    /// 500 when it cannot be written as JSON.
    pub(super) fn one<'a, T: Serialize>(&self, object: &'a T) -> Result<Shown<'a, T>, ApiError> {
        Ok(match self.form {
            Form::Whole => Shown::Whole(object),
            Form::Metadata => Shown::Made(metadata_of(&value(object)?)),
            Form::Table(include) => {
                let object = value(object)?;
                let revision = object.pointer("/metadata/resourceVersion").cloned();
                let metadata = json!({"resourceVersion": revision.unwrap_or_default()});
                let rows = std::slice::from_ref(&object);
                Shown::Made(table(
                    self.resource.columns,
                    include,
                    &metadata,
                    rows,
                    Timestamp::now(),
                ))
            }
        })
    }

    /// A list.
    ///
    /// # Errors
    /// 500 when an object cannot be written as JSON.
    pub(super) fn list<T: Serialize>(
        &self,
        metadata: ListMetadata,
        items: Vec<T>,
    ) -> Result<Response, ApiError> {
        let values = || items.iter().map(value).collect::<Result<Vec<_>, _>>();
        let (kind, api_version, items) = match self.form {
            Form::Whole => {
                let kind = format!("{}List", self.resource.kind);
                return Ok(json_response(&List {
                    kind,
                    api_version: self.resource.api_version,
                    metadata,
                    items,
                }));
            }
            Form::Table(include) => {
                let (metadata, now) = (value(&metadata)?, Timestamp::now());
                let columns = self.resource.columns;
                return Ok(json_response(&table(
                    columns,
                    include,
                    &metadata,
                    &values()?,
                    now,
                )));
            }
            Form::Metadata => {
                let items = values()?.iter().map(metadata_of).collect();
                ("PartialObjectMetadataList".to_owned(), META_V1, items)
            }
        };
        Ok(json_response(&List::<Value> {
            kind,
            api_version,
            metadata,
            items,
        }))
    }
}

fn json_response(body: &impl Serialize) -> Response {
    axum::Json(body).into_response()
}

fn value(object: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|error| ApiError::Internal(error.to_string()))
}

/// An object without its spec and status.
pub(super) fn metadata_of(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": META_V1,
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let params = Params::of(&parts.uri);
        match wanted(&parts.headers) {
            None => Err(ApiError::NotAcceptable),
            Some(Form::Table(_)) => Ok(Self::Table(IncludeObject::try_from(&params)?)),
            Some(form) => Ok(form),
        }
    }
}

/// Middleware: refuses a request that accepts no form that there is.
pub(super) async fn known_form(request: Request, next: Next) -> Response {
    match wanted(request.headers()) {
        Some(_) => next.run(request).await,
        None => ApiError::NotAcceptable.into_response(),
    }
}

/// The first form that a client accepts; without a word about it, whole objects.
fn wanted(headers: &HeaderMap) -> Option<Form> {
    match headers.contains_key(header::ACCEPT) {
        true => first(headers, form),
        false => Some(Form::Whole),
    }
}

/// Whether a client wants whole objects in YAML rather than in any form of JSON.
pub(super) fn wants_yaml(headers: &HeaderMap) -> bool {
    let is_yaml = |choice: &str| match choice.trim().to_ascii_lowercase().as_str() {
        "application/yaml" => Some(true),
        choice => form(choice).map(|_| false),
    };
    first(headers, is_yaml) == Some(true)
}

/// What is made of the first choice of an `Accept` that something can be made of.
fn first<T>(headers: &HeaderMap, of: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut named = headers.get_all(header::ACCEPT).iter();
    named.find_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split(',').find_map(&of)
    })
}

/// The form that one choice of an `Accept` names; `None` when it is not served.
fn form(choice: &str) -> Option<Form> {
    let mut parts = choice.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media = parts.next()?;
    let mut as_kind = None;
    for parameter in parts {
        match parameter.split_once('=').unwrap_or((&parameter, "")) {
            ("q", "0" | "0.0") => return None,
            ("as", kind) => as_kind = Some(kind.to_owned()),
            ("v", version) if version != "v1" => return None,
            ("g", group) if group != "meta.k8s.io" => return None,
            _ => {}
        }
    }
    match (media.as_str(), as_kind.as_deref()) {
        ("application/json" | "application/*" | "*/*", None) => Some(Form::Whole),
        ("application/json", Some("table")) => Some(Form::Table(IncludeObject::Metadata)),
        ("application/json", Some("partialobjectmetadata" | "partialobjectmetadatalist")) => {
            Some(Form::Metadata)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_is_taken() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let rows = Some(Form::Table(IncludeObject::Metadata));
        for (accept, expected) in [
            ("application/json", Some(Form::Whole)),
            ("*/*", Some(Form::Whole)),
            ("text/html, application/*;q=0.8", Some(Form::Whole)),
            (&format!("{table},application/json"), rows),
            (table, rows),
            (
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some(Form::Whole),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Some(Form::Metadata),
            ),
            ("application/vnd.kubernetes.protobuf", None),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Some(Form::Whole),
            ),
            ("application/json;q=0", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wanted(&headers), expected, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Some(Form::Whole));
    }

    #[test]
    fn yaml_is_wanted_where_it_stands_before_any_form_of_json() {
        for (accept, expected) in [
            ("application/yaml", true),
            ("text/html, Application/YAML , application/json", true),
            ("application/json, application/yaml", false),
            ("application/yaml;as=Table;v=v1;g=meta.k8s.io", false),
            ("text/html", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_yaml(&headers), expected, "{accept}");
        }
        assert!(!wants_yaml(&HeaderMap::new()));
    }

    #[test]
    fn a_list_comes_in_the_form_that_is_wanted() {
        let team = json!({
            "apiVersion": API_VERSION, "kind": "Team",
            "metadata": {"name": "payments", "resourceVersion": "7"},
            "spec": {"roles": []},
        });
        let shown = |form| {
            let presenter = Presenter {
                form,
                resource: Resource::of(Kind::Team),
            };
            serde_json::to_value(presenter.one(&team).unwrap()).unwrap()
        };
        assert_eq!(shown(Form::Whole), team);
        assert_eq!(
            shown(Form::Metadata),
            json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"name": "payments", "resourceVersion": "7"},
            })
        );
        let table = shown(Form::Table(IncludeObject::None));
        assert_eq!(table["kind"], "Table");
        assert_eq!(table["metadata"]["resourceVersion"], "7");
        assert_eq!(table["rows"][0]["cells"][0], "payments");
    }
}
