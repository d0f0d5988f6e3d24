//! Listing and watching what is computed (agents) or kept outside of the log (events): looked at again and again, and the
//! differences told.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::form::Presenter;
use super::kept::{Kept, ListOf, place};
use super::options::ListOptions;
use super::recent::Look;
use super::state::Api;
use super::status::ApiError;
use super::stream::{self, Gone, Lines};
use crate::resource::Revision;

/// How often a watched collection is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The objects of a collection, as JSON. Each gets a resourceVersion that stands for its content.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows(Vec<Value>);

/// Rows by namespace and name.
type ByName = BTreeMap<(String, String), Value>;

impl Rows {
    pub(super) fn new(rows: Vec<Value>) -> Self {
        Self(rows.into_iter().map(versioned).collect())
    }

    fn by_name(self) -> ByName {
        self.0.into_iter().map(|row| (place(&row), row)).collect()
    }
}

/// An object with the resourceVersion that stands for its content.
pub(super) fn versioned(mut row: Value) -> Value {
    if let Some(metadata) = row.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    let version = digest(std::slice::from_ref(&row)).to_string();
    row["metadata"]["resourceVersion"] = json!(version);
    row
}

/// Lists a collection, of a namespace or of all, or watches it when `options` ask for that.
///
/// The list's resourceVersion stands for its content, so a watch that goes on from it misses nothing. It is told what has changed
/// since as long as it is known what was shown ([`Kept`]), and answered with a 410 after that: then its client lists again.
pub(super) async fn answer<F>(
    api: &Api,
    presenter: Presenter,
    namespace: Option<&str>,
    options: &ListOptions,
    look: impl Fn(Look) -> F + Send + 'static,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Rows, ApiError>> + Send,
{
    let of = ListOf {
        kind: (presenter.resource.api_version, presenter.resource.kind),
        namespace: namespace.map(str::to_owned),
        selection: options.selection.clone(),
    };
    if let Some(part) = &options.part {
        let (metadata, rows) = api.kept.go_on(&of, part, options.limit)?;
        return presenter.list(metadata, rows);
    }
    let now = look(Look::Now).await?;
    let revision = digest(&now.0);
    let is_other = |from: Option<Revision>| from.is_some_and(|from| from != revision);
    if !options.watch {
        if options.is_exact() && is_other(options.from) {
            return Err(changed(&presenter));
        }
        let (metadata, rows) = api.kept.begin(&of, revision, now.0, options.limit);
        return presenter.list(metadata, rows);
    }
    let from = options.resumes();
    let start = match from.filter(|from| *from != revision) {
        None => Some((now, revision)),
        Some(from) => api.kept.whole(&of, from).map(|rows| (Rows(rows), from)),
    };
    let kept = api.kept.clone();
    let (shows_present, marks_present) = (options.shows_present(), options.marks_present());
    let (limit, bookmarks) = (options.timeout, options.bookmarks);
    Ok(stream::respond(
        "application/json",
        api.closing.clone(),
        move |lines| async move {
            let Some((now, revision)) = start else {
                return lines.event("ERROR", &changed(&presenter).status()).await;
            };
            let mut shown = Shown {
                kept,
                of,
                rows: BTreeMap::new(),
                place: revision,
                told: from,
            };
            match shows_present {
                true => shown.tell(&lines, &presenter, now.by_name(), revision).await?,
                false => shown.rows = now.by_name(),
            }
            if marks_present {
                lines.bookmark(&presenter, revision, true).await?;
            }
            tokio::select! {
                ended = follow(&lines, &presenter, &mut shown, bookmarks, look) => return ended,
                () = stream::over(limit) => {}
            }
            match bookmarks {
                // The last bookmark is where the client's next watch goes on.
                true => lines.bookmark(&presenter, shown.place, false).await,
                false => Ok(()),
            }
        },
    ))
}

/// What a watcher was shown. When its watch ends, however that happens, its client's next one goes on from here.
struct Shown {
    kept: Kept,
    of: ListOf,
    rows: ByName,
    /// What stands for all of them.
    place: Revision,
    /// What stands for the object that was told last: where clients go on that ask for no bookmarks.
    told: Option<Revision>,
}

impl Shown {
    /// Tells what differs now; `revision` stands for all that there is.
    async fn tell(
        &mut self,
        lines: &Lines,
        presenter: &Presenter,
        now: ByName,
        revision: Revision,
    ) -> Result<(), Gone> {
        for (word, row) in differences(&self.rows, &now, revision) {
            lines.object(word, presenter, &row).await?;
            let version = row.pointer("/metadata/resourceVersion").and_then(Value::as_str);
            self.told = version.and_then(Revision::parse).or(self.told);
        }
        self.rows = now;
        Ok(())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let revisions = [self.place].into_iter().chain(self.told);
        let revisions: Vec<Revision> = revisions.collect();
        self.kept.remember(&self.of, &revisions, self.rows.values());
    }
}

/// What a revision stood for is not what there is now.
fn changed(presenter: &Presenter) -> ApiError {
    ApiError::Expired(format!(
        "too old resource version: the {}s changed since; list again",
        presenter.resource.kind
    ))
}

/// Tells what differs from look to look.
async fn follow<F>(
    lines: &Lines,
    presenter: &Presenter,
    shown: &mut Shown,
    bookmarks: bool,
    look: impl Fn(Look) -> F,
) -> Result<(), Gone>
where
    F: Future<Output = Result<Rows, ApiError>>,
{
    loop {
        sleep(PERIOD).await;
        match look(Look::Recent).await {
            Ok(rows) => {
                let revision = digest(&rows.0);
                shown.tell(lines, presenter, rows.by_name(), revision).await?;
                // What was told has a revision of its own; one to go on from is that of the whole.
                if revision != std::mem::replace(&mut shown.place, revision) && bookmarks {
                    lines.bookmark(presenter, revision, false).await?;
                }
            }
            Err(error) => tracing::debug!(%error, "a watched collection cannot be looked at now"),
        }
    }
}

/// What differs between two states, of which `revision` stands for the newer one.
fn differences<'a>(
    old: &'a ByName,
    new: &'a ByName,
    revision: Revision,
) -> Vec<(&'static str, Cow<'a, Value>)> {
    let gone = old.iter().filter(|(name, _)| !new.contains_key(name));
    let gone = gone.map(|(_, row)| ("DELETED", Cow::Owned(ended(row, revision))));
    let there = new.iter().filter_map(|(name, row)| match old.get(name) {
        None => Some(("ADDED", Cow::Borrowed(row))),
        Some(before) if before != row => Some(("MODIFIED", Cow::Borrowed(row))),
        Some(_) => None,
    });
    gone.chain(there).collect()
}

/// An object that is gone, as it was last. That it is gone has a revision of its own.
fn ended(row: &Value, revision: Revision) -> Value {
    let mut row = row.clone();
    let end = digest(&[row.clone(), json!(revision.to_string())]);
    row["metadata"]["resourceVersion"] = json!(end.to_string());
    row
}

/// A revision above 0 that stands for the content of some rows.
fn digest(rows: &[Value]) -> Revision {
    let mut hasher = Sha256::new();
    for row in rows {
        hasher.update(row.to_string());
        hasher.update([0]);
    }
    let hash = hasher.finalize();
    let head = hash
        .iter()
        .take(6)
        .fold(0, |number, byte| number << 8 | i64::from(*byte));
    Revision(head + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "default"}, "status": {"state": state}})
    }

    #[test]
    fn what_differs_is_told_once() {
        let old = Rows::new(vec![row("a", "Ready"), row("b", "Ready"), row("c", "Ready")]).by_name();
        let new = Rows::new(vec![row("a", "Ready"), row("b", "Failed"), row("d", "Ready")]).by_name();
        let differences = differences(&old, &new, Revision(7));
        let told: Vec<(&str, &str)> = differences
            .iter()
            .map(|(word, row)| (*word, row["metadata"]["name"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("DELETED", "c"), ("MODIFIED", "b"), ("ADDED", "d")]);
        let before = &old[&("default".to_owned(), "c".to_owned())];
        let version = |row: &Value| row["metadata"]["resourceVersion"].clone();
        assert_ne!(version(&differences[0].1), version(before));
    }

    #[test]
    fn a_revision_stands_for_the_content() {
        let rows = Rows::new(vec![row("a", "Ready")]);
        assert_eq!(Rows::new(rows.0.clone()), rows);
        assert_eq!(digest(&rows.0), digest(&rows.0));
        let other = Rows::new(vec![row("a", "Failed")]);
        assert_ne!(digest(&rows.0), digest(&other.0));
        assert_ne!(
            rows.0[0]["metadata"]["resourceVersion"],
            other.0[0]["metadata"]["resourceVersion"]
        );
        assert!(digest(&[]) > Revision(0));
    }
}
