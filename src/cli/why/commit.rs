//! The commit that an object comes from, as the source that declares it tells.

use jiff::Timestamp;
use serde_json::Value;

use super::change::Change;
use super::{Link, Topic};
use crate::cli::{object, sources};
use crate::resource::Key;
use crate::resource::git_source::{Application, ApplicationResult, GitSourceStatus};

/// Which source declares an object, and by which commit it did so last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commit {
    /// As `gitsource/fleet`, with its namespace where that is another than the object's.
    source: String,
    /// What the source keeps applied: `main@1a2b3c4`.
    applied: String,
    /// The application that changed the object last; `None` when the source has forgotten it.
    changed_by: Option<Application>,
    /// How what is pinned is left to the source again; `None` where it is not pinned.
    unpin: Option<String>,
}

impl Commit {
    /// The commit of the one among `sources` that declares `key`; `None` when none does.
    pub(crate) fn of(sources: &[Value], key: &Key, change: Option<&Change>) -> Option<Self> {
        let wanted = key.to_string();
        let (source, status) = sources.iter().find_map(|source| {
            let status: GitSourceStatus = serde_json::from_value(source["status"].clone()).ok()?;
            status.inventory.contains(&wanted).then_some((source, status))
        })?;
        let short =
            change.and_then(|change| change.commit_of(object::namespace(source), object::name(source)));
        let changed_by = status.history.into_iter().find(|application| {
            let is_it = |short: &str| application.revision.starts_with(short);
            application.result == ApplicationResult::Applied && short.is_some_and(is_it)
        });
        Some(Self {
            unpin: sources::tells_of(source, "pinned", key).then(|| object::unpin(key)),
            source: object::key(source)?.seen_from(&key.namespace),
            applied: status.revision.unwrap_or_default(),
            changed_by,
        })
    }

    /// As an answer about the object.
    pub(super) fn link(&self, of: Option<&str>) -> Link {
        let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
        let Self {
            source,
            applied,
            changed_by,
            unpin,
        } = self;
        let at: Option<Timestamp> = changed_by.as_ref().map(|commit| commit.time.0);
        let last = changed_by.as_ref().map(|commit| {
            let short = commit.revision.get(..12).unwrap_or(&commit.revision);
            format!("{short} by {}: {}", commit.author, commit.message)
        });
        let pinned = match unpin {
            Some(_) => "; it is pinned, and left as it is",
            None => "",
        };
        Link {
            at,
            next: unpin
                .as_ref()
                .map(|unpin| format!("`{unpin}` has what is committed applied")),
            ..Link::new(
                Topic::DeclaredBy,
                format!("{of}{source}, of which {applied} is applied{pinned}"),
            )
            .with(last.into_iter().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Kind;

    fn source(name: &str, inventory: &[&str]) -> Value {
        json!({
            "apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": name, "namespace": "default"},
            "status": {"revision": "main@bbbbbbb", "inventory": inventory, "history": [
                {"revision": "bbbbbbbbbbbbbb", "author": "Bob", "message": "Other", "time": "2026-01-02T00:00:00Z",
                 "durationMs": 1, "result": "Applied", "detail": ""},
                {"revision": "aaaaaaaaaaaaaa", "author": "Ada", "message": "More", "time": "2026-01-01T00:00:00Z",
                 "durationMs": 1, "result": "Applied", "detail": ""}]},
        })
    }

    fn change(actor: &str, reason: &str) -> Change {
        let entry = serde_json::from_value(json!({
            "revision": 1, "change": "ADDED", "generation": 1, "actor": actor, "reason": reason,
            "at": "2026-01-01T00:00:00Z",
            "object": {"apiVersion": "chorus.services/v1", "kind": "Team", "metadata": {"name": "pay"}},
        }))
        .unwrap();
        Change::last(&[entry]).unwrap()
    }

    #[test]
    fn the_commit_is_the_one_that_changed_the_object_last() {
        let key = Key::new(Kind::Team, "default", "pay");
        let sources = [source("other", &[]), source("fleet", &["team/default/pay"])];
        let told = |change: &Change| {
            let link = Commit::of(&sources, &key, Some(change)).unwrap().link(None);
            (link.says, link.details, link.at.map(|at| at.to_string()))
        };
        let says = "gitsource/fleet, of which main@bbbbbbb is applied".to_owned();
        let by_commit = change("system:whoosh:gitops:fleet", "apply main@aaaaaaa");
        assert_eq!(
            told(&by_commit),
            (
                says.clone(),
                vec!["aaaaaaaaaaaa by Ada: More".to_owned()],
                Some("2026-01-01T00:00:00Z".to_owned())
            )
        );
        let by_hand = change("unix:uid=0", "apply main@aaaaaaa");
        assert_eq!(told(&by_hand), (says, Vec::new(), None));
        let there = Key::new(Kind::Team, "prod", "pay");
        let elsewhere = [source("fleet", &["team/prod/pay"])];
        let told = Commit::of(&elsewhere, &there, None).unwrap().link(None).says;
        assert_eq!(
            told,
            "gitsource/fleet in default, of which main@bbbbbbb is applied"
        );
        let mut pinned = source("fleet", &["team/default/pay"]);
        pinned["status"]["pinned"] = json!(["team/default/pay"]);
        let told = Commit::of(&[pinned], &key, None).unwrap().link(None);
        assert_eq!(
            told.says,
            "gitsource/fleet, of which main@bbbbbbb is applied; it is pinned, and left as it is"
        );
        assert_eq!(
            told.next.as_deref(),
            Some("`whoosh annotate team/pay chorus.services/pinned-` has what is committed applied")
        );
        let other = Key::new(Kind::Team, "default", "payments");
        assert_eq!(Commit::of(&sources, &other, None), None);
    }
}
