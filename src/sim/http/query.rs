//! The part of a request behind its path: parameters, and among them the engine's filters.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::sim::world::model::Labels;
use crate::sim::world::refusal::Refusal;

/// Parameters by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let values = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        });
        Self {
            values: values.collect(),
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// As the engine reads truth: anything but these words.
    pub(crate) fn flag(&self, name: &str) -> bool {
        !matches!(
            self.text(name).trim().to_ascii_lowercase().as_str(),
            "" | "0" | "no" | "false" | "none"
        )
    }

    /// The version that a change of an object was planned from.
    pub(crate) fn version(&self, kind: &str) -> Result<u64, Refusal> {
        let text = self.text("version");
        text.parse().map_err(|_| {
            Refusal::new(
                400,
                format!(
                    "invalid {kind} version '{text}': strconv.ParseUint: parsing {text:?}: invalid syntax"
                ),
            )
        })
    }

    /// The filters, of which only `known` may be there.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<Filters, Refusal> {
        let filters = self.any_filters()?;
        match filters
            .by_name
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            Some(name) => Err(Refusal::new(400, format!("Invalid filter '{name}'"))),
            None => Ok(filters),
        }
    }

    /// The filters, whatever they are.
    pub(crate) fn any_filters(&self) -> Result<Filters, Refusal> {
        let text = self.text("filters");
        if text.is_empty() {
            return Ok(Filters::default());
        }
        let parsed: Value = serde_json::from_str(text).map_err(|error| {
            let first = text.trim_start().chars().next().unwrap_or_default();
            let message = if error.is_eof() {
                "unexpected end of JSON input".to_owned()
            } else {
                format!("invalid character '{first}' looking for beginning of value")
            };
            Refusal::new(500, message)
        })?;
        let by_name = match (Lists::deserialize(&parsed), Sets::deserialize(&parsed)) {
            (_, Ok(sets)) => sets.unwrap_or_default().into_iter().map(wanted).collect(),
            (Ok(lists), _) => {
                let lists = lists.into_iter();
                lists
                    .map(|(name, list)| (name, list.unwrap_or_default()))
                    .collect()
            }
            _ => return Err(Refusal::new(500, mismatch(&parsed))),
        };
        Ok(Filters { by_name })
    }
}

/// Filters as clients wrote them once.
type Lists = BTreeMap<String, Option<Vec<String>>>;
/// And as they do now: values, each with `true`; `null` is none.
type Sets = Option<BTreeMap<String, Option<BTreeMap<String, bool>>>>;

fn wanted((name, set): (String, Option<BTreeMap<String, bool>>)) -> (String, Vec<String>) {
    let wanted = set.into_iter().flatten().filter(|(_, is_wanted)| *is_wanted);
    (name, wanted.map(|(value, _)| value).collect())
}

/// The engine's complaint about filters that are no sets.
fn mismatch(filters: &Value) -> String {
    let complain = |found: &Value, wanted: &str| {
        let found = match found {
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Null | Value::Object(_) => "object",
        };
        format!("json: cannot unmarshal {found} into Go value of type {wanted}")
    };
    let Value::Object(filters) = filters else {
        return complain(filters, "map[string]map[string]bool");
    };
    let no_set = filters.values().find(|set| !(set.is_object() || set.is_null()));
    let mut values = filters
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::values);
    match (no_set, values.find(|value| !value.is_boolean())) {
        (Some(found), _) => complain(found, "map[string]bool"),
        (None, found) => complain(found.unwrap_or(&Value::Null), "bool"),
    }
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters {
    by_name: BTreeMap<String, Vec<String>>,
}

impl Filters {
    pub(crate) fn values(&self, name: &str) -> &[String] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one value of a filter that is true or false.
    pub(crate) fn truth(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.values(name) {
            [] => Ok(None),
            [one] => match one.as_str() {
                "1" | "true" => Ok(Some(true)),
                "0" | "false" => Ok(Some(false)),
                _ => Err(Refusal::new(
                    400,
                    format!(
                        "invalid value for filter '{name}', must be \"true\" (or \"1\"), or \"false\" (or \"0\")"
                    ),
                )),
            },
            _ => Err(Refusal::new(
                400,
                format!("got more than one value for filter key {name:?}"),
            )),
        }
    }

    pub(crate) fn any(&self, name: &str, fits: impl Fn(&str) -> bool) -> bool {
        let values = self.values(name);
        values.is_empty() || values.iter().any(|value| fits(value))
    }

    /// Whether a value begins with one of those wanted.
    pub(crate) fn starts(&self, name: &str, value: &str) -> bool {
        self.any(name, |wanted| value.starts_with(wanted))
    }

    /// Whether a value is one of those wanted.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.any(name, |wanted| value == wanted)
    }

    /// Whether labels hold all that are wanted: `key`, or `key=value`.
    pub(crate) fn labels(&self, name: &str, labels: &Labels) -> bool {
        self.values(name)
            .iter()
            .all(|wanted| match wanted.split_once('=') {
                Some((key, "")) => labels.contains_key(key),
                Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
                None => labels.contains_key(wanted),
            })
    }
}

/// Takes the percent signs out of a part of an address.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[2..];
            }
            None if byte == b'+' && plus_is_space => bytes.push(b' '),
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_come_in_two_forms() {
        let labels = Labels::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        for (filters, expect) in [
            (r#"{"label":["a"]}"#, Ok(true)),
            (r#"{"label":["a=1","b"]}"#, Ok(true)),
            (r#"{"label":["a=2"]}"#, Ok(false)),
            (r#"{"label":{"a=1":true}}"#, Ok(true)),
            (r#"{"label":{"c":true,"a":true}}"#, Ok(false)),
            (r#"{"label":{"c":false}}"#, Ok(true)),
            (r#"{"bogus":["a"]}"#, Err("Invalid filter 'bogus'".to_owned())),
        ] {
            let escaped: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let found = Query::read(&format!("x=1&filters={escaped}")).filters(&["label"]);
            let found = found
                .map(|filters| filters.labels("label", &labels))
                .map_err(|refusal| refusal.message);
            assert_eq!(found, expect, "{filters}");
        }
    }
}
