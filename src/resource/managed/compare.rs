//! Which fields a value has, and which differ from another's.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::FieldSet;
use super::shape::Shape;

/// The step to a member.
pub(super) fn member(name: &str) -> String {
    format!("f:{name}")
}

/// All fields of a value.
pub(super) fn fields_of(value: &Value, shape: Shape) -> FieldSet {
    let mut fields = FieldSet::default();
    for (step, part, shape) in parts(value, shape) {
        let below = fields_of(part, shape);
        let is_item = !step.starts_with("f:");
        fields.add(step, if is_item { below.with_itself() } else { below });
    }
    if fields.is_empty() {
        FieldSet::leaf()
    } else {
        fields
    }
}

/// What happened to the fields of a value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Those that have another value, or are new.
    pub(super) set: FieldSet,
    /// Those that are gone.
    pub(super) gone: FieldSet,
}

/// What happened on the way from `old` to `new`.
pub(super) fn compare(old: &Value, new: &Value, shape: Shape) -> Difference {
    let mut difference = Difference::default();
    if old == new {
        return difference;
    }
    let (before, after) = (parts(old, shape), parts(new, shape));
    match (before.is_empty(), after.is_empty()) {
        (true, true) => difference.set = FieldSet::leaf(),
        (true, false) => difference.gone = FieldSet::leaf(),
        (false, true) => difference.set = FieldSet::leaf(),
        (false, false) => {}
    }
    let mut before: BTreeMap<String, &Value> =
        before.into_iter().map(|(step, part, _)| (step, part)).collect();
    for (step, part, shape) in after {
        match before.remove(&step) {
            Some(old) => {
                let Difference { set, gone } = compare(old, part, shape);
                difference.set.add(step.clone(), set);
                difference.gone.add(step, gone);
            }
            None => {
                let is_item = !step.starts_with("f:");
                let fields = fields_of(part, shape);
                difference
                    .set
                    .add(step, if is_item { fields.with_itself() } else { fields });
            }
        }
    }
    let left = parts(old, shape)
        .into_iter()
        .filter(|(step, ..)| before.contains_key(step));
    for (step, part, shape) in left {
        difference.gone.add(step, fields_of(part, shape).with_itself());
    }
    difference
}

/// The parts of a value that are owned one by one; none of one that is owned as a whole.
fn parts(value: &Value, shape: Shape) -> Vec<(String, &Value, Shape)> {
    if let Some((members, map)) = shape.members(value) {
        let parts = map
            .iter()
            .map(|(name, part)| (member(name), part, members.shape(name)));
        return parts.collect();
    }
    let items = shape.items(value).unwrap_or_default().into_iter();
    items.map(|(step, item)| (step, item, shape.item())).collect()
}
