//! Lets happen to the nodes what a scenario says.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::{ScenarioError, Today};
use crate::resource::nearest;
use crate::resource::outlook::{NewNode, Scenario, Unnoticed};
use crate::sim::{Documents, NodeSettings, Rehearsal};

/// Does it, all at once; the host names of the nodes that fail.
///
/// # Errors
/// When a node is not there, or is there already. Then nothing has happened.
pub(super) fn happen(
    swarm: &mut Rehearsal,
    today: &Today,
    scenario: &Scenario,
) -> Result<BTreeSet<String>, ScenarioError> {
    let nodes = listed(&today.documents);
    let find_all = |names: &[String]| -> Result<Vec<Listed<'_>>, ScenarioError> {
        let one = |name: &String| find(&nodes, name);
        names.iter().map(one).collect()
    };
    let (failing, drained) = (find_all(&scenario.fail_nodes)?, find_all(&scenario.drain_nodes)?);
    let mut taken: BTreeSet<&str> = nodes.iter().map(|node| node.host).collect();
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
    for Listed { id, .. } in &drained {
        swarm.drain_node(id).map_err(|_| no_such_node(id, &nodes))?;
    }
    for Listed { id, .. } in &failing {
        swarm.fail_node(id).map_err(|_| no_such_node(id, &nodes))?;
    }
    Ok(failing.into_iter().map(|node| node.host.to_owned()).collect())
}

/// The nodes that failed and are still taken for ready.
pub(super) fn unnoticed(
    documents: &Documents,
    failed: &BTreeSet<String>,
    after: Duration,
) -> Option<Unnoticed> {
    let nodes = listed(documents).into_iter();
    let missed = nodes.filter(|node| node.is_ready && failed.contains(node.host));
    let nodes: Vec<String> = missed.map(|node| node.host.to_owned()).collect();
    (!nodes.is_empty()).then_some(Unnoticed {
        nodes,
        after: after.as_secs_f64(),
    })
}

fn listed(documents: &Documents) -> Vec<Listed<'_>> {
    let nodes = documents.get("nodes").into_iter().flatten();
    nodes.map(Listed::read).collect()
}

/// A node as the engine lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed<'a> {
    host: &'a str,
    id: &'a str,
    is_ready: bool,
}

impl<'a> Listed<'a> {
    fn read(document: &'a Value) -> Self {
        Self {
            host: text(document, "/Description/Hostname"),
            id: text(document, "/ID"),
            is_ready: text(document, "/Status/State") == "ready",
        }
    }
}

/// The node of that id or host name, or the one whose id begins like that. One that joined anew is listed beside its old
/// self: it is the one that is ready.
fn find<'a>(nodes: &[Listed<'a>], name: &str) -> Result<Listed<'a>, ScenarioError> {
    let by_host = || nodes.iter().filter(|node| node.host == name);
    let by_id = nodes.iter().find(|node| node.id == name);
    let found = by_id.or_else(|| by_host().find(|node| node.is_ready));
    if let Some(found) = found.or_else(|| by_host().next()) {
        return Ok(*found);
    }
    let begin_so = nodes
        .iter()
        .filter(|node| !name.is_empty() && node.id.starts_with(name));
    match begin_so.collect::<Vec<_>>().as_slice() {
        [] => Err(no_such_node(name, nodes)),
        [one] => Ok(**one),
        several => Err(ScenarioError::ManyNodes {
            name: name.to_owned(),
            ids: join(several.iter().map(|node| node.id).collect()),
        }),
    }
}

fn no_such_node(name: &str, nodes: &[Listed<'_>]) -> ScenarioError {
    ScenarioError::NoSuchNode {
        name: name.to_owned(),
        hint: nearest::hint(name, nodes.iter().map(|node| node.host)),
        known: join(nodes.iter().map(|node| node.host).collect()),
    }
}

fn join(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    names.join(", ")
}

fn text<'a>(document: &'a Value, path: &str) -> &'a str {
    document.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_joined_anew_is_not_taken_for_its_old_self() {
        let listed = |host, id, is_ready| Listed { host, id, is_ready };
        let nodes = [
            listed("alpha", "old", false),
            listed("alpha", "new", true),
            listed("new", "other", true),
            listed("beta", "gone", false),
        ];
        for (name, expected) in [
            ("alpha", Some("new")),
            ("old", Some("old")),
            ("new", Some("new")),
            ("beta", Some("gone")),
            ("gamma", None),
            // The start of an id, as far as it says which.
            ("o", None),
            ("ol", Some("old")),
            ("go", Some("gone")),
            ("", None),
        ] {
            assert_eq!(find(&nodes, name).ok().map(|node| node.id), expected, "{name}");
        }
        let several = find(&nodes, "o").unwrap_err().to_string();
        assert_eq!(
            several,
            "the ids of several nodes begin with \"o\": old, other; write more of the one that is meant"
        );
    }
}
