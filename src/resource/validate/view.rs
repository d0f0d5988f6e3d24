//! A raw object as checks look at it: a value that may be absent, or of the wrong type, and its path.
//!
//! The schema's own problems are found elsewhere; here what does not fit is simply not there, so that every
//! other check still runs.

use std::time;

use serde_json::Value;

use super::super::duration::Duration;
use super::super::path;
use super::cause::{Cause, CauseReason};
use super::syntax::Checked;

/// One place of a raw object.
#[derive(Clone)]
pub(super) struct Node<'v> {
    /// What stands there.
    pub(super) value: Option<&'v Value>,
    /// Where it is.
    pub(super) path: String,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Self {
            value: Some(value),
            path: String::new(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Self {
        Self {
            value: self
                .value
                .and_then(|value| value.get(name))
                .filter(|value| !value.is_null()),
            path: path::field(&self.path, name),
        }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let list = self
            .value
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        list.iter().enumerate().map(|(index, value)| Self {
            value: Some(value),
            path: path::item(&self.path, index),
        })
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&'v String, Self)> {
        let members = self.value.and_then(Value::as_object).into_iter().flatten();
        members.map(|(name, value)| {
            let node = Self {
                value: Some(value),
                path: path::field(&self.path, name),
            };
            (name, node)
        })
    }

    pub(super) fn exists(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn text(&self) -> Option<&'v str> {
        self.value.and_then(Value::as_str)
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.value.and_then(Value::as_i64)
    }
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Causes {
    pub(super) found: Vec<Cause>,
}

impl Causes {
    pub(super) fn add(&mut self, node: &Node<'_>, reason: CauseReason, message: impl Into<String>) {
        self.found.push(Cause::new(node.path.clone(), reason, message));
    }

    /// Applies a rule to a text that is there.
    pub(super) fn text(&mut self, node: &Node<'_>, rule: fn(&str) -> Checked) {
        if let Some(Err(message)) = node.text().map(rule) {
            self.add(node, CauseReason::Invalid, message);
        }
    }

    /// Applies a rule to every text of a list.
    pub(super) fn texts(&mut self, list: &Node<'_>, rule: fn(&str) -> Checked) {
        for item in list.items() {
            self.text(&item, rule);
        }
    }

    /// Checks that a duration that is there, and is one, lies within bounds, both inclusive.
    pub(super) fn duration(&mut self, node: &Node<'_>, least: time::Duration, most: time::Duration) {
        let Some(text) = node.text() else {
            return;
        };
        let outside = |value: Duration| !(least..=most).contains(&value.0);
        if text.parse().is_ok_and(outside) {
            let (least, most) = (Duration(least), Duration(most));
            let message = format!("must be between {least} and {most}, got \"{text}\"");
            self.add(node, CauseReason::Invalid, message);
        }
    }
}
