//! Lays what somebody applies over what is there, and takes away what they no longer apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::compare::member;
use super::fields::FieldSet;
use super::shape::Shape;

/// `under` with everything of `over`: members and items that are owned one by one are merged, others are replaced.
pub(super) fn merge(under: &Value, over: &Value, shape: Shape) -> Value {
    if let (Some((members, old)), Some((_, new))) = (shape.members(under), shape.members(over)) {
        let mut merged = old.clone();
        for (name, part) in new {
            let part = match old.get(name) {
                Some(old) => merge(old, part, members.shape(name)),
                None => part.clone(),
            };
            merged.insert(name.clone(), part);
        }
        return Value::Object(merged);
    }
    match (shape.items(under), shape.items(over)) {
        (Some(old), Some(new)) => merge_items(old, new, shape.item()),
        _ => over.clone(),
    }
}

/// The items of `over` in their order; those that are in `under` alone stay behind the one that they stood behind.
fn merge_items(under: Vec<(String, &Value)>, over: Vec<(String, &Value)>, shape: Shape) -> Value {
    let applied: BTreeSet<&String> = over.iter().map(|(step, _)| step).collect();
    let mut followers: BTreeMap<Option<&String>, Vec<&Value>> = BTreeMap::new();
    let mut leader = None;
    for (step, item) in &under {
        match applied.contains(step) {
            true => leader = Some(step),
            false => followers.entry(leader).or_default().push(item),
        }
    }
    let old: BTreeMap<&String, &Value> = under.iter().map(|(step, item)| (step, *item)).collect();
    let mut behind = |leader| followers.remove(&leader).unwrap_or_default().into_iter().cloned();
    let mut merged: Vec<Value> = behind(None).collect();
    for (step, item) in &over {
        merged.push(
            old.get(step)
                .map_or_else(|| (*item).clone(), |old| merge(old, item, shape)),
        );
        merged.extend(behind(Some(step)));
    }
    Value::Array(merged)
}

/// `value` without the fields of `gone`, as far as nothing of them is in `kept`; `None` when nothing is left of a value
/// that had parts.
pub(super) fn prune(value: &Value, gone: &FieldSet, kept: &FieldSet, shape: Shape) -> Option<Value> {
    let nothing = FieldSet::default();
    let rest = |step: &str, part: &Value, shape: Shape| -> Option<Value> {
        let Some(gone) = gone.at(step) else {
            return Some(part.clone());
        };
        let kept = kept.at(step).unwrap_or(&nothing);
        match gone.has_itself() && kept.is_empty() {
            true => None,
            false => prune(part, gone, kept, shape),
        }
    };
    if let Some((members, map)) = shape.members(value) {
        let left = map
            .iter()
            .filter_map(|(name, part)| Some((name.clone(), rest(&member(name), part, members.shape(name))?)));
        let left: Map<String, Value> = left.collect();
        return (!left.is_empty() || map.is_empty() || kept.has_itself()).then_some(Value::Object(left));
    }
    match shape.items(value) {
        Some(items) => {
            let left = items.iter().filter_map(|(step, item)| {
                let mut left = rest(step, item, shape.item())?;
                // What tells an item apart stays as long as the item does.
                for key in shape.keys() {
                    if let Some(value) = item.get(key) {
                        left[key] = value.clone();
                    }
                }
                Some(left)
            });
            let left: Vec<Value> = left.collect();
            (!left.is_empty() || items.is_empty() || kept.has_itself()).then_some(Value::Array(left))
        }
        None => Some(value.clone()),
    }
}
