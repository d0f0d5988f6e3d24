//! What storing an object would come to: answered by the API's `plan` subresource, printed by `whoosh diff`.

use serde::{Deserialize, Serialize};

use super::object::Object;
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
    /// What would happen to agents: the object's own or, for an AgentTemplate, those of everything that uses it.
    pub preview: Preview,
}
