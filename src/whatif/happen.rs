//! Lets happen to the nodes what a scenario says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ScenarioError, Today};
use crate::resource::nearest;
use crate::resource::outlook::{NewNode, Scenario};
use crate::sim::{NodeSettings, Rehearsal};

/// Does it, all at once; the host names of the nodes that fail.
///
/// # Errors
/// When a node is not there, or is there already. Then nothing has happened.
pub(super) fn happen(
    swarm: &mut Rehearsal,
    today: &Today,
    scenario: &Scenario,
) -> Result<BTreeSet<String>, ScenarioError> {
    let nodes = today.documents.get("nodes").into_iter().flatten();
    let nodes: Vec<(&str, &str)> = nodes
        .map(|node| (text(node, "/Description/Hostname"), text(node, "/ID")))
        .collect();
    let find = |names: &[String]| -> Result<Vec<(&str, &str)>, ScenarioError> {
        let one = |name: &String| {
            let mut found = nodes.iter().filter(|(host, id)| host == name || id == name);
            found.next().copied().ok_or_else(|| no_such_node(name, &nodes))
        };
        names.iter().map(one).collect()
    };
    let (failing, drained) = (find(&scenario.fail_nodes)?, find(&scenario.drain_nodes)?);
    let mut taken: BTreeSet<&str> = nodes.iter().map(|(host, _)| *host).collect();
    if let Some(new) = scenario.add_nodes.iter().find(|new| !taken.insert(&new.name)) {
        return Err(ScenarioError::NodeExists(new.name.clone()));
    }
    for NewNode {
        name,
        nano_cpus,
        memory_bytes,
        labels,
    } in &scenario.add_nodes
    {
        swarm.add_node(NodeSettings {
            hostname: name.clone(),
            labels: labels.clone(),
            nano_cpus: *nano_cpus,
            memory_bytes: *memory_bytes,
            is_manager: false,
        });
    }
    for (_, id) in &drained {
        swarm.drain_node(id).map_err(|_| no_such_node(id, &nodes))?;
    }
    for (_, id) in &failing {
        swarm.fail_node(id).map_err(|_| no_such_node(id, &nodes))?;
    }
    Ok(failing.into_iter().map(|(host, _)| host.to_owned()).collect())
}

fn no_such_node(name: &str, nodes: &[(&str, &str)]) -> ScenarioError {
    let mut known: Vec<&str> = nodes.iter().map(|(host, _)| *host).collect();
    known.sort_unstable();
    ScenarioError::NoSuchNode {
        name: name.to_owned(),
        hint: nearest::hint(name, known.iter().copied()),
        known: known.join(", "),
    }
}

fn text<'a>(document: &'a Value, path: &str) -> &'a str {
    document.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
