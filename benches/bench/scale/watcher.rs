//! A watcher of all teams through the API, that notes when each change reached it.

use std::time::{Instant, SystemTime};

use reqwest::Client;
use serde_json::Value;
use tokio::sync::mpsc;

use super::stage::PATIENCE;

/// One change as it arrived.
pub(super) struct Change {
    pub(super) at: Instant,
    /// The same by the clock that Postgres reads, too.
    pub(super) wall: SystemTime,
    pub(super) revision: i64,
    object: Value,
}

impl Change {
    fn is_of(&self, team: &str) -> bool {
        self.object.pointer("/metadata/name").and_then(Value::as_str) == Some(team)
    }

    /// The generation that the status speaks of.
    pub(super) fn observed(&self) -> Option<i64> {
        self.object
            .pointer("/status/observedGeneration")
            .and_then(Value::as_i64)
    }

    /// Whether all agents run.
    pub(super) fn is_ready(&self) -> bool {
        let conditions = self
            .object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        conditions.is_some_and(|conditions| conditions.iter().any(ready))
    }
}

/// The changes as they arrive.
pub(super) struct Watcher(mpsc::UnboundedReceiver<Change>);

impl Watcher {
    /// Follows the teams from `revision` on.
    pub(super) async fn follow(client: &Client, revision: &str) -> Self {
        let url = format!(
            "http://whoosh/apis/chorus.services/v1/namespaces/default/teams?watch=true&resourceVersion={revision}"
        );
        let mut answer = client.get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut lines = Lines::default();
            while let Ok(Some(chunk)) = answer.chunk().await {
                let (at, wall) = (Instant::now(), SystemTime::now());
                for line in lines.push(&chunk) {
                    let mut event: Value = serde_json::from_slice(&line).unwrap();
                    let object = event["object"].take();
                    let version = object.pointer("/metadata/resourceVersion");
                    let revision = version.and_then(Value::as_str).unwrap().parse().unwrap();
                    let change = Change {
                        at,
                        wall,
                        revision,
                        object,
                    };
                    if sender.send(change).is_err() {
                        return;
                    }
                }
            }
        });
        Self(receiver)
    }

    /// The next change of `team` that `fits`; those before it are put into `seen`.
    pub(super) async fn until(
        &mut self,
        team: &str,
        seen: &mut Vec<(i64, SystemTime)>,
        fits: impl Fn(&Change) -> bool,
    ) -> Change {
        let wait = async {
            loop {
                let change = self.0.recv().await.unwrap();
                seen.push((change.revision, change.wall));
                if change.is_of(team) && fits(&change) {
                    return change;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("nobody tells of {team} what is awaited"))
    }
}

/// Lines out of the pieces in which they come.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// The lines that `piece` completes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(piece);
        let Some(end) = self.0.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.0.split_off(end + 1);
        let whole = std::mem::replace(&mut self.0, rest);
        let lines = whole.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }
}
