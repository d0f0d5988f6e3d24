//! Finds the fields of what a client sent that its schema does not know, or takes them out, for clients who would rather
//! lose them than be refused.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{Cause, CauseReason, MEMBERS};
use crate::resource::kind::Kind;
use crate::resource::{nearest, path, schema};

/// What may be in what a client sends.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its members that are described.
    described: Vec<(&'static str, &'static JSONSchemaProps)>,
}

impl Known {
    /// In an object of this kind, whose status is not looked at.
    pub fn object(kind: Kind) -> Self {
        Self::members(&[
            ("metadata", schema::metadata()),
            ("spec", schema::member(kind, "spec")),
        ])
    }

    /// In an object of this kind whose status is written.
    pub fn status(kind: Kind) -> Self {
        let mut known = Self::object(kind);
        let status = Self::members(&[("status", schema::member(kind, "status"))]);
        known.described.extend(status.described);
        known
    }

    /// In a Scale.
    pub fn scale() -> Self {
        let part = |name| schema::scale().and_then(|scale| schema::described(scale, name));
        Self::members(&[
            ("metadata", schema::metadata()),
            ("spec", part("spec")),
            ("status", part("status")),
        ])
    }

    fn members(members: &[(&'static str, Option<&'static JSONSchemaProps>)]) -> Self {
        let described = members
            .iter()
            .filter_map(|(name, schema)| Some((*name, (*schema)?)));
        Self {
            described: described.collect(),
        }
    }

    /// Every field that cannot be there.
    pub fn unknown(&self, raw: &Value) -> Vec<Cause> {
        let members = raw.as_object().into_iter().flatten();
        let strange = members.filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
        let mut causes: Vec<Cause> = strange.map(|(name, _)| unknown_member(name)).collect();
        for (name, schema) in &self.described {
            if let Some(member) = raw.get(name) {
                schema::check(member, schema, name, &mut causes);
            }
        }
        causes.retain(|cause| cause.reason == CauseReason::Unknown);
        causes
    }

    /// Takes out what cannot be there; the paths of what is gone.
    pub fn drop_unknown(&self, raw: &mut Value) -> Vec<String> {
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
        for (name, schema) in &self.described {
            if let Some(member) = members.get_mut(*name) {
                walk(member, schema, name, &mut dropped);
            }
        }
        dropped
    }
}

/// What is said of a member that no object has.
pub(super) fn unknown_member(name: &str) -> Cause {
    let hint = nearest::hint(name, MEMBERS);
    Cause::new(
        path::segment(name),
        CauseReason::Unknown,
        format!("unknown field{hint}"),
    )
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
        let mut told: Vec<String> = Known::object(Kind::Team)
            .unknown(&raw)
            .into_iter()
            .map(|cause| cause.field)
            .collect();
        let mut dropped = Known::object(Kind::Team).drop_unknown(&mut raw);
        dropped.sort();
        told.sort();
        assert_eq!(told, dropped);
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

    #[test]
    fn subresources_have_fields_of_their_own() {
        let raw = json!({"spec": {"replicas": 1, "rpelicas": 2}, "status": {"replicas": 1, "state": "Ready", "colour": 1}});
        for (known, fields) in [
            (Known::object(Kind::Team), &["spec.rpelicas"][..]),
            (Known::status(Kind::Team), &["spec.rpelicas", "status.colour"]),
            (
                Known::scale(),
                &["spec.rpelicas", "status.state", "status.colour"],
            ),
        ] {
            let told: Vec<String> = known.unknown(&raw).into_iter().map(|cause| cause.field).collect();
            assert_eq!(told, fields);
        }
    }
}
