//! Finds in a file what the operator says of a whole object: a file may hold a part of it, and lists are longer there.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::resource::{path, schema};

/// Where a field of the whole stands in a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path in the part, or that of the nearest value that holds it.
    pub(super) path: String,
    /// Whether it is there itself.
    pub(super) is_there: bool,
}

/// Finds `field` of `whole` in `part`. Items of lists are found by what tells them apart, whether the operator names them
/// by their place (`spec.roles[3].replicas`) or by their keys (`.spec.roles[name="lead"].replicas`).
pub(super) fn find(field: &str, part: &Value, whole: &Value, schema: Option<&JSONSchemaProps>) -> Found {
    let mut here = Here {
        path: String::new(),
        part,
        whole: Some(whole),
        schema,
    };
    let mut rest = field;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let Some((next, after)) = here.step(rest) else {
            return Found {
                path: here.path,
                is_there: false,
            };
        };
        (here, rest) = (next, after);
    }
    Found {
        path: here.path,
        is_there: true,
    }
}

/// A value of the part, beside the same one of the whole.
struct Here<'a> {
    path: String,
    part: &'a Value,
    whole: Option<&'a Value>,
    schema: Option<&'a JSONSchemaProps>,
}

impl<'a> Here<'a> {
    /// One segment down, and the rest of the path; `None` when the part does not go there.
    fn step<'p>(&self, rest: &'p str) -> Option<(Self, &'p str)> {
        match self.part {
            Value::Object(_) => self.member(rest),
            Value::Array(items) => self.item(items, rest),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn member<'p>(&self, rest: &'p str) -> Option<(Self, &'p str)> {
        let after = |name: &str| {
            let written = [name.to_owned(), path::segment(name)];
            let after = written.iter().find_map(|name| rest.strip_prefix(name.as_str()));
            after.filter(|after| after.is_empty() || after.starts_with(['.', '[']))
        };
        let members = self.part.as_object()?.iter();
        // Keys may hold dots: the longest that fits is meant.
        let (name, part, after) = members
            .filter_map(|(name, part)| Some((name, part, after(name)?)))
            .max_by_key(|(name, ..)| name.len())?;
        let below = Self {
            path: path::field(&self.path, name),
            part,
            whole: self.whole.and_then(|whole| whole.get(name)),
            schema: self.schema.and_then(|schema| schema::described(schema, name)),
        };
        Some((below, after))
    }

    fn item<'p>(&self, items: &'a [Value], rest: &'p str) -> Option<(Self, &'p str)> {
        let by_keys = |(at, item): (usize, &Value)| {
            let after = rest
                .strip_prefix('[')?
                .strip_prefix(told_apart(item, self.schema).as_str())?;
            Some((at, after.strip_prefix(']')?))
        };
        let by_place = || {
            let (number, after) = rest.strip_prefix('[')?.split_once(']')?;
            let number: usize = number.parse().ok()?;
            let meant = told_apart(self.whole?.get(number)?, self.schema);
            let is_meant = |at: &usize| {
                items
                    .get(*at)
                    .is_some_and(|item| told_apart(item, self.schema) == meant)
            };
            // Of several that are the same, the one at the same place.
            let at = Some(number)
                .filter(is_meant)
                .or_else(|| (0..items.len()).find(is_meant))?;
            Some((at, after))
        };
        let (at, after) = items.iter().enumerate().find_map(by_keys).or_else(by_place)?;
        let part = &items[at];
        let whole = self.whole.and_then(Value::as_array);
        let meant = told_apart(part, self.schema);
        let below = Self {
            path: path::item(&self.path, at),
            part,
            whole: whole.and_then(|items| items.iter().find(|item| told_apart(item, self.schema) == meant)),
            schema: self.schema.and_then(schema::items),
        };
        Some((below, after))
    }
}

/// What tells an item apart, as the operator writes it: `name="lead"`; of items without keys, all that they are.
fn told_apart(item: &Value, schema: Option<&JSONSchemaProps>) -> String {
    let told = schema.and_then(|schema| schema::told_apart(schema, item));
    let members = told.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    match members.collect::<Vec<String>>().as_slice() {
        [] => format!("={item}"),
        members => members.join(","),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Kind;

    #[test]
    fn what_is_said_of_the_whole_is_found_in_its_part() {
        let part = json!({
            "metadata": {"name": "x", "labels": {"a.b/c": "1"}},
            "spec": {"roles": [
                {"name": "dev", "agent": {"env": [{"name": "B", "value": "2"}], "args": ["x", "x"]}},
            ]},
        });
        let whole = json!({
            "metadata": {"name": "x", "labels": {"a.b/c": "1"}},
            "spec": {"replicas": 2, "roles": [
                {"name": "lead"},
                {"name": "dev", "replicas": 2, "agent": {
                    "env": [{"name": "A"}, {"name": "B", "value": "2"}], "args": ["x", "x"]}},
            ]},
        });
        for (field, path, is_there) in [
            ("", "", true),
            ("spec.roles[1].name", "spec.roles[0].name", true),
            (
                "spec.roles[1].agent.env[1].value",
                "spec.roles[0].agent.env[0].value",
                true,
            ),
            ("spec.roles[1].agent.args[1]", "spec.roles[0].agent.args[1]", true),
            (
                ".spec.roles[name=\"dev\"].agent.env[name=\"B\"]",
                "spec.roles[0].agent.env[0]",
                true,
            ),
            (".metadata.labels.a.b/c", "metadata.labels[a.b/c]", true),
            ("metadata.labels[a.b/c]", "metadata.labels[a.b/c]", true),
            ("spec.roles[1].replicas", "spec.roles[0]", false),
            ("spec.roles[0].name", "spec.roles", false),
            ("spec.roles[9].name", "spec.roles", false),
            (".spec.roles[name=\"none\"]", "spec.roles", false),
            ("spec.replicas", "spec", false),
            ("spec.rol", "spec", false),
        ] {
            let found = find(field, &part, &whole, Kind::Team.schema());
            assert_eq!((found.path.as_str(), found.is_there), (path, is_there), "{field}");
        }
    }
}
