//! The document of OpenAPI v2 in protobuf, the one form in which older kubectl ask for it.
//!
//! The numbers of the fields are those of gnostic's `OpenAPIv2.proto`; what is not here, no document of ours has.

use prost::Message;
use serde_json::{Map, Value};

#[derive(Clone, PartialEq, Message)]
struct Document {
    #[prost(string, tag = "1")]
    swagger: String,
    #[prost(message, optional, tag = "2")]
    info: Option<Info>,
    #[prost(message, optional, tag = "8")]
    paths: Option<Paths>,
    #[prost(message, optional, tag = "9")]
    definitions: Option<Schemas>,
}

#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Paths {
    #[prost(message, repeated, tag = "2")]
    all: Vec<NamedPath>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedPath {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    item: Option<PathItem>,
}

#[derive(Clone, PartialEq, Message)]
struct PathItem {
    #[prost(message, optional, tag = "2")]
    get: Option<Operation>,
    #[prost(message, optional, tag = "3")]
    put: Option<Operation>,
    #[prost(message, optional, tag = "4")]
    post: Option<Operation>,
    #[prost(message, optional, tag = "5")]
    delete: Option<Operation>,
    #[prost(message, optional, tag = "8")]
    patch: Option<Operation>,
}

#[derive(Clone, PartialEq, Message)]
struct Operation {
    #[prost(string, tag = "5")]
    operation_id: String,
    #[prost(string, repeated, tag = "6")]
    produces: Vec<String>,
    #[prost(string, repeated, tag = "7")]
    consumes: Vec<String>,
    #[prost(message, repeated, tag = "8")]
    parameters: Vec<ParametersItem>,
    #[prost(message, optional, tag = "9")]
    responses: Option<Responses>,
    #[prost(message, repeated, tag = "13")]
    extensions: Vec<NamedAny>,
}

#[derive(Clone, PartialEq, Message)]
struct ParametersItem {
    #[prost(message, optional, tag = "1")]
    parameter: Option<Parameter>,
}

#[derive(Clone, PartialEq, Message)]
struct Parameter {
    #[prost(message, optional, tag = "1")]
    body: Option<BodyParameter>,
    #[prost(message, optional, tag = "2")]
    other: Option<OtherParameter>,
}

#[derive(Clone, PartialEq, Message)]
struct BodyParameter {
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    place: String,
    #[prost(bool, tag = "4")]
    required: bool,
    #[prost(message, optional, boxed, tag = "5")]
    schema: Option<Box<Schema>>,
}

#[derive(Clone, PartialEq, Message)]
struct OtherParameter {
    #[prost(message, optional, tag = "3")]
    query: Option<QueryParameter>,
    #[prost(message, optional, tag = "4")]
    path: Option<PathParameter>,
}

#[derive(Clone, PartialEq, Message)]
struct QueryParameter {
    #[prost(bool, tag = "1")]
    required: bool,
    #[prost(string, tag = "2")]
    place: String,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(string, tag = "6")]
    type_: String,
}

#[derive(Clone, PartialEq, Message)]
struct PathParameter {
    #[prost(bool, tag = "1")]
    required: bool,
    #[prost(string, tag = "2")]
    place: String,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(string, tag = "5")]
    type_: String,
}

#[derive(Clone, PartialEq, Message)]
struct Responses {
    #[prost(message, repeated, tag = "1")]
    all: Vec<NamedResponse>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedResponse {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    value: Option<ResponseValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseValue {
    #[prost(message, optional, tag = "1")]
    response: Option<Response>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, tag = "1")]
    description: String,
    #[prost(message, optional, tag = "2")]
    schema: Option<SchemaItem>,
}

#[derive(Clone, PartialEq, Message)]
struct SchemaItem {
    #[prost(message, optional, boxed, tag = "1")]
    schema: Option<Box<Schema>>,
}

#[derive(Clone, PartialEq, Message)]
struct Schemas {
    #[prost(message, repeated, tag = "1")]
    all: Vec<NamedSchema>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedSchema {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    schema: Option<Schema>,
}

#[derive(Clone, PartialEq, Message)]
struct Schema {
    #[prost(string, tag = "1")]
    reference: String,
    #[prost(string, tag = "2")]
    format: String,
    #[prost(string, tag = "4")]
    description: String,
    #[prost(string, repeated, tag = "19")]
    required: Vec<String>,
    #[prost(message, repeated, tag = "20")]
    allowed: Vec<Any>,
    #[prost(message, optional, boxed, tag = "21")]
    additional: Option<Box<Additional>>,
    #[prost(message, optional, tag = "22")]
    type_: Option<TypeItem>,
    #[prost(message, optional, tag = "23")]
    items: Option<ItemsItem>,
    #[prost(message, repeated, tag = "24")]
    all_of: Vec<Schema>,
    #[prost(message, optional, tag = "25")]
    properties: Option<Schemas>,
    #[prost(message, repeated, tag = "31")]
    extensions: Vec<NamedAny>,
}

#[derive(Clone, PartialEq, Message)]
struct Additional {
    #[prost(message, optional, boxed, tag = "1")]
    schema: Option<Box<Schema>>,
    #[prost(bool, tag = "2")]
    anything: bool,
}

#[derive(Clone, PartialEq, Message)]
struct TypeItem {
    #[prost(string, repeated, tag = "1")]
    value: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ItemsItem {
    #[prost(message, repeated, tag = "1")]
    schema: Vec<Schema>,
}

#[derive(Clone, PartialEq, Message)]
struct NamedAny {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Any>,
}

/// Any value, as YAML; JSON is YAML.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "2")]
    yaml: String,
}

/// A document of v2, which is JSON, in protobuf.
pub(super) fn encoded(document: &Value) -> Vec<u8> {
    let paths = members(&document["paths"]).map(|(name, item)| NamedPath {
        name: name.clone(),
        item: Some(path_item(item)),
    });
    let document = Document {
        swagger: text(&document["swagger"]),
        info: Some(Info {
            title: text(&document["info"]["title"]),
            version: text(&document["info"]["version"]),
        }),
        paths: Some(Paths { all: paths.collect() }),
        definitions: Some(schemas(&document["definitions"])),
    };
    document.encode_to_vec()
}

fn path_item(item: &Value) -> PathItem {
    let of = |method: &str| item.get(method).map(operation);
    PathItem {
        get: of("get"),
        put: of("put"),
        post: of("post"),
        delete: of("delete"),
        patch: of("patch"),
    }
}

fn operation(operation: &Value) -> Operation {
    let responses = members(&operation["responses"]).map(|(name, response)| NamedResponse {
        name: name.clone(),
        value: Some(ResponseValue {
            response: Some(Response {
                description: text(&response["description"]),
                schema: Some(SchemaItem {
                    schema: Some(Box::new(schema(&response["schema"]))),
                }),
            }),
        }),
    });
    Operation {
        operation_id: text(&operation["operationId"]),
        produces: texts(&operation["produces"]),
        consumes: texts(&operation["consumes"]),
        parameters: items(&operation["parameters"]).map(parameter).collect(),
        responses: Some(Responses {
            all: responses.collect(),
        }),
        extensions: extensions(operation),
    }
}

fn parameter(described: &Value) -> ParametersItem {
    let (name, place) = (text(&described["name"]), text(&described["in"]));
    let required = described["required"] == Value::Bool(true);
    let type_ = text(&described["type"]);
    let mut parameter = Parameter::default();
    match place.as_str() {
        "body" => {
            parameter.body = Some(BodyParameter {
                name,
                place,
                required,
                schema: Some(Box::new(schema(&described["schema"]))),
            });
        }
        "path" => {
            parameter.other = Some(OtherParameter {
                path: Some(PathParameter {
                    required,
                    place,
                    name,
                    type_,
                }),
                query: None,
            });
        }
        _ => {
            parameter.other = Some(OtherParameter {
                query: Some(QueryParameter {
                    required,
                    place,
                    name,
                    type_,
                }),
                path: None,
            });
        }
    }
    ParametersItem {
        parameter: Some(parameter),
    }
}

fn schemas(named: &Value) -> Schemas {
    let all = members(named).map(|(name, value)| NamedSchema {
        name: name.clone(),
        schema: Some(schema(value)),
    });
    Schemas { all: all.collect() }
}

fn schema(value: &Value) -> Schema {
    let additional = value.get("additionalProperties").map(|additional| {
        Box::new(Additional {
            schema: additional.is_object().then(|| Box::new(schema(additional))),
            anything: *additional == Value::Bool(true),
        })
    });
    Schema {
        reference: text(&value["$ref"]),
        format: text(&value["format"]),
        description: text(&value["description"]),
        required: texts(&value["required"]),
        allowed: items(&value["enum"]).map(any).collect(),
        additional,
        type_: value["type"].as_str().map(|type_| TypeItem {
            value: vec![type_.to_owned()],
        }),
        items: value.get("items").map(|items| ItemsItem {
            schema: vec![schema(items)],
        }),
        all_of: items(&value["allOf"]).map(schema).collect(),
        properties: value.get("properties").map(schemas),
        extensions: extensions(value),
    }
}

fn extensions(value: &Value) -> Vec<NamedAny> {
    let extensions = members(value).filter(|(name, _)| name.starts_with("x-"));
    let named = extensions.map(|(name, value)| NamedAny {
        name: name.clone(),
        value: Some(any(value)),
    });
    named.collect()
}

fn any(value: &Value) -> Any {
    Any {
        yaml: value.to_string(),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    items(value).map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_says_the_same_in_protobuf() {
        let json = json!({
            "swagger": "2.0", "info": {"title": "x", "version": "1"},
            "paths": {"/teams/{name}": {"patch": {
                "operationId": "patchTeam", "consumes": ["application/json"], "x-kubernetes-action": "patch",
                "parameters": [
                    {"name": "name", "in": "path", "required": true, "type": "string"},
                    {"name": "dryRun", "in": "query", "type": "string"},
                    {"name": "body", "in": "body", "required": true, "schema": {"$ref": "#/definitions/Team"}},
                ],
                "responses": {"200": {"description": "It.", "schema": {"type": "object"}}},
            }}},
            "definitions": {"Team": {"type": "object", "required": ["spec"], "properties": {
                "spec": {"type": "object", "additionalProperties": {"type": "string"}, "description": "What."},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["a"]}, "x-kubernetes-list-type": "set"},
            }}},
        });
        let document = Document::decode(encoded(&json).as_slice()).unwrap();
        let team = document.definitions.unwrap().all.remove(0);
        assert_eq!(team.name, "Team");
        let team = team.schema.unwrap();
        assert_eq!(team.required, ["spec"]);
        let properties = team.properties.unwrap().all;
        let (spec, tags) = (
            properties[0].schema.as_ref().unwrap(),
            properties[1].schema.as_ref().unwrap(),
        );
        assert_eq!(spec.description, "What.");
        assert!(spec.additional.as_ref().unwrap().schema.is_some());
        assert_eq!(tags.extensions[0].value.as_ref().unwrap().yaml, "\"set\"");
        let path = document.paths.unwrap().all.remove(0);
        let patch = path.item.unwrap().patch.unwrap();
        let kinds: Vec<_> = patch
            .parameters
            .iter()
            .map(|item| {
                let parameter = item.parameter.as_ref().unwrap();
                let other = parameter.other.as_ref();
                (
                    other.is_some_and(|other| other.path.is_some()),
                    other.is_some_and(|other| other.query.is_some()),
                    parameter.body.is_some(),
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [(true, false, false), (false, true, false), (false, false, true)]
        );
    }
}
