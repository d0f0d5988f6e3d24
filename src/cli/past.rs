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
        let is_declared = match &before {
            // Of what is older than all that is told, nobody knows what it was.
            None => entry.change != "MODIFIED" || entry.reason != "status",
            Some(before) => entry.is_end() || *before != after || (is_going && !was_going),
        };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Key, Kind};

    const CONTROLLER: &str = "system:whoosh:controller";

    fn entry(
        revision: i64,
        (change, actor, reason): (&str, &str, &str),
        project: &str,
        is_going: bool,
    ) -> Entry {
        let mut object = Object::new(&Key::new(Kind::Team, "default", "a"), json!({"project": project}));
        object.metadata.deletion_timestamp =
            is_going.then(|| serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        Entry {
            revision,
            change: change.to_owned(),
            generation: 1,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            object,
        }
    }

    #[test]
    fn people_are_told_of_whatever_is_not_the_operators_own_word() {
        let modified = |actor, reason| ("MODIFIED", actor, reason);
        let history = [
            entry(1, ("ADDED", "ada", "create"), "x", false),
            entry(2, modified(CONTROLLER, "status"), "x", false),
            entry(3, modified("ada", "status"), "x", false),
            entry(4, modified("bob", "patch"), "y", false),
            entry(5, modified(CONTROLLER, "status"), "y", false),
            entry(6, modified("eve", "delete"), "y", true),
            entry(7, modified(CONTROLLER, "status"), "y", true),
            entry(8, ("DELETED", CONTROLLER, "finalized"), "y", true),
        ];
        let revisions = |entries: &[Entry], told| -> Vec<i64> {
            let steps = steps(entries, told);
            steps.iter().map(|step| step.entry.revision).collect()
        };
        assert_eq!(revisions(&history, Told::Declared), [1, 4, 6, 8]);
        assert_eq!(revisions(&history, Told::ByPeople), [1, 3, 4, 6, 8]);
        assert_eq!(revisions(&history, Told::All), [1, 2, 3, 4, 5, 6, 7, 8]);
        // Of what is older, nothing is known: a status is no change of what is declared.
        assert_eq!(revisions(&history[1..5], Told::Declared), [4]);
    }
}
