//! Walks a JSON value along its structural schema and finds every place where they differ.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::crd;
use super::duration::Duration;
use super::kind::Kind;
use super::nearest;
use super::path;
use super::validate::{Cause, CauseReason};

/// The schema of a top-level member of a kind: `spec` or `status`; for the `metadata` of all, see [`metadata`].
pub fn member(kind: Kind, name: &str) -> Option<&'static JSONSchemaProps> {
    kind.schema()?.properties.as_ref()?.get(name)
}

/// The schema of Kubernetes' ObjectMeta, which a definition leaves out.
pub fn metadata() -> Option<&'static JSONSchemaProps> {
    static METADATA: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(of_type::<ObjectMeta>);
    METADATA.as_ref()
}

/// The schema of Kubernetes' Scale, which many kinds have as a subresource.
pub fn scale() -> Option<&'static JSONSchemaProps> {
    static SCALE: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(of_type::<Scale>);
    SCALE.as_ref()
}

fn of_type<T: JsonSchema>() -> Option<JSONSchemaProps> {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = serde_json::from_value(schema.to_value()).ok()?;
    crd::tidy(&mut schema);
    Some(schema)
}

/// The schema of the items of a list.
pub fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The members that tell the items of a list apart; none of a list that is no map.
pub fn keys(schema: &JSONSchemaProps) -> &[String] {
    match schema.x_kubernetes_list_type.as_deref() {
        Some("map") => schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default(),
        _ => &[],
    }
}

/// What tells an item apart in a list whose schema names the members that do: their values, or the defaults of those that it
/// leaves out. `None` where one is missing.
pub fn told_apart(schema: &JSONSchemaProps, item: &Value) -> Option<Map<String, Value>> {
    let default = |key: &String| {
        let member = items(schema)?.properties.as_ref()?.get(key)?;
        Some(member.default.as_ref()?.0.clone())
    };
    let value = |key: &String| item.get(key).cloned().or_else(|| default(key));
    let members = keys(schema).iter().map(|key| Some((key.clone(), value(key)?)));
    members.collect()
}

/// What is told of an item, for people: its text, or its members by name where there are several.
fn shown(told: &Value) -> Option<String> {
    match told {
        Value::String(text) => Some(quoted(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(members) if members.len() == 1 => shown(members.values().next()?),
        Value::Object(members) => {
            let all = members
                .iter()
                .map(|(name, value)| Some(format!("{name} {}", shown(value)?)));
            Some(all.collect::<Option<Vec<String>>>()?.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// The schema of the values of a map with free keys.
pub fn values(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(values) => Some(values),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// The schema of a member of an object: a property, or any value of a map with free keys.
pub fn described<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    let named = schema
        .properties
        .as_ref()
        .and_then(|properties| properties.get(name));
    named.or_else(|| values(schema))
}

/// What a schema says of the member of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Member<'a> {
    /// How it must be.
    Described(&'a JSONSchemaProps),
    /// It may be there, and be anything.
    Free,
    /// There is no such member.
    Unknown,
}

/// What the schema of an object says of a member.
pub(super) fn of_member<'a>(schema: &'a JSONSchemaProps, name: &str) -> Member<'a> {
    let known = schema.properties.as_ref().filter(|known| !known.is_empty());
    match described(schema, name) {
        Some(schema) => Member::Described(schema),
        None if known.is_none() || schema.x_kubernetes_preserve_unknown_fields == Some(true) => Member::Free,
        None => Member::Unknown,
    }
}

/// Adds to `causes` every difference between `value`, which stands at `path`, and its schema.
pub fn check(value: &Value, schema: &JSONSchemaProps, path: &str, causes: &mut Vec<Cause>) {
    Walk { causes }.value(value, schema, path);
}

/// What of `value` fits its schema; `None` when it does not fit at all.
///
/// Members that do not fit are left out, and so is an object that lacks a required member then.
pub(super) fn fitting(value: &Value, schema: &JSONSchemaProps) -> Option<Value> {
    match (schema.type_.as_deref(), value) {
        (Some("object"), Value::Object(members)) => {
            let properties = schema.properties.as_ref()?;
            let fit = |(name, member): (&String, &Value)| {
                Some((name.clone(), fitting(member, properties.get(name)?)?))
            };
            let fitted: Map<String, Value> = members.iter().filter_map(fit).collect();
            let complete = schema
                .required
                .iter()
                .flatten()
                .all(|name| fitted.contains_key(name));
            complete.then_some(Value::Object(fitted))
        }
        (Some("array"), Value::Array(list)) => {
            let items = items(schema)?;
            Some(list.iter().filter_map(|item| fitting(item, items)).collect())
        }
        _ => {
            let mut causes = Vec::new();
            check(value, schema, "", &mut causes);
            causes.is_empty().then(|| value.clone())
        }
    }
}

struct Walk<'a> {
    causes: &'a mut Vec<Cause>,
}

impl Walk<'_> {
    fn add(&mut self, path: &str, reason: CauseReason, message: impl Into<String>) {
        self.causes.push(Cause::new(path, reason, message));
    }

    fn value(&mut self, value: &Value, schema: &JSONSchemaProps, path: &str) {
        if schema.x_kubernetes_int_or_string == Some(true) {
            match value {
                // As in Kubernetes: who reads it by its type expects no other number.
                Value::Number(number) if number.is_f64() => {
                    let message =
                        format!("must be a whole number or a string, got {number}: write \"{number}\"");
                    self.add(path, CauseReason::TypeInvalid, message);
                }
                Value::Number(_) | Value::String(_) => {}
                _ => self.wrong_type(value, "a string or a whole number", path),
            }
            return;
        }
        match (schema.type_.as_deref(), value) {
            (Some("object"), Value::Object(members)) => self.object(members, schema, path),
            (Some("array"), Value::Array(list)) => self.list(list, schema, path),
            (Some("string"), Value::String(text)) => self.text(text, schema, path),
            (Some("integer"), Value::Number(_)) => self.integer(value, schema, path),
            (Some("number"), Value::Number(_)) | (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some("string"), _) if schema.format.as_deref() == Some("duration") => {
                self.wrong_type(value, "a duration like \"60s\"", path);
            }
            (Some(expected), _) => self.wrong_type(value, article(expected), path),
        }
    }

    fn wrong_type(&mut self, value: &Value, expected: &str, path: &str) {
        let advice = match value {
            Value::Bool(_) | Value::Number(_) if expected == "a string" => ": put it in quotes",
            Value::String(text) if is_bare(text, expected) => ": write it without quotes",
            _ => "",
        };
        let message = format!("must be {expected}, got {}{advice}", found(value));
        self.add(path, CauseReason::TypeInvalid, message);
    }

    fn object(&mut self, members: &Map<String, Value>, schema: &JSONSchemaProps, path: &str) {
        for name in schema.required.iter().flatten() {
            if !members.contains_key(name) {
                self.add(&path::field(path, name), CauseReason::Required, "is required");
            }
        }
        for (name, value) in members {
            let at = path::field(path, name);
            self.no_nul(name, &at);
            match of_member(schema, name) {
                Member::Described(schema) => self.value(value, schema, &at),
                Member::Free => {}
                Member::Unknown => self.unknown(name, schema, &at),
            }
        }
    }

    fn unknown(&mut self, name: &str, schema: &JSONSchemaProps, path: &str) {
        let names = || schema.properties.iter().flatten().map(|(name, _)| name.as_str());
        let message = match nearest::nearest(name, names()) {
            Some(near) => format!("unknown field (did you mean \"{near}\"?)"),
            None => format!(
                "unknown field; known here: {}",
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        self.add(path, CauseReason::Unknown, message);
    }

    fn list(&mut self, list: &[Value], schema: &JSONSchemaProps, path: &str) {
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        if let Some(least) = schema.min_items.filter(|least| length < *least) {
            let message = format!("must have at least {least} {}", plural(least, "item"));
            self.add(path, CauseReason::Required, message);
        }
        if let Some(most) = schema.max_items.filter(|most| length > *most) {
            let message = format!("must have at most {most} {}, got {length}", plural(most, "item"));
            self.add(path, CauseReason::TooLong, message);
        }
        if let Some(items) = items(schema) {
            for (index, item) in list.iter().enumerate() {
                self.value(item, items, &path::item(path, index));
            }
        }
        match schema.x_kubernetes_list_type.as_deref() {
            Some("map") => {
                let told = |item: &Value| told_apart(schema, item).map(Value::Object);
                let at = |index| match keys(schema) {
                    [key] => path::field(&path::item(path, index), key),
                    _ => path::item(path, index),
                };
                self.unique(list, told, at);
            }
            Some("set") => self.unique(list, |item| Some(item.clone()), |index| path::item(path, index)),
            _ => {}
        }
    }

    /// Refuses items of which the same is told; what is told of one that cannot be shown is wrong by itself.
    fn unique(
        &mut self,
        list: &[Value],
        told: impl Fn(&Value) -> Option<Value>,
        at: impl Fn(usize) -> String,
    ) {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in list.iter().enumerate() {
            let told = told(item).and_then(|told| Some((shown(&told)?, told.to_string())));
            let Some((shown, told)) = told else {
                continue;
            };
            match first.get(&told) {
                Some(before) => {
                    let message = format!("duplicate {shown}; it is at {} already", at(*before));
                    self.add(&at(index), CauseReason::Duplicate, message);
                }
                None => drop(first.insert(told, index)),
            }
        }
    }

    fn text(&mut self, text: &str, schema: &JSONSchemaProps, path: &str) {
        self.no_nul(text, path);
        if let Some(allowed) = &schema.enum_ {
            let allowed: Vec<&str> = allowed.iter().filter_map(|value| value.0.as_str()).collect();
            if !allowed.contains(&text) {
                let hint = nearest::hint(text, allowed.iter().copied());
                let list: Vec<String> = allowed.iter().map(|word| quoted(word)).collect();
                let message = format!("must be one of {}, got {}{hint}", list.join(", "), quoted(text));
                self.add(path, CauseReason::NotSupported, message);
            }
        }
        match schema.format.as_deref() {
            Some("duration") => {
                if let Err(error) = text.parse::<Duration>() {
                    self.add(path, CauseReason::Invalid, error.to_string());
                }
            }
            Some("date-time") if text.parse::<Timestamp>().is_err() => {
                let message = format!(
                    "must be a time like \"2026-03-01T10:00:00Z\", got {}",
                    quoted(text)
                );
                self.add(path, CauseReason::Invalid, message);
            }
            _ => {}
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(least) = schema.min_length.filter(|least| length < *least) {
            let message = format!(
                "must have at least {least} {}, got {length}",
                plural(least, "character")
            );
            self.add(path, CauseReason::Invalid, message);
        }
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            let message = format!(
                "must have at most {most} {}, got {length}",
                plural(most, "character")
            );
            self.add(path, CauseReason::TooLong, message);
        }
    }

    /// Neither the store nor an environment can hold a NUL.
    fn no_nul(&mut self, text: &str, path: &str) {
        if text.contains('\0') {
            self.add(path, CauseReason::Invalid, "must not contain a NUL character");
        }
    }

    fn integer(&mut self, value: &Value, schema: &JSONSchemaProps, path: &str) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let low = schema.minimum.is_some_and(|least| number < least);
        let high = schema.maximum.is_some_and(|most| number > most);
        if low || high {
            let bounds = match (schema.minimum, schema.maximum) {
                (Some(least), Some(most)) => format!("between {least} and {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, most) => format!("at most {}", most.unwrap_or_default()),
            };
            self.add(
                path,
                CauseReason::Invalid,
                format!("must be {bounds}, got {value}"),
            );
        } else if value.is_f64() {
            self.add(
                path,
                CauseReason::TypeInvalid,
                format!("must be a whole number, got {value}"),
            );
        }
    }
}

fn article(type_: &str) -> &'static str {
    match type_ {
        "object" => "an object",
        "array" => "a list",
        "string" => "a string",
        "integer" => "a whole number",
        "boolean" => "true or false",
        _ => "a number",
    }
}

/// Whether a text without its quotes would be what is expected.
fn is_bare(text: &str, expected: &str) -> bool {
    match expected {
        "a whole number" | "a number" => text.parse::<i64>().is_ok(),
        "true or false" => text == "true" || text == "false",
        _ => false,
    }
}

/// What a value is. Not the value itself: it might be a secret in the wrong place.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "the boolean true",
        Value::Bool(false) => "the boolean false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn plural(count: i64, noun: &str) -> String {
    if count == 1 {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}

/// `text` in quotes, cut when it is long: a message is a line.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let printable = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let head: String = text.chars().take(LONGEST).map(printable).collect();
    let more = if text.chars().nth(LONGEST).is_some() {
        "…"
    } else {
        ""
    };
    format!("\"{head}{more}\"")
}
