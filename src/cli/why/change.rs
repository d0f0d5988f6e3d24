//! Who changed something last, and what.

use jiff::Timestamp;
use serde_json::Value;

use super::{Link, Told, Topic};
use crate::cli::past::{self, Entry, Step, Told as Tell};
use crate::resource::names::GITOPS_ACTOR;
use crate::resource::path;

/// How many fields of a change are told.
const FIELDS_MAX: usize = 6;
/// Longer texts are not shown.
const VALUE_MAX: usize = 40;

/// The last change of what people declare of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    generation: i64,
    actor: String,
    reason: String,
    at: Timestamp,
    fields: Vec<String>,
}

impl Change {
    /// The last one of a history.
    pub(crate) fn last(entries: &[Entry]) -> Option<Self> {
        let Step { entry, before, after } = past::steps(entries, Tell::Declared).pop()?;
        // Of an object that is new, all is.
        let fields = before
            .map(|before| differences(&before, &after))
            .unwrap_or_default();
        Some(Self {
            generation: entry.generation,
            actor: entry.actor.clone(),
            reason: entry.reason.clone(),
            at: entry.at,
            fields,
        })
    }

    /// The commit of a source that it comes from, by the first digits of its hash; `None` when it was made otherwise.
    pub(super) fn commit_of(&self, namespace: &str, name: &str) -> Option<&str> {
        let source = self.actor.strip_prefix(GITOPS_ACTOR)?.strip_prefix(':')?;
        let (_, commit) = self.reason.strip_prefix("apply ")?.rsplit_once('@')?;
        // Where it is not at home, its namespace is told, too.
        let is_it = source == name || source.split_once('/') == Some((namespace, name));
        is_it.then_some(commit)
    }
}

/// Who changed it last, as an answer; none when nobody knows.
pub(super) fn link(change: &Told<Option<Change>>, of: Option<&str>) -> Option<Link> {
    let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
    let link = match change {
        Ok(None) => return None,
        Err(why) => Link::new(Topic::LastChange, format!("{of}cannot be told: {why}")),
        Ok(Some(Change {
            generation,
            actor,
            reason,
            at,
            fields,
        })) => Link {
            at: Some(*at),
            details: fields.clone(),
            ..Link::new(
                Topic::LastChange,
                format!("{of}{reason} by {actor}, which made generation {generation}"),
            )
        },
    };
    Some(link)
}

/// What differs, one field a line: `spec.roles[reviewer].replicas: 2 -> 3`.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    let more = found.len().saturating_sub(FIELDS_MAX);
    found.truncate(FIELDS_MAX);
    found.extend((more > 0).then(|| format!("and {more} more")));
    found
}

fn compare(at: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<String>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let new = after.keys().filter(|name| !before.contains_key(*name));
            for name in before.keys().chain(new) {
                compare(&path::field(at, name), before.get(name), after.get(name), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if are_named(before) && are_named(after) => {
            let item = |list: &[Value], name: &Value| list.iter().find(|item| item["name"] == *name).cloned();
            let new = after.iter().filter(|new| item(before, &new["name"]).is_none());
            for name in before.iter().chain(new).map(|item| &item["name"]) {
                let at = format!("{at}[{}]", name.as_str().unwrap_or_default());
                compare(
                    &at,
                    item(before, name).as_ref(),
                    item(after, name).as_ref(),
                    found,
                );
            }
        }
        (None, Some(new)) => found.push(match shown(at, new) {
            Some(new) => format!("{at}: set to {new}"),
            None => format!("{at}: new"),
        }),
        (Some(_), None) => found.push(format!("{at}: taken away")),
        (old, new) => {
            let both = old.and_then(|old| Some((shown(at, old)?, shown(at, new?)?)));
            found.push(match both {
                Some((old, new)) => format!("{at}: {old} -> {new}"),
                None => format!("{at}: changed"),
            });
        }
    }
}

fn are_named(list: &[Value]) -> bool {
    list.iter().all(|item| item["name"].is_string())
}

/// A value that is short, and none that an environment holds.
fn shown(at: &str, value: &Value) -> Option<String> {
    match value {
        _ if at.contains(".env[") => None,
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) if text.chars().count() <= VALUE_MAX => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(revision: i64, change: &str, object: Value) -> Entry {
        let mut whole =
            json!({"apiVersion": "chorus.services/v1", "kind": "Team", "metadata": {"name": "x"}});
        whole
            .as_object_mut()
            .unwrap()
            .extend(object.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "revision": revision, "change": change, "generation": revision, "actor": "unix:uid=0", "reason": "patch",
            "at": "2026-01-01T00:00:00Z", "object": whole,
        }))
        .unwrap()
    }

    #[test]
    fn the_last_change_is_one_of_what_people_declare() {
        let two = json!({"replicas": 2});
        let entries = [
            entry(1, "ADDED", json!({"spec": {"replicas": 1}})),
            entry(2, "MODIFIED", json!({"spec": two})),
            entry(3, "MODIFIED", json!({"spec": two, "status": {"state": "Ready"}})),
        ];
        let change = Change::last(&entries).unwrap();
        assert_eq!(
            (change.generation, change.fields),
            (2, vec!["spec.replicas: 1 -> 2".to_owned()])
        );
        assert_eq!(Change::last(&entries[..1]).unwrap().fields, [""; 0]);
        assert_eq!(Change::last(&[]), None);
    }

    #[test]
    fn fields_are_told_by_name_and_short() {
        let long = "x".repeat(VALUE_MAX + 1);
        for (before, after, expected) in [
            (
                json!({"roles": [{"name": "a", "replicas": 1}, {"name": "b"}]}),
                json!({"roles": [{"name": "a", "replicas": 2, "template": "t"}, {"name": "c"}]}),
                &[
                    "roles[a].replicas: 1 -> 2",
                    "roles[a].template: set to t",
                    "roles[b]: taken away",
                    "roles[c]: new",
                ][..],
            ),
            (
                json!({"agent": {"env": [{"name": "A", "value": "1"}], "systemPrompt": "y"}}),
                json!({"agent": {"env": [{"name": "A", "value": "2"}], "systemPrompt": long}}),
                &["agent.env[A].value: changed", "agent.systemPrompt: changed"],
            ),
            (
                json!({"args": [1], "b": {}}),
                json!({"args": [2], "b": 1}),
                &["args: changed", "b: changed"],
            ),
            (
                json!({}),
                json!({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1}),
                &[
                    "a: set to 1",
                    "b: set to 1",
                    "c: set to 1",
                    "d: set to 1",
                    "e: set to 1",
                    "f: set to 1",
                    "and 2 more",
                ],
            ),
        ] {
            assert_eq!(differences(&before, &after), expected);
        }
    }
}
