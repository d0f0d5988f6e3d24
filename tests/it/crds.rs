//! `crds/` is what the Rust types say, and an API server would take it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whoosh::resource::{Kind, crd};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")
}

#[test]
fn the_files_are_up_to_date() {
    let mut expected: Vec<String> = Kind::ALL.into_iter().map(crd::file_name).collect();
    expected.sort();
    let mut found: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, expected, "one file a kind");
    for kind in Kind::ALL {
        let file = folder().join(crd::file_name(kind));
        let written = fs::read_to_string(&file).unwrap();
        let current = crd::to_yaml(kind).unwrap();
        assert!(
            written == current,
            "{} is out of date: run `make crds`",
            file.display()
        );
    }
}

#[test]
fn names_and_versions_are_those_of_a_definition() {
    for kind in Kind::ALL {
        let crd = serde_json::to_value(kind.definition()).unwrap();
        assert_eq!(crd["apiVersion"], "apiextensions.k8s.io/v1");
        assert_eq!(crd["kind"], "CustomResourceDefinition");
        let spec = &crd["spec"];
        let name = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
        assert_eq!(crd["metadata"]["name"], name.as_str());
        assert_eq!(spec["scope"], "Namespaced");
        assert!(!spec["names"]["shortNames"].as_array().unwrap().is_empty());
        let [version] = spec["versions"].as_array().unwrap().as_slice() else {
            panic!("{kind} has one version");
        };
        assert_eq!(
            (&version["served"], &version["storage"]),
            (&Value::Bool(true), &Value::Bool(true))
        );
        for column in version["additionalPrinterColumns"].as_array().unwrap() {
            assert!(text(&column["jsonPath"]).starts_with('.'), "{column}");
            let types = ["integer", "number", "string", "boolean", "date"];
            assert!(types.contains(&text(&column["type"])), "{column}");
        }
    }
}

#[test]
fn subresources_are_those_of_the_kind() {
    let subresources = |kind: Kind| {
        serde_json::to_value(kind.definition()).unwrap()["spec"]["versions"][0]["subresources"].clone()
    };
    for kind in [Kind::Team, Kind::Council, Kind::Agent] {
        assert!(subresources(kind)["status"].is_object(), "{kind}");
    }
    let scale = &subresources(Kind::Team)["scale"];
    for (path, expected) in [
        ("specReplicasPath", ".spec.replicas"),
        ("statusReplicasPath", ".status.replicas"),
        ("labelSelectorPath", ".status.selector"),
    ] {
        assert_eq!(scale[path], expected);
    }
}

/// Kubernetes' rules for a structural schema, as far as ours could break them.
#[test]
fn schemas_are_structural() {
    for kind in Kind::ALL {
        let schema = serde_json::to_value(kind.schema().unwrap()).unwrap();
        assert_eq!(schema["type"], "object", "{kind}");
        for member in ["apiVersion", "kind", "metadata", "spec"] {
            assert!(schema["properties"][member].is_object(), "{kind}.{member}");
        }
        structural(&schema, &kind.to_string());
    }
}

fn structural(schema: &Value, at: &str) {
    for word in [
        "$ref",
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "nullable",
        "definitions",
        "patternProperties",
    ] {
        assert!(schema.get(word).is_none(), "{at} has {word}");
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        assert!(schema.get("type").is_none(), "{at}: an int-or-string has no type");
        return;
    }
    let type_ = text(&schema["type"]);
    let types = ["object", "array", "string", "integer", "number", "boolean"];
    assert!(types.contains(&type_), "{at} has the type \"{type_}\"");
    if let Some(format) = schema.get("format") {
        assert!(
            ["int32", "int64", "date-time", "duration"].contains(&text(format)),
            "{at} has the format {format}"
        );
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    assert!(
        properties.is_none() || schema.get("additionalProperties").is_none(),
        "{at}"
    );
    for (name, property) in properties.into_iter().flatten() {
        let at = format!("{at}.{name}");
        assert!(
            property["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{at} is not described"
        );
        structural(property, &at);
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            properties.unwrap().contains_key(text(required)),
            "{at} requires {required}"
        );
    }
    if let Some(values) = schema.get("additionalProperties") {
        structural(values, &format!("{at}.*"));
    }
    if type_ == "array" {
        let items = &schema["items"];
        structural(items, &format!("{at}[]"));
        list(schema, items, at);
    }
}

/// A map list's keys are words or numbers that are required, or have defaults; a set's items are plain values.
fn list(schema: &Value, items: &Value, at: &str) {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("map") => {
            for key in schema["x-kubernetes-list-map-keys"].as_array().unwrap() {
                let member = &items["properties"][text(key)];
                let type_ = text(&member["type"]);
                assert!(
                    ["string", "integer"].contains(&type_),
                    "{at} has keys of type {type_}"
                );
                assert!(
                    items["required"].as_array().unwrap().contains(key) || !member["default"].is_null(),
                    "{at} does not require {key}"
                );
            }
        }
        Some("set") => assert_eq!(items["type"], "string", "{at}"),
        _ => {}
    }
}

#[test]
fn a_template_has_the_fields_of_an_agent_block() {
    let template =
        &serde_json::to_value(Kind::AgentTemplate.schema().unwrap()).unwrap()["properties"]["spec"];
    let team = serde_json::to_value(Kind::Team.schema().unwrap()).unwrap();
    let defaults = &team["properties"]["spec"]["properties"]["defaults"];
    assert_eq!(template["properties"], defaults["properties"]);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
