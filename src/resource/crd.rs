//! The kinds' CustomResourceDefinitions, as a Kubernetes API server would accept them.
//!
//! The derive gives names, columns and a schema. What it leaves that is not structural, or noise, is put
//! right here, once: everything else in this crate reads the result.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::git_source::GitSource;
use super::kind::Kind;
use super::kinds::{Agent, AgentTemplate, Council, Team};
use super::policy_spec::Policy;
use super::yaml;

/// Makes a kind's definition. [`Kind::definition`] keeps it.
pub(super) fn define(kind: Kind) -> CustomResourceDefinition {
    let mut definition = match kind {
        Kind::Team => Team::crd(),
        Kind::Council => Council::crd(),
        Kind::AgentTemplate => AgentTemplate::crd(),
        Kind::Policy => Policy::crd(),
        Kind::GitSource => GitSource::crd(),
        Kind::Agent => Agent::crd(),
    };
    for version in &mut definition.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(root) = schema {
            complete(root);
            limit_conditions(root);
            tidy(root);
        }
    }
    definition
}

/// The file below `crds/` that holds a kind's definition: `teams.yaml`.
pub fn file_name(kind: Kind) -> String {
    format!("{}.yaml", kind.plural())
}

/// The content of that file.
///
/// # Errors
/// When the definition cannot be written as YAML, which none of ours does.
pub fn to_yaml(kind: Kind) -> Result<String, yaml::EmitError> {
    yaml::to_yaml(kind.definition())
}

/// Says of conditions what their type leaves open: which words their status may be.
fn limit_conditions(root: &mut JSONSchemaProps) {
    let status = member(root, "status").and_then(|status| member(status, "conditions"));
    let condition = match status.and_then(|conditions| conditions.items.as_mut()) {
        Some(JSONSchemaPropsOrArray::Schema(condition)) => condition,
        _ => return,
    };
    if let Some(status) = member(condition, "status") {
        let words = ["True", "False", "Unknown"];
        status.enum_ = Some(words.map(|word| JSON(word.into())).into());
    }
}

fn member<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> Option<&'a mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut(name)
}

/// Adds the fields that every object has, and takes the spec's description for the whole.
fn complete(root: &mut JSONSchemaProps) {
    let properties = root.properties.get_or_insert_default();
    root.description = properties.get("spec").and_then(|spec| spec.description.clone());
    for (name, type_, description) in [
        (
            "apiVersion",
            "string",
            "The group and version of the schema: `chorus.services/v1`.",
        ),
        ("kind", "string", "The kind of the object."),
        ("metadata", "object", "Name, namespace, labels and annotations."),
    ] {
        let schema = JSONSchemaProps {
            type_: Some(type_.to_owned()),
            description: Some(description.to_owned()),
            ..JSONSchemaProps::default()
        };
        properties.insert(name.to_owned(), schema);
    }
    for (name, description) in [
        ("spec", "What is declared."),
        ("status", "What the operator last saw."),
    ] {
        if let Some(schema) = properties.get_mut(name) {
            schema.description = Some(description.to_owned());
            schema.nullable = None;
        }
    }
}

/// Brings one node, and all below it, into the form that people can read and API servers accept.
pub(super) fn tidy(schema: &mut JSONSchemaProps) {
    // A null member is the same as an absent one to us; an API server prunes it.
    schema.nullable = None;
    // Kubernetes knows no unsigned formats; the minimum says it.
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = None;
    }
    if schema.x_kubernetes_int_or_string == Some(true) {
        schema.type_ = None;
    }
    if let Some(description) = &schema.description {
        let paragraph = description.split("\n\n").next().unwrap_or_default();
        schema.description = Some(paragraph.replace('\n', " "));
    }
    for child in children(schema) {
        tidy(child);
    }
}

fn children(schema: &mut JSONSchemaProps) -> Vec<&mut JSONSchemaProps> {
    let mut found: Vec<&mut JSONSchemaProps> = schema
        .properties
        .iter_mut()
        .flat_map(|all| all.values_mut())
        .collect();
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        found.push(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        found.push(values);
    }
    found
}
