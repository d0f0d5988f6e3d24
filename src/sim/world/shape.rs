//! What a request's JSON becomes on its way through the engine: unknown fields are dropped, fields get the
//! engine's order, what is empty is left out where the engine leaves it out.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What the engine reads at one place.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    Flag,
    Int,
    Uint,
    Uint32,
    Float,
    /// Kept as it is.
    Any,
    /// Text by name.
    Map,
    List(&'static Shape),
    Struct(&'static str, &'static [Field]),
}

/// One field of a structure.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) keep: Keep,
}

/// When a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Unless it is empty.
    Full,
    /// When it was given, empty or not.
    Given,
    /// Always; without a value, with its empty one.
    Always,
}

/// Reads `value` as a `shape`; `None` when it is null.
///
/// # Errors
/// The engine's complaint about a value of another type.
pub(crate) fn shaped(shape: &Shape, value: &Value) -> Result<Option<Value>, Refusal> {
    read(shape, value, "", "")
}

fn read(shape: &Shape, value: &Value, owner: &str, path: &str) -> Result<Option<Value>, Refusal> {
    let fits = match (shape, value) {
        (_, Value::Null) => return Ok(None),
        (Shape::List(item), Value::Array(values)) => {
            let items: Result<Vec<Value>, Refusal> = values
                .iter()
                .map(|value| Ok(read(item, value, owner, path)?.unwrap_or_else(|| empty(item))))
                .collect();
            return Ok(Some(Value::Array(items?)));
        }
        (Shape::Struct(name, fields), Value::Object(object)) => {
            return structure(name, fields, object, path).map(|object| Some(Value::Object(object)));
        }
        (Shape::Map, Value::Object(object)) => {
            let mut sorted: Vec<(&String, &Value)> = object.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            let text = |(key, value): (&String, &Value)| {
                let text = read(&Shape::Text, value, owner, path)?;
                Ok((key.clone(), text.unwrap_or_else(|| empty(&Shape::Text))))
            };
            let map: Result<Map<String, Value>, Refusal> = sorted.into_iter().map(text).collect();
            return Ok(Some(Value::Object(map?)));
        }
        (Shape::Any, _) => true,
        (Shape::Text, value) => value.is_string(),
        (Shape::Flag, value) => value.is_boolean(),
        (Shape::Int, value) => value.is_i64(),
        (Shape::Uint, value) => value.is_u64(),
        (Shape::Uint32, value) => value.as_u64().is_some_and(|number| u32::try_from(number).is_ok()),
        (Shape::Float, value) => value.is_number(),
        _ => false,
    };
    if fits {
        Ok(Some(value.clone()))
    } else {
        Err(mismatch(shape, value, owner, path))
    }
}

fn structure(
    name: &str,
    fields: &[Field],
    object: &Map<String, Value>,
    path: &str,
) -> Result<Map<String, Value>, Refusal> {
    let mut out = Map::new();
    for Field {
        name: key,
        shape,
        keep,
    } in fields
    {
        let inner = if path.is_empty() {
            (*key).to_owned()
        } else {
            format!("{path}.{key}")
        };
        let found = match object.get(*key) {
            Some(value) => read(shape, value, name, &inner)?,
            None => None,
        };
        let value = match (found, keep) {
            (Some(value), Keep::Full) if is_empty(shape, &value) => None,
            (None, Keep::Always) => Some(empty(shape)),
            (found, _) => found,
        };
        if let Some(value) = value {
            out.insert((*key).to_owned(), value);
        }
    }
    Ok(out)
}

fn is_empty(shape: &Shape, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => matches!(shape, Shape::Map) && object.is_empty(),
    }
}

fn empty(shape: &Shape) -> Value {
    match shape {
        Shape::Text => Value::from(""),
        Shape::Flag => Value::Bool(false),
        Shape::Int | Shape::Uint | Shape::Uint32 | Shape::Float => Value::from(0),
        Shape::Any | Shape::List(_) => Value::Null,
        Shape::Map => Value::Object(Map::new()),
        Shape::Struct(name, fields) => {
            structure(name, fields, &Map::new(), "").map_or(Value::Null, Value::Object)
        }
    }
}

fn mismatch(shape: &Shape, value: &Value, owner: &str, path: &str) -> Refusal {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) => match shape {
            Shape::Int | Shape::Uint | Shape::Uint32 => format!("number {number}"),
            _ => "number".to_owned(),
        },
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    let wanted = match shape {
        Shape::Text => "string",
        Shape::Flag => "bool",
        Shape::Int => "int64",
        Shape::Uint => "uint64",
        Shape::Uint32 => "uint32",
        Shape::Float => "float32",
        Shape::Any => "interface {}",
        Shape::Map => "map[string]string",
        Shape::List(_) => "[]string",
        Shape::Struct(name, _) => name,
    };
    Refusal::new(
        400,
        format!("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"),
    )
}
