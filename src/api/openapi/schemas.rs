//! The schemas of a group: its kinds, their lists, and Kubernetes' types that they are made of.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::{Event, Namespace};
use k8s_openapi::api::events;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ListMeta, ObjectMeta, Status};
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::api::discovery::Group;
use crate::resource::Kind;
use crate::resource::object::{API_VERSION, GROUP, VERSION};

/// Where the names of our kinds' schemas begin: the group from back to front, as Kubernetes names them.
const OURS: &str = "services.chorus.v1";

/// A reference to a schema of a name.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What the schema of a kind of a group is called.
pub(super) fn name(group: Group, kind: &str) -> String {
    match group {
        Group::Chorus if kind == "Scale" => Scale::schema_name().into_owned(),
        Group::Chorus => format!("{OURS}.{kind}"),
        Group::Core => format!("io.k8s.api.core.v1.{kind}"),
        Group::Events => format!("io.k8s.api.events.v1.{kind}"),
        Group::Authentication => format!("io.k8s.api.authentication.v1.{kind}"),
        Group::Authorization => format!("io.k8s.api.authorization.v1.{kind}"),
        Group::ApiExtensions => {
            format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{kind}")
        }
    }
}

/// The name of the schema of every failure.
pub(super) fn status() -> String {
    Status::schema_name().into_owned()
}

/// The name of the schema of what a deletion asks for.
pub(super) fn delete_options() -> String {
    DeleteOptions::schema_name().into_owned()
}

/// The schemas that a group's document refers to, by name.
pub(super) fn of(group: Group) -> Map<String, Value> {
    let mut generator = SchemaSettings::openapi3().into_generator();
    generator.subschema_for::<Status>();
    generator.subschema_for::<ListMeta>();
    generator.subschema_for::<DeleteOptions>();
    generator.subschema_for::<ObjectMeta>();
    match group {
        Group::Core => {
            add::<Event>(&mut generator);
            add::<Namespace>(&mut generator);
        }
        Group::Events => add::<events::v1::Event>(&mut generator),
        Group::Chorus => add::<Scale>(&mut generator),
        Group::Authentication => add::<SelfSubjectReview>(&mut generator),
        Group::Authorization => {
            add::<SelfSubjectAccessReview>(&mut generator);
            add::<SelfSubjectRulesReview>(&mut generator);
        }
        Group::ApiExtensions => add::<CustomResourceDefinition>(&mut generator),
    }
    let mut schemas: Map<String, Value> = generator.take_definitions(true);
    // In a definition, a default and a choice may be any value.
    if let Some(Value::Object(any)) = schemas.get_mut(&*JSON::schema_name()) {
        any.remove("type");
    }
    if group == Group::Chorus {
        for kind in Kind::ALL {
            schemas.insert(name(group, kind.name()), object(kind));
        }
        for view in ["Plan", "History"] {
            schemas.insert(name(group, view), json!({"type": "object"}));
        }
    }
    for resource in group.resources() {
        let whole = !resource.name.contains('/');
        if whole && resource.verbs.iter().any(|verb| verb == "list") {
            let kind = &resource.kind;
            schemas.insert(name(group, &format!("{kind}List")), list(group, kind));
        }
    }
    for (group, kind) in group
        .resources()
        .iter()
        .map(|resource| (resource.group.as_deref().unwrap_or(group.name()), &resource.kind))
    {
        let named = match group {
            "autoscaling" => Scale::schema_name().into_owned(),
            other => name(Group::named(other).unwrap_or(Group::Core), kind),
        };
        if let Some(Value::Object(schema)) = schemas.get_mut(&named) {
            let stamp = json!([{"group": group, "version": VERSION, "kind": kind}]);
            schema.insert("x-kubernetes-group-version-kind".to_owned(), stamp);
        }
    }
    schemas
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

/// The schema of one of our kinds; its definition leaves the metadata to Kubernetes.
fn object(kind: Kind) -> Value {
    let mut schema = kind
        .schema()
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or_else(|| json!({"type": "object"}));
    let only = |text: &str| json!({"type": "string", "enum": [text]});
    schema["properties"]["apiVersion"] = only(API_VERSION);
    schema["properties"]["kind"] = only(kind.name());
    schema["properties"]["metadata"] = reference(&ObjectMeta::schema_name());
    schema
}

fn list(group: Group, kind: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": reference(&ListMeta::schema_name()),
            "items": {"type": "array", "items": reference(&name(group, kind))},
        },
        "x-kubernetes-group-version-kind": [
            {"group": if group == Group::Chorus { GROUP } else { group.name() }, "version": VERSION, "kind": format!("{kind}List")},
        ],
    })
}
