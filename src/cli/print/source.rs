//! What is described of a GitSource beside what all objects have.

use jiff::Timestamp;

use super::paint::Tone;
use super::table::{Cell, Table};
use crate::resource::age::age;
use crate::resource::git_source::{Application, FetchedCommit, GitSourceStatus, ObjectHealth, SourceHealth};
use crate::resource::names::hook_path;
use crate::resource::{Key, Kind};

/// Applications that are told: what came before stands in the status.
const APPLICATIONS_MAX: usize = 10;
/// Characters of a commit's hash that are told.
const SHORT: usize = 12;

pub(super) const APPLICATION: [&str; 6] = ["Revision", "Result", "Age", "Took", "Author", "Detail"];
pub(super) const HEALTH: [&str; 3] = ["Name", "Status", "Message"];

/// How it stands, one line for each thing.
pub(super) fn summary(status: &GitSourceStatus, head: &mut Table) {
    let ready = Cell::toned(&status.ready, Tone::of_state(&status.ready));
    head.row([Cell::from("Ready:"), ready]);
    head.row(["Message:".into(), Cell::or_none(&status.message)]);
    let applied = status.revision.as_deref().unwrap_or_default();
    head.row(["Applied:".into(), Cell::or_none(applied)]);
    let fetched = status.fetched.as_ref().map(fetched).unwrap_or_default();
    head.row(["Fetched:".into(), Cell::or_none(&fetched)]);
    let attempted = status.attempted_revision.as_deref().map(short);
    head.row(["Attempted:".into(), Cell::or_none(attempted.unwrap_or_default())]);
    let SourceHealth { ready, total, .. } = status.health.clone().unwrap_or_default();
    head.row(["Health:".to_owned(), format!("{ready} of {total} are ready")]);
    for (index, object) in status.inventory.iter().enumerate() {
        head.row([if index == 0 { "Declares:" } else { "" }, object]);
    }
}

/// Where its repository's server tells of pushes.
pub(super) fn webhook(namespace: &str, name: &str, secret: &str, head: &mut Table) {
    let path = hook_path(&Key::new(Kind::GitSource, namespace, name));
    head.row([
        "Webhook:".to_owned(),
        format!("{path} (signed with the file `webhook` of secret {secret})"),
    ]);
}

/// `main@1a2b3c4d5e6f by Ada <ada@example.org>, "Make room"`.
fn fetched(commit: &FetchedCommit) -> String {
    let FetchedCommit {
        revision,
        reference,
        author,
        message,
        signer,
    } = commit;
    let signed = signer.as_ref().map(|signer| format!(", signed by {signer}"));
    format!(
        "{reference}@{} by {author}, \"{message}\"{}",
        short(revision),
        signed.unwrap_or_default()
    )
}

fn short(revision: &str) -> &str {
    revision.get(..SHORT).unwrap_or(revision)
}

/// Its teams and councils that are not ready.
pub(super) fn not_ready(status: &GitSourceStatus) -> Vec<Vec<Cell>> {
    let all = status.health.iter().flat_map(|health| &health.not_ready);
    let rows = all.map(
        |ObjectHealth {
             object,
             state,
             message,
         }| {
            vec![
                object.into(),
                Cell::toned(state, Tone::of_state(state)),
                Cell::or_none(message),
            ]
        },
    );
    rows.collect()
}

/// What was applied or refused last, the newest first.
pub(super) fn applications(status: &GitSourceStatus, now: Timestamp) -> Vec<Vec<Cell>> {
    let rows = status.history.iter().take(APPLICATIONS_MAX).map(|application| {
        let Application {
            revision,
            author,
            message: _,
            time,
            duration_ms,
            result,
            detail,
        } = application;
        vec![
            short(revision).into(),
            format!("{result:?}").into(),
            age(time.0, now).into(),
            format!("{duration_ms}ms").into(),
            author.into(),
            detail.into(),
        ]
    });
    rows.collect()
}
