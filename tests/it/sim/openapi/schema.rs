//! Whether a value is as a schema says: its type, its words, what must be there, and what nobody knows.
//!
//! Of JSON schemas, only what the engine's documents use.

use serde_json::{Map, Value};

/// The definitions of a document.
pub(super) struct Schemas {
    definitions: Value,
}

impl Schemas {
    pub(super) fn new(definitions: Value) -> Self {
        Self { definitions }
    }

    /// What is wrong, each with its place; places in lists and maps are `*`.
    pub(super) fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "", &mut faults);
        faults.sort();
        faults.dedup();
        faults
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let parts = self.parts(schema);
        let say = |name: &str| parts.iter().find_map(|part| part.get(name));
        if value.is_null() {
            let may = say("x-nullable") == Some(&Value::Bool(true)) || say("type").is_none();
            if !may {
                faults.push(format!("{at}: is null"));
            }
            return;
        }
        if let Some(kind) = say("type").and_then(Value::as_str)
            && !is_of(kind, value)
        {
            faults.push(format!("{at}: is no {kind}"));
            return;
        }
        if let Some(words) = say("enum").and_then(Value::as_array)
            && !words.contains(value)
        {
            faults.push(format!("{at}: cannot be {value}"));
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    self.check(
                        say("items").unwrap_or(&Value::Null),
                        item,
                        &format!("{at}/*"),
                        faults,
                    );
                }
            }
            Value::Object(object) => self.check_object(&parts, object, at, faults),
            _ => {}
        }
    }

    fn check_object(
        &self,
        parts: &[&Map<String, Value>],
        object: &Map<String, Value>,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        let named = |name: &str| parts.iter().find_map(|part| part.get("properties")?.get(name));
        let others = parts.iter().find_map(|part| part.get("additionalProperties"));
        let is_open = parts.iter().all(|part| !part.contains_key("properties"));
        for (name, value) in object {
            match (named(name), others) {
                (Some(schema), _) => self.check(schema, value, &format!("{at}/{name}"), faults),
                (None, Some(schema)) => self.check(schema, value, &format!("{at}/*"), faults),
                (None, None) if is_open => {}
                (None, None) => faults.push(format!("{at}/{name}: is unknown")),
            }
        }
        let required = parts.iter().filter_map(|part| part.get("required")?.as_array());
        for name in required.flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                faults.push(format!("{at}/{name}: is missing"));
            }
        }
    }

    /// A schema with all that it refers to and consists of.
    fn parts<'a>(&'a self, schema: &'a Value) -> Vec<&'a Map<String, Value>> {
        let Some(object) = schema.as_object() else {
            return Vec::new();
        };
        let mut parts = vec![object];
        if let Some(name) = object.get("$ref").and_then(Value::as_str) {
            let name = name.strip_prefix("#/definitions/").unwrap();
            let definition = self.definitions.get(name);
            parts.extend(self.parts(definition.unwrap_or_else(|| panic!("{name} is not defined"))));
        }
        for part in object
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            parts.extend(self.parts(part));
        }
        parts
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn faults_are_found_and_placed() {
    use serde_json::json;
    let schemas = Schemas::new(json!({
        "Thing": {
            "type": "object",
            "required": ["Name"],
            "properties": {
                "Name": {"type": "string"},
                "State": {"type": "string", "enum": ["new", "old"]},
                "Labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "Parts": {"type": "array", "items": {"$ref": "#/definitions/Thing"}},
                "Owner": {"type": "string", "x-nullable": true},
            },
        },
        "More": {"allOf": [{"$ref": "#/definitions/Thing"}, {"properties": {"Size": {"type": "integer"}}}]},
    }));
    let thing = json!({"$ref": "#/definitions/More"});
    for (value, expect) in [
        (
            json!({"Name": "a", "State": "new", "Labels": {"a": "b"}, "Owner": null, "Size": 1}),
            vec![],
        ),
        (
            json!({"State": "odd"}),
            vec!["/Name: is missing", "/State: cannot be \"odd\""],
        ),
        (
            json!({"Name": null, "Bogus": 1}),
            vec!["/Bogus: is unknown", "/Name: is null"],
        ),
        (
            json!({"Name": "a", "Parts": [{"Name": 1}], "Size": 1.5}),
            vec!["/Parts/*/Name: is no string", "/Size: is no integer"],
        ),
        (
            json!({"Name": "a", "Labels": {"a": 1}}),
            vec!["/Labels/*: is no string"],
        ),
        (json!([]), vec![": is no object"]),
    ] {
        assert_eq!(schemas.faults(&thing, &value), expect, "{value}");
    }
}
