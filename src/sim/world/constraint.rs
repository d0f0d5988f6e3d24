//! Placement constraints: `node.labels.zone == a`.

use std::net::Ipv4Addr;

use super::model::{Labels, Node};
use super::refusal::Refusal;
use super::spec::bad_constraint;
use super::subnet::Subnet;

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

    /// Addresses are compared as such, and with blocks of them. What is neither holds for no node, whatever it asks.
    fn holds_for_address(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<Ipv4Addr>() else {
            return false;
        };
        let is_in = match self.value.parse::<Ipv4Addr>() {
            Ok(wanted) => address == wanted,
            Err(_) => match self.value.parse::<Subnet>() {
                Ok(block) => block.contains(address),
                Err(_) => return false,
            },
        };
        is_in == self.equal
    }

    pub(crate) fn holds(&self, node: &Node) -> bool {
        let is = |found: &str| found.eq_ignore_ascii_case(&self.value) == self.equal;
        let key = self.key.to_ascii_lowercase();
        match key.as_str() {
            "node.id" => is(&node.id),
            "node.hostname" => is(&node.hostname),
            "node.ip" => self.holds_for_address(&node.address),
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

/// What a spread over `descriptor` tells apart; the managers pass over one that they do not know.
pub(crate) fn spread_value<'a>(node: &'a Node, descriptor: &str) -> Option<&'a str> {
    let after = |prefix: &str| {
        let (head, name) = descriptor.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then_some(name)
    };
    let of_node = after("node.labels.").map(|name| label(&node.labels, name));
    of_node.or_else(|| Some(label(&node.engine_labels, after("engine.labels.")?)))
}

fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::sim::world::World;
    use crate::sim::{NodeSettings, Timing};

    #[test]
    fn addresses_are_compared_as_addresses_and_blocks_of_them() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        world.add_node(NodeSettings::default());
        let node = world.find_node("node-1").unwrap();
        assert_eq!(node.address, "10.77.0.1");
        for (text, expected) in [
            ("node.ip==10.77.0.1", true),
            ("node.ip!=10.77.0.1", false),
            ("node.ip==10.77.0.0/24", true),
            ("node.ip!=10.77.0.0/24", false),
            ("node.ip==10.78.0.0/16", false),
            ("node.ip!=10.78.0.0/16", true),
            ("node.ip==alpha", false),
            ("node.ip!=alpha", false),
        ] {
            let constraint = Constraint::read(text).unwrap();
            assert_eq!(constraint.holds(node), expected, "{text}");
        }
    }

    #[test]
    fn a_spread_is_over_the_labels_of_nodes_or_of_their_engines() {
        let mut world = World::new(Timestamp::UNIX_EPOCH, 7, Timing::default());
        world.add_node(NodeSettings {
            labels: Labels::from([("zone".to_owned(), "a".to_owned())]),
            ..NodeSettings::default()
        });
        let node = world.find_node("node-1").unwrap();
        for (descriptor, expected) in [
            ("node.labels.zone", Some("a")),
            ("Node.Labels.zone", Some("a")),
            ("node.labels.rack", Some("")),
            ("engine.labels.zone", Some("")),
            ("node.hostname", None),
        ] {
            assert_eq!(spread_value(node, descriptor), expected, "{descriptor}");
        }
    }
}
