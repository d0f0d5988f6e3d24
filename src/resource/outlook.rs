//! What would come of something that has not happened: asked by `whoosh simulate`, answered by the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to happen, on paper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// Nodes that go silent, by host name, engine id or the start of one.
    pub fail_nodes: Vec<String>,
    /// Nodes that are drained, likewise.
    pub drain_nodes: Vec<String>,
    /// Nodes that join.
    pub add_nodes: Vec<NewNode>,
    /// Objects that are applied, templates before what uses them.
    pub objects: Vec<Value>,
    /// For how long what follows is watched, in seconds of the simulation; a day at most.
    pub seconds: u64,
}

/// A node that joins as a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewNode {
    /// Its host name.
    pub name: String,
    /// Its processors, in billionths.
    pub nano_cpus: i64,
    /// Its memory, in bytes.
    pub memory_bytes: i64,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What would come of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outlook {
    /// Agents whose container is another one afterwards, elsewhere or not.
    pub moves: Vec<Move>,
    /// Agents that do not run afterwards, though they ran or should.
    pub stranded: Vec<Stranded>,
    /// Objects that people are told something else of afterwards.
    pub objects: Vec<ObjectOutlook>,
    /// The managers afterwards.
    pub managers: Managers,
    /// After how many seconds the last of the agents that move runs; absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_after: Option<f64>,
    /// Nodes that fail without that being noticed within the time that is watched; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnoticed: Option<Unnoticed>,
}

impl Outlook {
    /// Whether nothing would come of it.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
            && self.stranded.is_empty()
            && self.objects.is_empty()
            && self.managers.has_leader
    }
}

/// One agent that is started, stopped for good, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Move {
    /// The agent's namespace.
    pub namespace: String,
    /// Its name.
    pub agent: String,
    /// The host name of the node that it leaves; absent when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The host name of the node that it gets; absent when it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// After how many seconds it runs there; absent when it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
}

/// One agent that does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stranded {
    /// The agent's namespace.
    pub namespace: String,
    /// Its name.
    pub agent: String,
    /// The host name of the node that it ran on; absent when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Why it does not run, in the engine's own words where there are any.
    pub reason: String,
}

/// What people are told of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectOutlook {
    /// The object's namespace.
    pub namespace: String,
    /// `team/payments`.
    pub object: String,
    /// Before: `4/4 Ready`; absent when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Afterwards: `3/4 Degraded`.
    pub after: String,
    /// Afterwards, in a sentence.
    pub message: String,
}

/// Nodes that are silent and still taken for ready, so that nothing comes of it yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unnoticed {
    /// Their host names.
    pub nodes: Vec<String>,
    /// After about how many seconds of silence the managers take a node for lost.
    pub after: f64,
}

/// The Swarm's managers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Managers {
    /// How many answer.
    pub reachable: usize,
    /// How many there are.
    pub total: usize,
    /// Whether they have a leader; without one, nothing that is lost is replaced.
    pub has_leader: bool,
}
