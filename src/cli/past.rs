//! What an object has been: who changed it, when, and what.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::apply::declared;
use crate::resource::Object;

/// One change, as the operator tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    /// The revision that it made.
    pub revision: i64,
    /// What happened, as a watch says it.
    pub change: String,
    /// The object's generation then.
    pub generation: i64,
    /// Who did it, and from where.
    pub actor: String,
    /// By which verb.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The object then, or as it was last when it was deleted.
    pub object: Object,
}

impl Entry {
    /// Whether it took the object away.
    pub(crate) fn is_end(&self) -> bool {
        self.change == "DELETED"
    }
}

/// A change, and what people declared before and after it.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    /// The change.
    pub entry: &'a Entry,
    /// What was declared; `None` where there was no object.
    pub before: Option<Value>,
    /// What is declared then.
    pub after: Value,
}

/// The changes of what people declare, oldest first; with `all`, those of the status, too.
pub(crate) fn steps(entries: &[Entry], all: bool) -> Vec<Step<'_>> {
    let mut before: Option<Value> = None;
    let mut steps = Vec::new();
    for entry in entries {
        let after = declared(&entry.object);
        if all || entry.change != "MODIFIED" || before.as_ref() != Some(&after) {
            steps.push(Step {
                entry,
                before: before.take(),
                after: after.clone(),
            });
        }
        before = Some(after).filter(|_| !entry.is_end());
    }
    steps
}
