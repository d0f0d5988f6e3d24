//! Who owns which field of an object (`metadata.managedFields`), and server-side apply, which rests on it.
//!
//! The rules are Kubernetes': whoever sets a field owns it; who applies an object owns exactly the fields that it names,
//! may share those whose value it does not change, and must not change those of others unless by force.

mod compare;
mod fields;
mod merge;
mod record;
mod shape;
#[cfg(test)]
mod tests;

pub use record::{NAME_MAX, is_name};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::lifecycle::{self, whole_seconds};
use super::names::{FIELD_MANAGER, LAST_APPLIED, OPERATOR_MANAGER};
use super::object::Object;
use super::validate;
use compare::{Difference, compare, fields_of, member};
use fields::FieldSet;
use record::Record;
use shape::{METADATA, Shape};

/// Who owned the fields of an object that was there before anybody's were recorded, as in Kubernetes.
const BEFORE: &str = "before-first-apply";

/// Somebody who sets fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// What they call themselves: `kubectl`, `ci`.
    pub name: String,
    /// The subresource by which they do: `status`, `scale`; empty for the object itself.
    pub subresource: &'static str,
}

impl Manager {
    /// Somebody who sets fields of the object itself.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            subresource: "",
        }
    }

    /// Somebody who sets fields of the status.
    pub fn of_status(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            subresource: "status",
        }
    }
}

/// Fields that somebody else owns, and that an apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contested {
    /// Who owns them, and by what, in Kubernetes' words: `"ci"`, `"kubectl" using chorus.services/v1`.
    pub manager: String,
    /// Their paths, as Kubernetes writes them: `.spec.roles[name="lead"].replicas`.
    pub fields: Vec<String>,
}

/// What an object becomes when somebody applies to it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object, for admission.
    pub object: Value,
    /// Who owns what then.
    pub owners: Option<Vec<ManagedFieldsEntry>>,
    /// What others owned, and have changed for them.
    pub overridden: Vec<Contested>,
}

/// What becomes of others' ownership when somebody applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What others own and the config would change is contested.
    Fair,
    /// It is theirs no longer.
    Force,
    /// Nor is what the config only says again: once it leaves the config, it goes.
    Alone,
}

/// Lays `config` over `live`, or over nothing; what the manager applied before, and nobody else owns, goes when it is not
/// in `config` any more.
///
/// # Errors
/// What others own, when that is claimed in fairness.
pub fn apply(
    live: Option<&Object>,
    config: &Value,
    kind: Kind,
    manager: &Manager,
    claim: Claim,
    now: Timestamp,
) -> Result<Applied, Vec<Contested>> {
    let (shape, now) = (Shape::object(kind), whole_seconds(now));
    let before = live
        .and_then(|live| serde_json::to_value(live).ok())
        .unwrap_or(Value::Null);
    // To apply nothing for a field is not to apply it.
    let mut config = config.clone();
    validate::drop_nulls(&mut config);
    let (old, wanted) = (tracked(&before, manager), tracked(&config, manager));
    let mut record = known(live, now);
    if let Some(fields) = merged_by_client(&before, kind, manager) {
        let note = ["metadata", "annotations", LAST_APPLIED].map(member);
        record.hand_over(manager, &note, &fields, now);
    }
    let applied = owned_in(&wanted, shape);
    let (mine, others) = record.of_applier(manager);
    let mut kept = others;
    kept.unite(applied.clone());
    let merged = merge::merge(&old, &wanted, shape);
    let merged = merge::prune(&merged, &mine.without(&applied), &kept, shape).unwrap_or_default();
    let Difference { set, gone } = compare(&old, &merged, shape);
    let contested = record.contested(manager, &set);
    if !contested.is_empty() && claim == Claim::Fair {
        return Err(contested);
    }
    record.take_from_others(manager, true, &set, &gone);
    if claim == Claim::Alone {
        record.take_from_others(manager, true, &applied, &FieldSet::default());
    }
    let moved = !set.is_empty() || !gone.is_empty();
    record.set(manager, true, applied, moved, now);
    Ok(Applied {
        object: laid_over(before, config, merged, manager),
        owners: record.entries(),
        overridden: contested,
    })
}

/// The object once what one manager has set, without applying, is what another one has applied; `None` when that is nothing.
pub fn handed_over(object: &Object, from: &Manager, to: &Manager, now: Timestamp) -> Option<Object> {
    let (mut record, now) = (
        Record::of(object.metadata.managed_fields.as_deref()),
        whole_seconds(now),
    );
    let fields = Some(record.of_updater(from)).filter(|fields| !fields.is_empty())?;
    let (mut applied, _) = record.of_applier(to);
    applied.unite(fields);
    record.set(from, false, FieldSet::default(), false, now);
    record.set(to, true, applied, false, now);
    let mut object = object.clone();
    object.metadata.managed_fields = record.entries();
    Some(object)
}

/// What `whoosh apply` has set while it merged by itself, by the note that it left of what it applied last (which is one of
/// the fields); `None` when it left none, or when somebody else applies.
///
/// It recorded that as an update. Once it has the operator merge, all this is what it applied before, as in Kubernetes:
/// otherwise what a file does not say any more would stay for ever.
fn merged_by_client(live: &Value, kind: Kind, manager: &Manager) -> Option<FieldSet> {
    let note = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?;
    if *manager != Manager::new(FIELD_MANAGER) {
        return None;
    }
    let mut last: Value = serde_json::from_str(note.as_str()?).ok()?;
    let metadata = last.get_mut("metadata")?.as_object_mut()?;
    let notes = metadata.entry("annotations").or_insert_with(|| json!({}));
    notes
        .as_object_mut()?
        .insert(LAST_APPLIED.to_owned(), note.clone());
    Some(owned_in(&tracked(&last, manager), Shape::object(kind)))
}

/// Who owns what after `manager` has made `new` of `old`, or has created it: what it set is its own now.
///
/// What `new` itself says of its owners is kept, as far as it can be read; the list `[{}]` forgets them all.
pub fn update(
    old: Option<&Object>,
    new: &Object,
    manager: &Manager,
    now: Timestamp,
) -> Option<Vec<ManagedFieldsEntry>> {
    let (shape, now) = (Shape::object(new.kind), whole_seconds(now));
    let json = |object: &Object| match manager.subresource {
        // All else need not be written as JSON for that.
        "status" => tracked(&json!({"status": object.status}), manager),
        _ => tracked(&serde_json::to_value(object).unwrap_or_default(), manager),
    };
    let Difference { set, gone } = compare(&old.map(json).unwrap_or_default(), &json(new), shape);
    let mut record = match new.metadata.managed_fields.as_deref() {
        Some([only]) if *only == ManagedFieldsEntry::default() => Record::default(),
        Some(said) if !Record::of(Some(said)).is_empty() => Record::of(Some(said)),
        _ => known(old, now),
    };
    record.take_from_others(manager, false, &set, &gone);
    let mut mine = record.of_updater(manager).without(&gone);
    let moved = !set.is_empty() || !gone.is_empty();
    mine.unite(set);
    record.set(manager, false, mine, moved, now);
    record.entries()
}

/// `old` with another status, whose fields are the operator's as far as it has set them.
pub fn with_status(old: &Object, status: Value, now: Timestamp) -> Object {
    let mut next = lifecycle::update_status(old, status);
    next.metadata.managed_fields = update(Some(old), &next, &Manager::of_status(OPERATOR_MANAGER), now);
    next
}

/// Who owns what of an object, as far as that is recorded; of one without a record, all is of before.
fn known(object: Option<&Object>, now: Timestamp) -> Record {
    let mut record = Record::of(object.and_then(|object| object.metadata.managed_fields.as_deref()));
    if let Some(object) = object.filter(|_| record.is_empty()) {
        let before = Manager::new(BEFORE);
        let json = serde_json::to_value(object).unwrap_or_default();
        let fields = owned_in(&tracked(&json, &before), Shape::object(object.kind));
        record.set(&before, false, fields, true, now);
    }
    record
}

/// The fields of what is tracked; nobody owns anything of nothing.
fn owned_in(tracked: &Value, shape: Shape) -> FieldSet {
    match tracked.as_object().is_some_and(Map::is_empty) {
        true => FieldSet::default(),
        false => fields_of(tracked, shape),
    }
}

/// What of an object has owners, as far as the manager can set it.
fn tracked(object: &Value, manager: &Manager) -> Value {
    let mut tracked = Map::new();
    let mut take = |name: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            tracked.insert(name.to_owned(), value.clone());
        }
    };
    if manager.subresource == "status" {
        take("status", object.get("status"));
        return Value::Object(tracked);
    }
    let metadata = object.get("metadata").and_then(Value::as_object);
    let metadata: Map<String, Value> = metadata
        .into_iter()
        .flatten()
        .filter(|(name, _)| METADATA.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    take(
        "metadata",
        Some(&Value::Object(metadata)).filter(|metadata| **metadata != Value::Object(Map::new())),
    );
    take("spec", object.get("spec"));
    Value::Object(tracked)
}

/// The live object with what came of its tracked fields, and with what the config says beside them.
fn laid_over(live: Value, config: Value, merged: Value, manager: &Manager) -> Value {
    let object = |value| match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let (mut live, mut config, mut merged) = (object(live), object(config), object(merged));
    let mut metadata = object(live.remove("metadata").unwrap_or_default());
    if manager.subresource != "status" {
        metadata.retain(|name, _| !METADATA.contains(&name.as_str()));
        metadata.extend(object(merged.remove("metadata").unwrap_or_default()));
        live.remove("spec");
    }
    let said = object(config.remove("metadata").unwrap_or_default()).into_iter();
    metadata.extend(said.filter(|(name, _)| !METADATA.contains(&name.as_str())));
    // What else the config says is for admission to judge.
    config.retain(|name, _| name != "spec" && name != "status");
    live.extend(config);
    live.insert("metadata".to_owned(), Value::Object(metadata));
    live.extend(merged);
    Value::Object(live)
}
