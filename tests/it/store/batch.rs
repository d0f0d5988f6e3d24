//! Several changes at once: all of them, in order, or none.

use std::time::Duration;

use serde_json::json;
use whoosh::resource::{Object, Revision};
use whoosh::store::{Batch, ChangeKind, Epoch, LEADER_LEASE, Op, Store, StoreError};

use super::{Watch, create, key, replace, store, team};

fn batch(ops: Vec<Op>) -> Batch {
    Batch {
        ops,
        actor: "ann".to_owned(),
        reason: "a test".to_owned(),
        epoch: None,
    }
}

fn changed(object: &Object) -> Op {
    let mut object = object.clone();
    object.spec = json!({"project": "changed"});
    replace(&object)
}

fn removed(object: &Object) -> Op {
    Op::Remove {
        key: object.key(),
        expected: object.revision().unwrap(),
    }
}

async fn names(store: &Store) -> Vec<String> {
    let listed = store.list(key("any").kind, None).await.unwrap();
    let name = |object: &Object| format!("{} {}", object.name(), object.spec["project"].as_str().unwrap());
    listed.items.iter().map(name).collect()
}

#[tokio::test]
async fn all_of_a_batch_is_told_in_its_order() {
    let (_database, store) = store().await;
    let (a, b) = (create(&store, "a").await, create(&store, "b").await);
    let new = team("c", json!({"project": "c"}));
    let mut watch = Watch::new(&store, b.revision().unwrap().0);
    let written = store
        .write_all(batch(vec![removed(&b), Op::Create(new), changed(&a)]))
        .await
        .unwrap();
    assert_eq!(written[&key("b")].spec["project"], "b", "as it was last");
    let told: Vec<_> = watch
        .take(3)
        .await
        .into_iter()
        .map(|change| (change.kind, change.object.name().to_owned()))
        .collect();
    let expected = [
        (ChangeKind::Deleted, "b".to_owned()),
        (ChangeKind::Added, "c".to_owned()),
        (ChangeKind::Modified, "a".to_owned()),
    ];
    assert_eq!(told, expected);
    assert_eq!(names(&store).await, ["a changed", "c c"]);
    let stored = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(Some(&stored), written.get(&key("a")));
    assert_eq!(store.revision().await.unwrap(), Revision(5));
    assert!(store.write_all(batch(Vec::new())).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_with_one_write_that_cannot_be_writes_nothing() {
    let (_database, store) = store().await;
    let (a, b) = (create(&store, "a").await, create(&store, "b").await);
    store.write_all(batch(vec![changed(&b)])).await.unwrap();
    let before = (names(&store).await, store.revision().await.unwrap());

    let stale = store.write_all(batch(vec![changed(&a), removed(&b)])).await;
    assert!(
        matches!(&stale, Err(StoreError::Conflict { key: conflicting, .. }) if *conflicting == key("b")),
        "{stale:?}"
    );
    let again = team("b", json!({"project": "again"}));
    let taken = store.write_all(batch(vec![changed(&a), Op::Create(again)])).await;
    assert!(
        matches!(&taken, Err(StoreError::AlreadyExists(taken)) if *taken == key("b")),
        "{taken:?}"
    );
    let mut gone = b.clone();
    gone.metadata.name = Some("gone".to_owned());
    let missing = store.write_all(batch(vec![changed(&a), changed(&gone)])).await;
    assert!(
        matches!(&missing, Err(StoreError::NotFound(missing)) if *missing == key("gone")),
        "{missing:?}"
    );
    assert_eq!((names(&store).await, store.revision().await.unwrap()), before);
}

#[tokio::test]
async fn a_batch_of_a_leader_that_was_replaced_writes_nothing() {
    let (_database, store) = store().await;
    let a = create(&store, "a").await;
    let minute = Duration::from_secs(60);
    store
        .acquire_lease(LEADER_LEASE, "ann", minute)
        .await
        .unwrap()
        .unwrap();
    let led = |epoch| Batch {
        epoch: Some(Epoch(epoch)),
        ..batch(vec![changed(&a)])
    };
    let stale = store.write_all(led(0)).await;
    assert!(matches!(stale, Err(StoreError::StaleLeader)), "{stale:?}");
    assert_eq!(names(&store).await, ["a a"]);
    store.write_all(led(1)).await.unwrap();
    assert_eq!(names(&store).await, ["a changed"]);
}

#[tokio::test]
async fn batches_of_many_writers_lose_nothing() {
    const WRITERS: usize = 8;
    let (_database, store) = store().await;
    for name in ["a", "b", "c"] {
        create(&store, name).await;
    }
    let writers = (0..WRITERS).map(|writer| {
        let store = &store;
        async move {
            loop {
                let mut ops = Vec::new();
                // Each begins with another object: none may wait for one that waits for it.
                for at in 0..3 {
                    let name = ["a", "b", "c"][(writer + at) % 3];
                    let mut object = store.get(&key(name)).await.unwrap().unwrap();
                    object.spec[format!("writer-{writer}")] = json!(true);
                    ops.push(replace(&object));
                }
                match store.write_all(batch(ops)).await {
                    Ok(_) => return,
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    for name in ["a", "b", "c"] {
        let object = store.get(&key(name)).await.unwrap().unwrap();
        assert_eq!(object.spec.as_object().unwrap().len(), WRITERS + 1, "{name}");
    }
}
