//! What a change would do to the Swarm: sent by the API, printed by `whoosh diff`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A plan, before anybody carries it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preview {
    /// What would change, in plan order.
    pub changes: Vec<PreviewChange>,
    /// What stands in the way.
    pub blocked: Vec<PreviewBlocked>,
    /// How many running agents would be stopped, for good or for a restart.
    pub interrupted: u32,
    /// Whether nothing would be done because the workload is suspended.
    pub suspended: bool,
}

/// How deep a change cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PreviewKind {
    /// `+`: something new.
    Create,
    /// `-`: something goes.
    Remove,
    /// `+/-`: the agent is stopped and started.
    Replace,
    /// `~`: changed in place, the agent runs on.
    InPlace,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewChange {
    /// How deep it cuts.
    pub action: PreviewKind,
    /// `service`, `network`, `secret` or `config`.
    pub kind: String,
    /// Its name in the Swarm.
    pub name: String,
    /// The fields that differ.
    pub fields: Vec<PreviewField>,
}

/// One field that differs, with secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewField {
    /// Its path, for example `container.env.RUST_LOG`.
    pub field: String,
    /// What is live; absent when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What is desired; absent when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// An agent that cannot be brought about, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewBlocked {
    /// The agent, as `reviewer.2`.
    pub agent: String,
    /// One CamelCase word for machines.
    pub reason: String,
    /// What to do next.
    pub message: String,
}

impl Preview {
    /// Whether nothing would change and nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.blocked.is_empty()
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
