//! Objects without what only the operator writes.

use serde_json::{Map, Value};

use crate::resource::Object;
use crate::resource::names::{AGENTS_FINALIZER, LAST_APPLIED};

/// What the operator alone decides in `metadata`.
const OPERATORS: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "generateName",
];

/// An object as people declare and compare it: fit to be remembered as the one applied last.
pub(crate) fn declared(object: &Object) -> Value {
    // An object that was read from JSON can be written as JSON.
    let mut value = serde_json::to_value(object).unwrap_or_default();
    strip(&mut value);
    value
}

/// Takes away what only the operator writes.
pub(super) fn strip(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    fields.shift_remove("status");
    let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for field in OPERATORS {
        metadata.shift_remove(field);
    }
    if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| finalizer != AGENTS_FINALIZER);
        if finalizers.is_empty() {
            metadata.shift_remove("finalizers");
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.shift_remove(LAST_APPLIED);
    }
    if metadata
        .get("annotations")
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        metadata.shift_remove("annotations");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_people_declare_is_left() {
        let live: Object = serde_json::from_value(json!({
            "apiVersion": "chorus.services/v1",
            "kind": "Team",
            "metadata": {
                "name": "a", "uid": "u", "resourceVersion": "7", "generation": 2, "finalizers": ["f", AGENTS_FINALIZER],
                "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {LAST_APPLIED: "{}"},
            },
            "spec": {"roles": []},
            "status": {"state": "Ready"},
        }))
        .unwrap();
        assert_eq!(
            declared(&live),
            json!({
                "apiVersion": "chorus.services/v1", "kind": "Team",
                "metadata": {"name": "a", "finalizers": ["f"]}, "spec": {"roles": []},
            })
        );
    }
}
