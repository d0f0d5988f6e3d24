//! A commit that is applied: what is told of it, what the source owns by then, and what was put back.

use std::collections::BTreeSet;
use std::time::Duration;

use super::commit::Outcome;
use super::source::Source;
use super::status::{Changes, Ended};
use crate::api;
use crate::resource::Key;
use crate::resource::git_source::FetchedCommit;
use crate::resource::prune::{self, Pruned};
use crate::store::Op;

/// A commit that nothing holds up.
pub(super) struct Accepted {
    pub(super) commit: FetchedCommit,
    pub(super) declared: BTreeSet<Key>,
    pub(super) pruned: Pruned,
    pub(super) missing: Vec<String>,
    pub(super) changes: api::Changes,
    pub(super) differs: bool,
}

/// The end of a turn that applies a commit.
pub(super) fn applied(source: &Source, accepted: Accepted, duration: Duration) -> Outcome {
    let Accepted {
        commit,
        declared,
        pruned,
        missing,
        changes,
        differs,
    } = accepted;
    let is_this = source.status.applied_revision.as_ref() == Some(&commit.revision);
    let is_same = is_this && source.status.applied_generation == Some(source.object.generation());
    let is_all_others = (is_same || source.status.suspended) && !differs;
    let put_back = match is_this {
        true => put_back(source, &changes, is_all_others),
        // What another commit sets it need not have set before.
        false => Vec::new(),
    };
    // Another tag is another version, also of the same commit.
    let before = source.status.fetched.as_ref();
    let is_renamed = before.is_some_and(|before| before.reference != commit.reference);
    let is_told = !is_same || is_renamed || !pruned.remove.is_empty() || (differs && !changes.ops.is_empty());
    let told = told(&changes, &pruned, source.object.namespace());
    let kept: Vec<String> = pruned.kept.iter().map(Key::to_string).collect();
    let mut inventory = declared;
    inventory.extend(pruned.kept);
    inventory.extend(pruned.pinned);
    inventory.extend(changes.pinned.iter().cloned());
    let ended = Ended::Applied {
        inventory: inventory.iter().map(Key::to_string).collect(),
        kept,
        missing,
        changes: is_told.then(|| Changes {
            told,
            duration_ms: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
        }),
        commit,
    };
    Outcome {
        ended,
        changes,
        put_back,
    }
}

/// What of the changes puts back what others changed: all of what the source had before, or, by another spec or other values, what
/// they set or deleted.
fn put_back(source: &Source, changes: &api::Changes, is_all_others: bool) -> Vec<Key> {
    let inventory = source.inventory();
    let is_lost = |op: &Op, key: &Key| matches!(op, Op::Create(_)) || changes.overridden.contains(key);
    let written = changes
        .ops
        .iter()
        .filter_map(|op| Some((op, op.written()?.key())));
    written
        .filter(|(op, key)| inventory.contains(key) && (is_all_others || is_lost(op, key)))
        .map(|(_, key)| key)
        // What was pinned until now is told of as that.
        .filter(|key| !source.status.pinned.contains(&key.to_string()))
        .collect()
}

/// `2 created, 1 configured, 1 deleted`.
fn told(changes: &api::Changes, pruned: &Pruned, here: &str) -> String {
    let api::Changes {
        ops: _,
        created,
        configured,
        deleted,
        pinned,
        ..
    } = changes;
    let counts = [
        (*created, "created"),
        (*configured, "configured"),
        (*deleted, "deleted"),
        (pruned.kept.len(), "kept that left the repository"),
        (pinned.len() + pruned.pinned.len(), "pinned"),
    ];
    let told = counts.into_iter().filter(|(count, _)| *count > 0);
    let mut told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    if !pruned.left.is_empty() {
        let (count, names) = (pruned.left.len(), prune::list(&pruned.left, here));
        told.push(format!(
            "{count} no longer declared here and left as they are ({names})"
        ));
    }
    match told.is_empty() {
        true => "nothing changed".to_owned(),
        false => told.join(", "),
    }
}
