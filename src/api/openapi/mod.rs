//! OpenAPI: v3 with a document for each group, and v2 with one for all, made of the types and the tables that the API itself is made of.

mod failures;
mod operations;
mod schemas;
mod v2;

use std::sync::LazyLock;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::discovery::Group;
use super::paths::Name;
use super::status::ApiError;
use crate::resource::names;

/// The groups that are described.
const GROUPS: [Group; 6] = [
    Group::Core,
    Group::Events,
    Group::Chorus,
    Group::Authentication,
    Group::Authorization,
    Group::ApiExtensions,
];

/// One group's document, and a hash of it by which clients keep it.
struct Described {
    group: Group,
    document: Value,
    hash: String,
}

static DESCRIBED: LazyLock<[Described; 6]> = LazyLock::new(|| {
    GROUPS.map(|group| {
        let document = document(group);
        let hash = names::hex(&Sha256::digest(document.to_string()));
        Described {
            group,
            document,
            hash,
        }
    })
});

/// `GET /openapi/v3`
pub(super) async fn index() -> Json<Value> {
    let paths: serde_json::Map<String, Value> = DESCRIBED
        .iter()
        .map(|described| {
            let path = described.group.path();
            let url = format!("/openapi/v3/{path}?hash={}", described.hash);
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    Json(json!({"paths": paths}))
}

/// `GET /openapi/v3/{group}`, such as `/openapi/v3/apis/chorus.services/v1`.
pub(super) async fn of_group(Name(path): Name) -> Result<Json<&'static Value>, ApiError> {
    let found = DESCRIBED.iter().find(|described| described.group.path() == path);
    let found = found.ok_or(ApiError::NoSuchPath { nearest: None })?;
    Ok(Json(&found.document))
}

static SWAGGER: LazyLock<Value> =
    LazyLock::new(|| v2::document(DESCRIBED.iter().map(|described| &described.document)));

/// The form in which older kubectl ask for OpenAPI v2; its name is no media type.
const ASKED_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// The same, as a media type.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `GET /openapi/v2`, in JSON or, for who asks for it, in protobuf.
pub(super) async fn swagger(headers: HeaderMap) -> Response {
    static ENCODED: LazyLock<Vec<u8>> = LazyLock::new(|| v2::encoded(&SWAGGER));
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    let is_wanted = |form: &str, value: &HeaderValue| value.as_bytes().starts_with(form.as_bytes());
    match accepted.any(|value| {
        [ASKED_PROTOBUF, PROTOBUF]
            .iter()
            .any(|form| is_wanted(form, value))
    }) {
        true => ([(header::CONTENT_TYPE, PROTOBUF)], ENCODED.as_slice()).into_response(),
        false => Json(&*SWAGGER).into_response(),
    }
}

fn document(group: Group) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "WHOOSH", "version": format!("v{}", env!("CARGO_PKG_VERSION"))},
        "paths": operations::paths(group),
        "components": {
            "schemas": schemas::of(group),
            "responses": failures::responses(),
            "securitySchemes": {"BearerToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"BearerToken": []}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` below a value.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member.as_str() {
                        Some(text) if name == "$ref" => found.push(text),
                        _ => references(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        for described in DESCRIBED.iter() {
            let mut found = Vec::new();
            references(&described.document, &mut found);
            assert!(!found.is_empty());
            for reference in found {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(
                    described.document.pointer(pointer).is_some(),
                    "{:?}: {reference}",
                    described.group
                );
            }
        }
    }

    #[test]
    fn every_reference_of_the_old_document_leads_somewhere() {
        let document = &*SWAGGER;
        let mut found = Vec::new();
        references(document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_kind_can_be_explained_and_its_fields_be_checked() {
        let chorus = DESCRIBED
            .iter()
            .find(|described| described.group == Group::Chorus)
            .unwrap();
        let team = &chorus.document["components"]["schemas"]["services.chorus.v1.Team"];
        assert_eq!(
            team["x-kubernetes-group-version-kind"],
            json!([{"group": "chorus.services", "version": "v1", "kind": "Team"}])
        );
        assert!(team["properties"]["spec"]["properties"]["roles"].is_object());
        let patch = &chorus.document["paths"]["/apis/chorus.services/v1/namespaces/{namespace}/teams/{name}"]
            ["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Team");
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters
                .iter()
                .any(|parameter| parameter["name"] == "fieldValidation")
        );
    }
}
