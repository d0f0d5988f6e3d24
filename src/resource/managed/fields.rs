//! A set of fields, as `fieldsV1` writes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Paths that are told: whoever reads them needs no more, and each may be long.
const PATHS_MAX: usize = 100;
/// Steps from the top to a field, at most: more than any schema of ours has.
const DEPTH_MAX: usize = 40;
/// What steps begin with; Kubernetes knows items by their place, too.
const STEPS: [&str; 4] = ["f:", "k:", "v:", "i:"];
/// Bytes of a step that are told.
const STEP_MAX: usize = 256;

/// Some fields of a value: perhaps the value itself, and fields below it.
///
/// Steps are written as in Kubernetes' `fieldsV1`: `f:replicas` to a member, `k:{"name":"lead"}` to the item of a list
/// that is told apart by keys, `v:"x"` to an item of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    itself: bool,
    below: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// Of a value that is owned as one.
    pub(super) fn leaf() -> Self {
        Self {
            itself: true,
            below: BTreeMap::new(),
        }
    }

    /// The same with the value itself.
    pub(super) fn with_itself(self) -> Self {
        Self { itself: true, ..self }
    }

    /// Adds what is below one step.
    pub(super) fn add(&mut self, step: String, fields: Self) {
        if !fields.is_empty() {
            self.below.entry(step).or_default().unite(fields);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.itself && self.below.is_empty()
    }

    /// Whether the value itself is one of the fields.
    pub(super) fn has_itself(&self) -> bool {
        self.itself
    }

    /// What is below one step.
    pub(super) fn at(&self, step: &str) -> Option<&Self> {
        self.below.get(step)
    }

    /// Adds all of another set.
    pub(super) fn unite(&mut self, other: Self) {
        self.itself |= other.itself;
        for (step, fields) in other.below {
            self.below.entry(step).or_default().unite(fields);
        }
    }

    /// The fields that are in both.
    pub(super) fn in_both(&self, other: &Self) -> Self {
        let common = |(step, fields): (&String, &Self)| {
            let both = fields.in_both(other.below.get(step)?);
            (!both.is_empty()).then(|| (step.clone(), both))
        };
        Self {
            itself: self.itself && other.itself,
            below: self.below.iter().filter_map(common).collect(),
        }
    }

    /// The fields that are not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let rest = |(step, fields): (&String, &Self)| {
            let rest = other
                .below
                .get(step)
                .map_or_else(|| fields.clone(), |gone| fields.without(gone));
            (!rest.is_empty()).then(|| (step.clone(), rest))
        };
        Self {
            itself: self.itself && !other.itself,
            below: self.below.iter().filter_map(rest).collect(),
        }
    }

    /// The path of each field, as Kubernetes writes it in conflicts: `.spec.roles[name="lead"].replicas`; of very many,
    /// the first.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, here: &str, paths: &mut Vec<String>) {
        if paths.len() == PATHS_MAX {
            return;
        }
        if self.itself {
            paths.push(here.to_owned());
        }
        for (step, fields) in &self.below {
            fields.collect_paths(&format!("{here}{}", readable(step)), paths);
        }
    }

    /// As `fieldsV1`.
    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::new();
        if self.itself && !self.below.is_empty() {
            members.insert(".".to_owned(), Value::Object(Map::new()));
        }
        let below = self
            .below
            .iter()
            .map(|(step, fields)| (step.clone(), fields.to_json()));
        members.extend(below);
        Value::Object(members)
    }

    /// Reads `fieldsV1`; `None` when it is none.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        Self::read(json, DEPTH_MAX)
    }

    fn read(json: &Value, depth: usize) -> Option<Self> {
        let members = json.as_object()?;
        let below = members.iter().filter(|(step, _)| *step != ".");
        let below = below.map(|(step, fields)| {
            let is_step = STEPS.iter().any(|start| step.starts_with(start));
            let fields = is_step.then_some(fields)?;
            Some((step.clone(), Self::read(fields, depth.checked_sub(1)?)?))
        });
        Some(Self {
            itself: members.is_empty() || members.contains_key("."),
            below: below.collect::<Option<_>>()?,
        })
    }
}

fn readable(step: &str) -> String {
    let step = step.get(..STEP_MAX).unwrap_or(step);
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        _ => format!("[{step}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(json: Value) -> FieldSet {
        FieldSet::from_json(&json).unwrap()
    }

    #[test]
    fn fields_are_read_and_written_as_kubernetes_does() {
        let json = json!({"f:spec": {"f:roles": {"k:{\"name\":\"lead\"}": {".": {}, "f:replicas": {}}},
                          "f:tags": {"v:\"a\"": {}}}});
        let fields = set(json.clone());
        assert_eq!(fields.to_json(), json);
        assert_eq!(
            fields.paths(),
            [
                r#".spec.roles[name="lead"]"#,
                r#".spec.roles[name="lead"].replicas"#,
                r#".spec.tags[="a"]"#
            ]
        );
        let deep = (0..100).fold(json!({}), |below, _| json!({"f:a": below}));
        for bad in [json!([]), json!({"f:spec": 1}), json!({"spec": {}}), deep] {
            assert_eq!(FieldSet::from_json(&bad), None, "{bad}");
        }
    }

    #[test]
    fn sets_are_compared_field_by_field() {
        let left = set(json!({"f:a": {".": {}, "f:x": {}}, "f:b": {}}));
        let right = set(json!({"f:a": {"f:x": {}, "f:y": {}}, "f:c": {}}));
        assert_eq!(left.in_both(&right).paths(), [".a.x"]);
        assert_eq!(left.without(&right).paths(), [".a", ".b"]);
        let mut all = left.clone();
        all.unite(right.clone());
        assert_eq!(all.paths(), [".a", ".a.x", ".a.y", ".b", ".c"]);
        assert!(left.without(&all).is_empty());
    }
}
