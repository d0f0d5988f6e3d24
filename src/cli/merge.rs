//! Three-way merge: what was applied last, what is live, and what is to be applied, to what is to be.
//!
//! Fields that the manifest had and no longer has go; fields that others set stay; everything that the
//! manifest says wins. Lists whose schema names a key (`roles` by `name`) are merged item by item, so that a
//! role which was scaled by hand keeps its number as long as the manifest does not give one.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Map, Value};

use crate::resource::schema;

/// Merges a value that has this schema.
pub(crate) fn merge(last: &Value, live: &Value, new: &Value, schema: Option<&JSONSchemaProps>) -> Value {
    match (live, new) {
        (Value::Object(live), Value::Object(new)) => {
            Value::Object(merge_objects(last.as_object(), live, new, schema))
        }
        (Value::Array(live), Value::Array(new)) => {
            match schema.filter(|schema| !schema::keys(schema).is_empty()) {
                Some(schema) => Value::Array(merge_lists(last.as_array(), live, new, schema)),
                None => Value::Array(new.clone()),
            }
        }
        (_, new) => new.clone(),
    }
}

/// The JSON merge patch (RFC 7396) that turns one value into another; an empty object when they are equal.
pub(crate) fn patch(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return to.clone();
    };
    let mut changes = Map::new();
    for (key, value) in to {
        match from.get(key) {
            Some(old) if old == value => {}
            Some(old @ Value::Object(_)) if value.is_object() => {
                changes.insert(key.clone(), patch(old, value));
            }
            _ => {
                changes.insert(key.clone(), value.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        changes.insert(key.clone(), Value::Null);
    }
    Value::Object(changes)
}

fn merge_objects(
    last: Option<&Map<String, Value>>,
    live: &Map<String, Value>,
    new: &Map<String, Value>,
    schema: Option<&JSONSchemaProps>,
) -> Map<String, Value> {
    let was_applied = |key: &String| last.is_some_and(|last| last.contains_key(key));
    let mut merged = Map::new();
    for (key, live) in live {
        match new.get(key) {
            Some(new) => {
                let last = last.and_then(|last| last.get(key)).unwrap_or(&Value::Null);
                merged.insert(
                    key.clone(),
                    merge(
                        last,
                        live,
                        new,
                        schema.and_then(|schema| schema::described(schema, key)),
                    ),
                );
            }
            None if was_applied(key) => {}
            None => {
                merged.insert(key.clone(), live.clone());
            }
        }
    }
    for (key, new) in new {
        if !live.contains_key(key) {
            merged.insert(key.clone(), new.clone());
        }
    }
    merged
}

/// The manifest's items in its order, then the items that others added.
fn merge_lists(
    last: Option<&Vec<Value>>,
    live: &[Value],
    new: &[Value],
    schema: &JSONSchemaProps,
) -> Vec<Value> {
    let same = |a: &Value, b: &Value| schema::told_apart(schema, a) == schema::told_apart(schema, b);
    let find = |list: &[Value], item: &Value| list.iter().find(|other| same(other, item)).cloned();
    let last = last.map(Vec::as_slice).unwrap_or_default();
    let mut merged: Vec<Value> = new
        .iter()
        .map(|item| match find(live, item) {
            Some(live) => merge(
                &find(last, item).unwrap_or_default(),
                &live,
                item,
                schema::items(schema),
            ),
            None => item.clone(),
        })
        .collect();
    let others = live
        .iter()
        .filter(|item| find(new, item).is_none() && find(last, item).is_none());
    merged.extend(others.cloned());
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Kind;

    /// Merges team specs and checks the result and that its patch leads there.
    fn check(last: Value, live: Value, new: Value, expected: Value) {
        let wrap = |spec: Value| json!({"spec": spec});
        let (last, live, new) = (wrap(last), wrap(live), wrap(new));
        let merged = merge(&last, &live, &new, Kind::Team.schema());
        assert_eq!(merged, wrap(expected));
        let mut patched = live.clone();
        json_patch::merge(&mut patched, &patch(&live, &merged));
        assert_eq!(patched, merged, "the patch leads to the merged object");
    }

    #[test]
    fn the_manifest_wins_and_what_it_drops_goes() {
        check(
            json!({"project": "a", "network": "n"}),
            json!({"project": "a", "network": "n", "suspend": true}),
            json!({"project": "b"}),
            json!({"project": "b", "suspend": true}),
        );
    }

    #[test]
    fn roles_are_merged_by_name() {
        check(
            json!({"roles": [{"name": "a", "replicas": 1}, {"name": "gone"}]}),
            json!({"roles": [{"name": "a", "replicas": 1}, {"name": "gone"}, {"name": "theirs"}]}),
            json!({"roles": [{"name": "b"}, {"name": "a", "replicas": 2}]}),
            json!({"roles": [{"name": "b"}, {"name": "a", "replicas": 2}, {"name": "theirs"}]}),
        );
    }

    #[test]
    fn a_scale_by_hand_stays_until_the_manifest_gives_a_number() {
        let scaled = json!({"roles": [{"name": "a", "replicas": 5}]});
        check(
            json!({"roles": [{"name": "a"}]}),
            scaled.clone(),
            json!({"roles": [{"name": "a", "template": "t"}]}),
            json!({"roles": [{"name": "a", "replicas": 5, "template": "t"}]}),
        );
        check(
            json!({"roles": [{"name": "a"}]}),
            scaled,
            json!({"roles": [{"name": "a", "replicas": 1}]}),
            json!({"roles": [{"name": "a", "replicas": 1}]}),
        );
    }

    #[test]
    fn environment_is_merged_by_name_and_plain_lists_are_replaced() {
        let agent = |env: Value, args: Value| json!({"defaults": {"env": env, "args": args}});
        check(
            agent(json!([{"name": "A", "value": "1"}]), json!(["x"])),
            agent(
                json!([{"name": "A", "value": "9"}, {"name": "Z", "value": "z"}]),
                json!(["x", "y"]),
            ),
            agent(json!([{"name": "A", "value": "2"}]), json!(["w"])),
            agent(
                json!([{"name": "A", "value": "2"}, {"name": "Z", "value": "z"}]),
                json!(["w"]),
            ),
        );
    }

    #[test]
    fn equal_objects_need_no_patch() {
        let object = json!({"spec": {"roles": [{"name": "a"}], "defaults": {"image": "x"}}});
        assert_eq!(patch(&object, &object), json!({}));
    }
}
