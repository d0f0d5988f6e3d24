//! Writes JSON objects with their fields in a given order.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::sim::world::model::{Labels, Meta};

/// An object under way.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { text: "{".to_owned() }
    }

    /// A field of any value.
    pub(super) fn with(self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        // Nothing that is written here can fail to serialize.
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        self.raw(name, value)
    }

    /// A field whose JSON is there already.
    pub(super) fn raw(mut self, name: &str, json: impl Display) -> Self {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&format!("\"{name}\":{json}"));
        self
    }

    /// A field that is written under a condition.
    pub(super) fn when(self, condition: bool, write: impl FnOnce(Self) -> Self) -> Self {
        if condition { write(self) } else { self }
    }

    /// What every object of the managers begins with.
    pub(super) fn meta(self, id: &str, meta: Meta) -> Self {
        self.with("ID", id)
            .raw("Version", format_args!("{{\"Index\":{}}}", meta.version))
            .time("CreatedAt", meta.created)
            .time("UpdatedAt", meta.updated)
    }

    pub(super) fn time(self, name: &str, at: Timestamp) -> Self {
        self.raw(name, format_args!("\"{at}\""))
    }

    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// `[a,b,c]` of what is JSON already.
pub(super) fn array<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = "[".to_owned();
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item.as_ref());
    }
    text.push(']');
    text
}

/// Reads labels, of which one without a value is empty.
pub(super) fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Labels>, D::Error> {
    let labels = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?;
    let texts = |labels: BTreeMap<String, Option<String>>| {
        let pairs = labels.into_iter();
        pairs
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect()
    };
    Ok(labels.map(texts))
}
