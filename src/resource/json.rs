//! JSON in, with what its usual reader keeps to itself: members that are there twice. The last one counts.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::path;

/// How many members that are there twice are told: more help nobody.
const REPEATED_MAX: usize = 100;

/// A JSON text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The paths of members that are there more than once, such as `spec.replicas`.
    pub repeated: Vec<String>,
}

/// Reads one JSON value.
///
/// # Errors
/// When the text is not valid JSON, or goes on behind the value.
pub fn parse(text: &[u8]) -> serde_json::Result<Document> {
    let mut repeated = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let root = Reader {
        at: &At::Root,
        repeated: &mut repeated,
    };
    let value = root.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Document { value, repeated })
}

/// A place in the text; it is written out only when something is to be told of it.
enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn path(&self) -> String {
        match self {
            At::Root => String::new(),
            At::Member(of, name) => path::field(&of.path(), name),
            At::Item(of, index) => path::item(&of.path(), *index),
        }
    }
}

/// Reads the value at a place.
struct Reader<'a, 'r> {
    at: &'a At<'a>,
    repeated: &'r mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let at = At::Item(self.at, list.len());
            let item = Reader {
                at: &at,
                repeated: &mut *self.repeated,
            };
            match items.next_element_seed(item)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let at = At::Member(self.at, &name);
            if object.contains_key(&name) && self.repeated.len() < REPEATED_MAX {
                self.repeated.push(at.path());
            }
            let member = members.next_value_seed(Reader {
                at: &at,
                repeated: &mut *self.repeated,
            })?;
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_are_there_twice_are_told_and_the_last_one_counts() {
        let text = br#"{"spec": {"replicas": 1, "roles": [{"name": "a", "name": "b"}], "replicas": 2.5}, "a.b/c": 1, "a.b/c": 2}"#;
        let read = parse(text).unwrap();
        assert_eq!(
            read.value,
            json!({"spec": {"replicas": 2.5, "roles": [{"name": "b"}]}, "a.b/c": 2})
        );
        assert_eq!(read.repeated, ["spec.roles[0].name", "spec.replicas", "[a.b/c]"]);
        let many = format!("{{{}\"a\": 1}}", "\"a\": 1, ".repeat(1_000));
        assert_eq!(parse(many.as_bytes()).unwrap().repeated.len(), REPEATED_MAX);
    }

    #[test]
    fn everything_is_read_as_the_usual_reader_does() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1e3",
            "\"\\u00e9\\n\"",
            "[]",
            "{}",
            "[1, [2, {\"a\": null}]]",
            "",
            "{",
            "[1,]",
            "1 2",
            "1e999",
            "nan",
            "\"\\ud800\"",
        ] {
            let usual: serde_json::Result<Value> = serde_json::from_str(text);
            match (parse(text.as_bytes()), usual) {
                (Ok(read), Ok(usual)) => assert_eq!(read.value, usual, "{text}"),
                (Err(error), Err(usual)) => assert_eq!(error.to_string(), usual.to_string()),
                (read, usual) => panic!("{text}: {read:?} {usual:?}"),
            }
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
