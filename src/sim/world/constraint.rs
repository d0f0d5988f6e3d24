//! Placement constraints: `node.labels.zone == a`.

use super::model::{Labels, Node};
use super::refusal::Refusal;
use super::spec::bad_constraint;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    key: String,
    equal: bool,
    value: String,
}

impl Constraint {
    /// Reads a constraint as the managers do.
    ///
    /// # Errors
    /// Their complaint.
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let found = [("==", true), ("!=", false)]
            .into_iter()
            .find_map(|(operator, equal)| Some((text.split_once(operator)?, equal)));
        let Some(((key, value), equal)) = found else {
            return Err(bad_constraint("constraint expected one operator from ==, !="));
        };
        let (key, value) = (key.trim(), value.trim());
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_key || !key.chars().all(letter) {
            return Err(bad_constraint(&format!("key '{key}' is invalid")));
        }
        let value_letter = |c: char| c.is_ascii_alphanumeric() || "-_.:*()?+[]\\^$|/ \t".contains(c);
        if value.is_empty() || !value.chars().all(value_letter) {
            return Err(bad_constraint(&format!("value '{value}' is invalid")));
        }
        Ok(Self {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
        })
    }

    pub(crate) fn holds(&self, node: &Node) -> bool {
        let is = |found: &str| found.eq_ignore_ascii_case(&self.value) == self.equal;
        let key = self.key.to_ascii_lowercase();
        match key.as_str() {
            "node.id" => is(&node.id),
            "node.hostname" => is(&node.hostname),
            "node.ip" => is(&node.address),
            "node.role" => is(if node.manager { "manager" } else { "worker" }),
            "node.platform.os" => is(&node.platform.os),
            "node.platform.arch" => is(&node.platform.architecture),
            _ if key.starts_with("node.labels.") => {
                is(label(&node.labels, &self.key["node.labels.".len()..]))
            }
            _ if key.starts_with("engine.labels.") => {
                is(label(&node.engine_labels, &self.key["engine.labels.".len()..]))
            }
            // The managers take keys that they do not know, and find no node for them.
            _ => false,
        }
    }
}

/// What a spread over `descriptor` tells apart.
pub(crate) fn spread_value<'a>(node: &'a Node, descriptor: &str) -> &'a str {
    descriptor
        .strip_prefix("node.labels.")
        .map_or("", |name| label(&node.labels, name))
}

fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}
