//! What storing an object would come to: answered by the API's `plan` subresource, printed by `whoosh diff`.

use serde::{Deserialize, Serialize};

use super::object::{Key, Object};
use super::preview::Preview;

/// A proposed object beside the stored one, and what the Swarm would go through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// What is stored now; absent when the object would be new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Object>,
    /// What would be stored.
    pub proposed: Object,
    /// What would happen to the object's own agents; empty for a kind that owns none.
    pub preview: Preview,
    /// For an AgentTemplate: what would happen to the agents of each object that uses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserPreview>,
}

/// What a changed AgentTemplate would do to one of its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserPreview {
    /// The Team or Council.
    pub object: Key,
    /// What would happen to its agents.
    pub preview: Preview,
}
