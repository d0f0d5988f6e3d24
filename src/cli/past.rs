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
    /// Those of the spec of what is there then.
    Spec,
    /// Those of what is declared, with the beginning of its end.
    Declared,
    /// These, and whatever else somebody wrote who is not the operator, such as a status.
    ByPeople,
    /// All.
    All,
}

impl Told {
    fn tells(self, entry: &Entry, is_spec: bool, is_declared: bool) -> bool {
        match self {
            Self::Spec => is_spec && !entry.is_end(),
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
        let is_spec = before.as_ref().map(|before| &before["spec"]) != Some(&after["spec"]);
        was_going = is_going && !entry.is_end();
        if told.tells(entry, is_spec, is_declared) {
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

/// Why there is no state to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// The object has had one spec alone.
    Unchanged,
    /// Nobody knows of this revision.
    Unknown(i64),
}

/// The state with the spec to go back to: that at `revision`, or else the one before the last change of the spec of the object
/// that is there now.
///
/// # Errors
/// Why there is none.
pub(crate) fn before_last(entries: &[Entry], revision: Option<i64>) -> Result<&Entry, Nowhere> {
    if let Some(revision) = revision {
        let found = entries.iter().find(|entry| entry.revision == revision);
        return found.ok_or(Nowhere::Unknown(revision));
    }
    let born = entries.iter().rposition(Entry::is_end).map_or(0, |end| end + 1);
    let mut steps = steps(entries.get(born..).unwrap_or_default(), Told::Spec);
    steps.pop();
    steps.pop().map(|step| step.entry).ok_or(Nowhere::Unchanged)
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

    /// `ADDED a` is an object that is new, with the spec `a`; `MODIFIED a b` has it labelled `b`, too.
    fn history(changes: &[&str]) -> Vec<Entry> {
        let entries = changes.iter().zip(1..).map(|(change, revision)| {
            let mut words = change.split(' ');
            let (change, spec) = (words.next().unwrap(), words.next().unwrap());
            serde_json::from_value(json!({
                "revision": revision, "change": change, "generation": 1, "actor": "unix:uid=0", "reason": "patch",
                "at": "2026-01-01T00:00:00Z",
                "object": {"apiVersion": "chorus.services/v1", "kind": "Team",
                           "metadata": {"name": "x", "labels": {"tier": words.next().unwrap_or_default()}},
                           "spec": {"project": spec}, "status": {"seen": revision}},
            }))
            .unwrap()
        });
        entries.collect()
    }

    #[test]
    fn what_is_gone_back_to_is_the_spec_before_the_last_change_of_it() {
        let (added, status, label) = ("ADDED a", "MODIFIED a", "MODIFIED a web");
        for (changes, expected) in [
            (&[added, status, label][..], Err(Nowhere::Unchanged)),
            (&[added, status, "MODIFIED b", "MODIFIED b web"], Ok(1)),
            (&[added, "MODIFIED b", status], Ok(2)),
            (&[added, "MODIFIED b", "MODIFIED c", "MODIFIED b"], Ok(3)),
            // Older ones are forgotten.
            (&[status, label, "MODIFIED b"], Ok(1)),
            // What had the name before is another one.
            (
                &[added, "MODIFIED b", "DELETED b", "ADDED c"],
                Err(Nowhere::Unchanged),
            ),
            (&[added, "DELETED a", "ADDED b", "MODIFIED c"], Ok(3)),
            (&[added, "MODIFIED b", "DELETED b"], Err(Nowhere::Unchanged)),
            (&[], Err(Nowhere::Unchanged)),
        ] {
            let entries = history(changes);
            let found = before_last(&entries, None).map(|entry| entry.revision);
            assert_eq!(found, expected, "{changes:?}");
        }
        let entries = history(&[added, status, "MODIFIED b"]);
        let named = |revision| before_last(&entries, Some(revision)).map(|entry| entry.revision);
        assert_eq!(named(2), Ok(2));
        assert_eq!(named(4), Err(Nowhere::Unknown(4)));
    }

    #[test]
    fn the_changes_of_the_spec_are_told_alone() {
        let entries = history(&[
            "ADDED a",
            "MODIFIED a",
            "MODIFIED a web",
            "MODIFIED b web",
            "DELETED b web",
            "ADDED b",
        ]);
        let told = |told| -> Vec<i64> {
            steps(&entries, told)
                .iter()
                .map(|step| step.entry.revision)
                .collect()
        };
        assert_eq!(told(Told::Spec), [1, 4, 6]);
        assert_eq!(told(Told::Declared), [1, 3, 4, 5, 6]);
    }
}
