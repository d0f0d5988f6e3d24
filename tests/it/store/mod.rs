//! The store against a real Postgres.

mod batch;
mod cancellation;
mod events;
mod faults;
mod killed;
mod leases;
mod objects;
mod setting_up;
mod tokens;
mod watching;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use whoosh::resource::{Key, Kind, Object, Revision};
use whoosh::store::{Change, Epoch, Op, Store, StoreError, WatchError, Write};

use crate::harness::postgres::{Database, database};

/// Nothing here takes this long; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store on a database of its own.
async fn store() -> (Database, Store) {
    let database = database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    (database, store)
}

fn key(name: &str) -> Key {
    Key::new(Kind::Team, "default", name)
}

/// A Team as the API would hand it over.
fn team(name: &str, spec: Value) -> Object {
    let mut object = Object::new(&key(name), spec);
    object.metadata.uid = Some(format!("uid-of-{name}"));
    object.metadata.generation = Some(1);
    object
}

fn write(op: Op) -> Write {
    Write {
        op,
        actor: "ann".to_owned(),
        reason: "a test".to_owned(),
        epoch: None,
    }
}

fn led(op: Op, epoch: Epoch) -> Write {
    Write {
        epoch: Some(epoch),
        ..write(op)
    }
}

async fn create(store: &Store, name: &str) -> Object {
    let object = team(name, json!({"project": name}));
    store.write(write(Op::Create(object))).await.unwrap()
}

/// The operation that stores `object` over what it was read from.
fn replace(object: &Object) -> Op {
    Op::Update {
        expected: object.revision().unwrap(),
        object: object.clone(),
    }
}

async fn update(store: &Store, object: &Object, spec: Value) -> Result<Object, StoreError> {
    let mut object = object.clone();
    object.spec = spec;
    store.write(write(replace(&object))).await
}

async fn remove(store: &Store, object: &Object) -> Result<Object, StoreError> {
    let (key, expected) = (object.key(), object.revision().unwrap());
    store.write(write(Op::Remove { key, expected })).await
}

/// A watch that ends the test rather than hang.
struct Watch(Pin<Box<dyn Stream<Item = Result<Arc<Change>, WatchError>> + Send>>);

impl Watch {
    fn new(store: &Store, from: i64) -> Self {
        Self(Box::pin(store.watch(Revision(from))))
    }

    async fn next(&mut self) -> Result<Change, WatchError> {
        let item = timeout(PATIENCE, self.0.next()).await;
        item.expect("a watch that waits for ever")
            .expect("a watch that ended without an error")
            .map(Arc::unwrap_or_clone)
    }

    /// The next `count` changes, which must be consecutive.
    async fn take(&mut self, count: usize) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        while changes.len() < count {
            let change = self.next().await.unwrap();
            assert_eq!(change.object.revision(), Some(change.revision));
            if let Some(last) = changes.last() {
                assert_eq!(
                    change.revision.0,
                    last.revision.0 + 1,
                    "revisions are consecutive"
                );
            }
            changes.push(change);
        }
        changes
    }
}
