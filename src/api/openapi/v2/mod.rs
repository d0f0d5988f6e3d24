//! The same documents as one of OpenAPI v2 (Swagger), for clients from before v3.

mod protobuf;

use serde_json::{Map, Value, json};

use super::failures;

/// What v2 has no word for.
const UNKNOWN: [&str; 3] = ["anyOf", "oneOf", "nullable"];

/// One document made of those of all groups.
pub(super) fn document<'a>(groups: impl Iterator<Item = &'a Value>) -> Value {
    let (mut paths, mut definitions, mut info) = (Map::new(), Map::new(), Value::Null);
    for group in groups {
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        info = group["info"].clone();
        let described = members(&group["paths"]).into_iter();
        paths.extend(described.map(|(path, item)| {
            let operations = members(&item).into_iter();
            let operations = operations.map(|(method, operation)| (method, self::operation(operation)));
            (path, Value::Object(operations.collect()))
        }));
        let schemas = members(&group["components"]["schemas"]).into_iter();
        definitions.extend(schemas.map(|(name, schema)| (name, self::schema(schema))));
    }
    json!({"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions})
}

/// A document in protobuf.
pub(super) fn encoded(document: &Value) -> Vec<u8> {
    protobuf::encoded(document)
}

fn operation(mut operation: Value) -> Value {
    let mut parameters: Vec<Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .cloned()
        .map(parameter)
        .collect();
    let body = operation
        .as_object_mut()
        .and_then(|members| members.shift_remove("requestBody"));
    if let Some(body) = body {
        let (media, schema) = content(&body);
        parameters.push(json!({
            "name": "body", "in": "body", "required": body["required"], "schema": schema,
        }));
        operation["consumes"] = media;
    }
    operation["parameters"] = Value::Array(parameters);
    let mut produces = json!(["application/json"]);
    // One failure stands for all of them.
    if let Some(responses) = operation["responses"].as_object_mut() {
        let described = responses.len();
        responses.retain(|_, response| response.get("$ref").is_none());
        if responses.len() < described {
            responses.insert("default".to_owned(), failures::any());
        }
    }
    for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let (media, schema) = content(response);
        if media != json!([]) {
            produces = media;
        }
        *response = json!({"description": response["description"], "schema": schema});
    }
    operation["produces"] = produces;
    operation
}

/// In v2 a parameter is its own schema.
fn parameter(mut parameter: Value) -> Value {
    if let Some(members) = parameter.as_object_mut()
        && let Some(Value::Object(schema)) = members.shift_remove("schema")
    {
        members.extend(schema);
    }
    parameter
}

/// The media types of a body, and the schema of the first.
fn content(body: &Value) -> (Value, Value) {
    let forms = body["content"].as_object();
    let media: Vec<&String> = forms.into_iter().flatten().map(|(media, _)| media).collect();
    let first = forms.and_then(|forms| forms.values().next());
    let described = first.map(|form| form["schema"].clone()).unwrap_or_default();
    // Of several that it may be, v2 can name one.
    let described = match described["anyOf"].as_array().and_then(|all| all.first()) {
        Some(one) => one.clone(),
        None => described,
    };
    (json!(media), schema(described))
}

fn schema(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members
                .into_iter()
                .filter(|(name, _)| !UNKNOWN.contains(&name.as_str()));
            let members = members.map(|(name, member)| match (name.as_str(), member) {
                ("$ref", Value::String(path)) => (
                    name,
                    Value::String(path.replace("#/components/schemas/", "#/definitions/")),
                ),
                (_, member) => (name, schema(member)),
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.into_iter().map(schema).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_told_in_the_words_of_v2() {
        let three = json!({
            "info": {"title": "x", "version": "1"},
            "paths": {"/teams": {"patch": {
                "parameters": [{"name": "dryRun", "in": "query", "schema": {"type": "string"}}],
                "requestBody": {"required": true, "content": {"application/merge-patch+json": {"schema": {"type": "object"}}}},
                "responses": {"200": {"description": "It.", "content": {"application/json": {"schema": {
                    "anyOf": [{"$ref": "#/components/schemas/Team"}, {"type": "string"}],
                }}}}, "404": {"$ref": "#/components/responses/NotFound"}},
            }}},
            "components": {"schemas": {"Team": {"type": "object", "nullable": true}}},
        });
        let two = document(std::iter::once(&three));
        let status = super::super::schemas::status();
        assert_eq!(
            two,
            json!({
                "swagger": "2.0",
                "info": {"title": "x", "version": "1"},
                "paths": {"/teams": {"patch": {
                    "parameters": [
                        {"name": "dryRun", "in": "query", "type": "string"},
                        {"name": "body", "in": "body", "required": true, "schema": {"type": "object"}},
                    ],
                    "responses": {
                        "200": {"description": "It.", "schema": {"$ref": "#/definitions/Team"}},
                        "default": {"description": "What went wrong.", "schema": {"$ref": format!("#/definitions/{status}")}},
                    },
                    "consumes": ["application/merge-patch+json"],
                    "produces": ["application/json"],
                }}},
                "definitions": {"Team": {"type": "object"}},
            })
        );
    }
}
