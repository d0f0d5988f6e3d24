//! What an object has been: who changed it, when, and what.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::apply::declared;
use crate::resource::Object;
use crate::resource::names::OPERATOR;

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

/// Which changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Those of what is declared, with the beginning of its end.
    Declared,
    /// These, and whatever else somebody wrote who is not the operator, such as a status.
    ByPeople,
    /// All.
    All,
}

impl Told {
    fn tells(self, entry: &Entry, is_declared: bool) -> bool {
        match self {
            Self::Declared => is_declared,
            Self::ByPeople => is_declared || !entry.actor.starts_with(OPERATOR),
            Self::All => true,
        }
    }
}

/// The changes that are told, oldest first.
pub(crate) fn steps(entries: &[Entry], told: Told) -> Vec<Step<'_>> {
    let mut before: Option<Value> = None;
    let mut was_going = false;
    let mut steps = Vec::new();
    for entry in entries {
        let after = declared(&entry.object);
        let is_going = entry.object.is_deleting();
        let is_declared =
            entry.change != "MODIFIED" || before.as_ref() != Some(&after) || (is_going && !was_going);
        was_going = is_going && !entry.is_end();
        if told.tells(entry, is_declared) {
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
