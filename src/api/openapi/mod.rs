//! OpenAPI v3, a document for each group, made of the types and the tables that the API itself is made of.

mod operations;
mod schemas;

use std::sync::LazyLock;

use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::discovery::Group;
use super::status::ApiError;
use crate::resource::names;

/// The groups that are described.
const GROUPS: [Group; 5] = [
    Group::Core,
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

static DESCRIBED: LazyLock<[Described; 5]> = LazyLock::new(|| {
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
pub(super) async fn of_group(Path(path): Path<String>) -> Result<Json<&'static Value>, ApiError> {
    let found = DESCRIBED.iter().find(|described| described.group.path() == path);
    let found = found.ok_or(ApiError::NoSuchPath { nearest: None })?;
    Ok(Json(&found.document))
}

fn document(group: Group) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "WHOOSH", "version": format!("v{}", env!("CARGO_PKG_VERSION"))},
        "paths": operations::paths(group),
        "components": {"schemas": schemas::of(group)},
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
