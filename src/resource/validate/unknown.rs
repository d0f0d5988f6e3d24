//! Takes the fields out of a raw object that its schema does not know, for clients who would rather lose them than be
//! refused.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::MEMBERS;
use crate::resource::kind::Kind;
use crate::resource::{path, schema};

/// Takes out what an object of this kind cannot have; the paths of what is gone.
pub fn drop_unknown(raw: &mut Value, kind: Kind) -> Vec<String> {
    let mut dropped = Vec::new();
    let Some(members) = raw.as_object_mut() else {
        return dropped;
    };
    members.retain(|name, _| {
        let is_known = MEMBERS.contains(&name.as_str());
        if !is_known {
            dropped.push(path::segment(name));
        }
        is_known
    });
    for (name, schema) in [
        ("metadata", schema::metadata()),
        ("spec", schema::member(kind, "spec")),
    ] {
        if let (Some(member), Some(schema)) = (members.get_mut(name), schema) {
            walk(member, schema, name, &mut dropped);
        }
    }
    dropped
}

fn walk(value: &mut Value, described: &JSONSchemaProps, here: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.retain(|name, member| {
            let below = path::field(here, name);
            match schema::of_member(described, name) {
                schema::Member::Described(schema) => walk(member, schema, &below, dropped),
                schema::Member::Free => {}
                schema::Member::Unknown => {
                    dropped.push(below);
                    return false;
                }
            }
            true
        }),
        Value::Array(list) => {
            let items = schema::items(described);
            for (index, item) in list.iter_mut().enumerate() {
                items
                    .into_iter()
                    .for_each(|items| walk(item, items, &path::item(here, index), dropped));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_does_not_know_is_taken_out_and_told() {
        let mut raw = json!({
            "kind": "Team", "extra": 1,
            "metadata": {"name": "x", "nmae": "y", "labels": {"any": "thing"}},
            "spec": {"roles": [{"name": "a", "replcas": 2, "agent": {"imagee": "x", "image": "y"}}], "colour": "red"},
        });
        let mut dropped = drop_unknown(&mut raw, Kind::Team);
        dropped.sort();
        let told = [
            "extra",
            "metadata.nmae",
            "spec.colour",
            "spec.roles[0].agent.imagee",
            "spec.roles[0].replcas",
        ];
        assert_eq!(dropped, told);
        assert_eq!(
            raw,
            json!({
                "kind": "Team",
                "metadata": {"name": "x", "labels": {"any": "thing"}},
                "spec": {"roles": [{"name": "a", "agent": {"image": "y"}}]},
            })
        );
    }
}
