//! Follows what is selected: a list, then every change, over lost connections and restarts of the operator.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::{Stream, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::client::{Client, ClientError, Collection, LineStream};
use super::object;

/// How soon a lost connection is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long the operator may be away before that is an error.
const AWAY: Duration = Duration::from_secs(60);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It is new, or new to the selection.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or out of the selection.
    Deleted,
}

impl Happened {
    /// The word that a watch has for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Happened::Added => "ADDED",
            Happened::Modified => "MODIFIED",
            Happened::Deleted => "DELETED",
        }
    }
}

/// One change, with the object as it is, or as it was when it went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// What happened.
    pub happened: Happened,
    /// The object.
    pub object: Value,
}

/// A place in the history of what is selected.
pub(crate) struct Follower {
    client: Client,
    collection: Collection,
    /// What the reader was told, by namespace and name.
    known: BTreeMap<(String, String), Value>,
    revision: String,
    lines: Option<LineStream>,
    told: VecDeque<Change>,
}

#[derive(Deserialize)]
struct WatchEvent {
    #[serde(rename = "type")]
    type_: String,
    object: Value,
}

impl Follower {
    /// Lists what is selected now, and follows it from there.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub(super) async fn start(
        client: Client,
        collection: impl Into<Collection>,
    ) -> Result<(Vec<Value>, Self), ClientError> {
        let collection = collection.into();
        let listed = client.list_all(&collection).await?;
        let known = by_name(listed.items.clone());
        let follower = Self {
            client,
            collection,
            known,
            revision: listed.revision,
            lines: None,
            told: VecDeque::new(),
        };
        Ok((listed.items, follower))
    }

    /// Every change from here on. Ends after an error.
    pub(super) fn changes(self) -> impl Stream<Item = Result<Change, ClientError>> + Send {
        stream::try_unfold(self, |mut follower| async move {
            let change = follower.next().await?;
            Ok(Some((change, follower)))
        })
    }

    /// The next change; waits until there is one. May be cancelled and called again.
    ///
    /// # Errors
    /// When the operator refuses, or is away for long.
    async fn next(&mut self) -> Result<Change, ClientError> {
        let mut away_since: Option<Instant> = None;
        loop {
            if let Some(change) = self.told.pop_front() {
                return Ok(change);
            }
            match self.step().await {
                Ok(()) => away_since = None,
                Err(error) if error.is_transient() => {
                    self.lines = None;
                    let since = *away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > AWAY {
                        return Err(error);
                    }
                    sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one line of the watch, or opens it, or lists once more.
    async fn step(&mut self) -> Result<(), ClientError> {
        let Some(lines) = &mut self.lines else {
            return match self.client.watch(&self.collection, &self.revision).await {
                Ok(lines) => {
                    self.lines = Some(lines);
                    Ok(())
                }
                Err(error) if error.is_gone() => self.relist().await,
                Err(error) => Err(error),
            };
        };
        match lines.next().await? {
            Some(line) => self.read(&line).await,
            None => {
                self.lines = None;
                // A server that closes at once must not be asked in a tight loop.
                sleep(RETRY).await;
                Ok(())
            }
        }
    }

    async fn read(&mut self, line: &str) -> Result<(), ClientError> {
        let WatchEvent { type_, object } = serde_json::from_str(line).map_err(ClientError::Unreadable)?;
        let happened = match type_.as_str() {
            "ADDED" => Happened::Added,
            "MODIFIED" => Happened::Modified,
            "DELETED" => Happened::Deleted,
            "ERROR" => return self.read_error(object).await,
            _ => {
                self.revision = object::revision(&object).to_owned();
                return Ok(());
            }
        };
        self.revision = object::revision(&object).to_owned();
        self.tell(happened, self.collection.typed(object));
        Ok(())
    }

    async fn read_error(&mut self, object: Value) -> Result<(), ClientError> {
        self.lines = None;
        let status = Status::deserialize(&object).map_err(ClientError::Unreadable)?;
        let error = ClientError::Refused(Box::new(status));
        if error.is_gone() {
            self.relist().await
        } else {
            Err(error)
        }
    }

    async fn relist(&mut self) -> Result<(), ClientError> {
        // What changes all the time must not be listed all the time.
        sleep(RETRY).await;
        let listed = self.client.list_all(&self.collection).await?;
        self.revision = listed.revision;
        let now = by_name(listed.items);
        for change in differences(&self.known, now) {
            self.tell(change.happened, change.object);
        }
        Ok(())
    }

    fn tell(&mut self, happened: Happened, object: Value) {
        let name = name_of(&object);
        match happened {
            Happened::Deleted => self.known.remove(&name),
            Happened::Added | Happened::Modified => self.known.insert(name, object.clone()),
        };
        self.told.push_back(Change { happened, object });
    }
}

fn name_of(object: &Value) -> (String, String) {
    (
        object::namespace(object).to_owned(),
        object::name(object).to_owned(),
    )
}

fn by_name(objects: Vec<Value>) -> BTreeMap<(String, String), Value> {
    objects
        .into_iter()
        .map(|object| (name_of(&object), object))
        .collect()
}

fn differences(
    before: &BTreeMap<(String, String), Value>,
    now: BTreeMap<(String, String), Value>,
) -> Vec<Change> {
    let gone = before.iter().filter(|(name, _)| !now.contains_key(*name));
    let mut changes: Vec<Change> = gone
        .map(|(_, object)| Change {
            happened: Happened::Deleted,
            object: object.clone(),
        })
        .collect();
    for (name, object) in now {
        let happened = match before.get(&name) {
            None => Happened::Added,
            Some(old) if *old != object => Happened::Modified,
            Some(_) => continue,
        };
        changes.push(Change { happened, object });
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_lists_differ_by_what_came_changed_and_went() {
        let object =
            |name: &str, state: &str| json!({"metadata": {"name": name}, "status": {"state": state}});
        let before = by_name(vec![
            object("gone", "x"),
            object("same", "x"),
            object("changed", "x"),
        ]);
        let now = by_name(vec![
            object("same", "x"),
            object("changed", "y"),
            object("new", "x"),
        ]);
        let told: Vec<(Happened, String)> = differences(&before, now)
            .into_iter()
            .map(|change| (change.happened, object::name(&change.object).to_owned()))
            .collect();
        assert_eq!(
            told,
            [
                (Happened::Deleted, "gone".to_owned()),
                (Happened::Modified, "changed".to_owned()),
                (Happened::Added, "new".to_owned()),
            ]
        );
    }
}
