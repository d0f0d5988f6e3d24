//! Which placement constraint keeps an agent from a node, or from every one.

use std::collections::BTreeMap;

use super::observed::Node;

/// The constraints that no node meets which could take a task. Empty when each is met by some node, and when
/// it cannot be told.
pub(super) fn unmet<'a>(constraints: &'a [String], nodes: &BTreeMap<String, Node>) -> Vec<&'a str> {
    let constraints = constraints.iter().map(String::as_str);
    constraints
        .filter(|constraint| {
            let mut open = nodes.values().filter(|node| node.ready && node.active);
            open.all(|node| meets(constraint, node) == Some(false))
        })
        .collect()
}

/// A command that makes a node meet the constraint, where a label does.
pub(super) fn remedy(constraint: &str) -> Option<String> {
    let (name, value) = constraint.split_once("==")?;
    let label = name.trim().strip_prefix("node.labels.")?;
    Some(format!(
        "docker node update --label-add {label}={} <node>",
        value.trim()
    ))
}

/// Whether the managers take a service's task off this node, as far as is known: when constraints change, tasks whose
/// nodes meet them stay as they are, and the others go.
pub(super) fn keeps_off(constraints: &[String], node: &Node) -> bool {
    constraints
        .iter()
        .any(|constraint| meets(constraint, node) == Some(false))
}

/// Whether the node meets the constraint, by the engine's rules; `None` when that is not known.
fn meets(constraint: &str, node: &Node) -> Option<bool> {
    let (equal, (name, value)) = match constraint.split_once("!=") {
        Some(parts) => (false, parts),
        None => (true, constraint.split_once("==")?),
    };
    let (name, value) = (name.trim(), value.trim());
    let labels = name.starts_with("node.labels.") || name.starts_with("engine.labels.");
    match node.facts.get(name) {
        Some(found) => Some(found.eq_ignore_ascii_case(value) == equal),
        None if labels && !node.facts.is_empty() => Some(!equal),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(facts: &[(&str, &str)], ready: bool) -> Node {
        Node {
            hostname: String::new(),
            ready,
            active: true,
            facts: facts
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        }
    }

    #[test]
    fn a_constraint_is_unmet_when_no_open_node_meets_it() {
        let nodes = [
            node(&[("node.role", "manager"), ("node.labels.zone", "a")], true),
            node(&[("node.role", "worker"), ("node.labels.gpu", "true")], false),
        ];
        let nodes = nodes
            .into_iter()
            .enumerate()
            .map(|(id, node)| (id.to_string(), node))
            .collect();
        for (constraint, expected) in [
            ("node.role==manager", false),
            ("node.role == MANAGER", false),
            ("node.role!=manager", true),
            ("node.role==worker", true),
            ("node.labels.zone==a", false),
            ("node.labels.zone==b", true),
            ("node.labels.gpu==true", true),
            ("node.labels.gpu!=true", false),
            ("node.ip==10.0.0.0/8", false),
            ("nonsense", false),
        ] {
            let constraints = [constraint.to_owned()];
            assert_eq!(!unmet(&constraints, &nodes).is_empty(), expected, "{constraint}");
        }
    }

    #[test]
    fn nothing_is_said_of_nodes_that_are_not_known() {
        let nodes = BTreeMap::from([("1".to_owned(), node(&[], true))]);
        assert!(unmet(&["node.labels.gpu==true".to_owned()], &nodes).is_empty());
    }
}
