//! Objects: what is stored comes back, and nobody overwrites what they have not seen.

use serde_json::json;
use whoosh::resource::{Key, Kind, Object, Revision};
use whoosh::store::{ChangeKind, HistoryPage, MAX_OBJECT_BYTES, Op, StoreError};

use super::{create, key, remove, replace, store, team, update, write};

#[tokio::test]
async fn an_object_lives_from_create_to_remove() {
    let (_database, store) = store().await;
    let mut given = team(
        "a",
        json!({"project": "p", "roles": [{"name": "r", "replicas": 2}]}),
    );
    given.metadata.labels = Some([("app".to_owned(), "x".to_owned())].into());
    given.metadata.resource_version = Some("77".to_owned());

    let created = store.write(write(Op::Create(given.clone()))).await.unwrap();
    assert_eq!(created.revision(), Some(Revision(1)));
    assert_eq!(created.spec, given.spec);
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(created.clone()));

    let mut with_status = created.clone();
    with_status.status = Some(json!({"state": "Ready"}));
    let updated = store.write(write(replace(&with_status))).await.unwrap();
    assert_eq!(updated.revision(), Some(Revision(2)));
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(updated.clone()));

    let removed = remove(&store, &updated).await.unwrap();
    assert_eq!(removed.revision(), Some(Revision(3)));
    assert_eq!((removed.spec, removed.status), (updated.spec, updated.status));
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    assert_eq!(store.revision().await.unwrap(), Revision(3));
}

#[tokio::test]
async fn an_object_without_a_namespace_is_in_the_default_one() {
    let (_database, store) = store().await;
    let mut given = team("a", json!({}));
    given.metadata.namespace = None;
    let created = store.write(write(Op::Create(given))).await.unwrap();
    assert_eq!(created.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(created));
}

#[tokio::test]
async fn a_list_is_one_kind_in_order_with_the_revision_of_its_snapshot() {
    let (_database, store) = store().await;
    let empty = store.list(Kind::Team, None).await.unwrap();
    assert_eq!((empty.items.len(), empty.revision), (0, Revision(0)));

    for (kind, namespace, name) in [
        (Kind::Team, "prod", "b"),
        (Kind::Team, "default", "z"),
        (Kind::Council, "prod", "c"),
        (Kind::Team, "prod", "a-b"),
    ] {
        let mut object = Object::new(&Key::new(kind, namespace, name), json!({}));
        object.metadata.uid = Some(name.to_owned());
        store.write(write(Op::Create(object))).await.unwrap();
    }
    for (kind, namespace, expected) in [
        (Kind::Team, None, vec!["z", "a-b", "b"]),
        (Kind::Team, Some("prod"), vec!["a-b", "b"]),
        (Kind::Council, None, vec!["c"]),
        (Kind::Council, Some("default"), vec![]),
        (Kind::AgentTemplate, None, vec![]),
    ] {
        let listed = store.list(kind, namespace).await.unwrap();
        let names: Vec<&str> = listed.items.iter().map(Object::name).collect();
        assert_eq!(names, expected, "{kind} in {namespace:?}");
        assert_eq!(listed.revision, Revision(4));
    }
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let (_database, store) = store().await;
    let first = create(&store, "a").await;
    let second = update(&store, &first, json!({"project": "mine"})).await.unwrap();

    let twice = store.write(write(Op::Create(team("a", json!({}))))).await;
    assert!(matches!(twice, Err(StoreError::AlreadyExists(k)) if k == key("a")));

    for late in [
        update(&store, &first, json!({"project": "theirs"})).await,
        // Even what is stored already: the caller has not seen it.
        update(&store, &first, second.spec.clone()).await,
        remove(&store, &first).await,
    ] {
        match late.unwrap_err() {
            StoreError::Conflict {
                key: of,
                expected,
                current,
            } => assert_eq!((of, expected, current), (key("a"), Revision(1), Revision(2))),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(second.clone()));

    remove(&store, &second).await.unwrap();
    for gone in [
        update(&store, &second, json!({})).await,
        remove(&store, &second).await,
    ] {
        assert!(matches!(gone, Err(StoreError::NotFound(k)) if k == key("a")));
    }
    assert_eq!(
        store.revision().await.unwrap(),
        Revision(3),
        "a refusal is no change"
    );
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let (_database, store) = store().await;
    let given = team("a", json!({"project": "p", "network": "n"}));
    let created = store.write(write(Op::Create(given))).await.unwrap();
    let mut reordered = created.clone();
    reordered.spec = json!({"network": "n", "project": "p"});
    assert_eq!(store.write(write(replace(&reordered))).await.unwrap(), created);
    assert_eq!(store.revision().await.unwrap(), Revision(1));

    let mut relabelled = created.clone();
    relabelled.metadata.labels = Some([("app".to_owned(), "x".to_owned())].into());
    let relabelled = store.write(write(replace(&relabelled))).await.unwrap();
    assert_eq!(relabelled.revision(), Some(Revision(2)), "a label is a change");
    assert_eq!(store.history(&key("a")).await.unwrap().len(), 2);
    assert_eq!(
        store.clone().writes(),
        [("create", 1), ("update", 1), ("remove", 0)]
    );
}

#[tokio::test]
async fn history_tells_who_did_what_and_why() {
    let (_database, store) = store().await;
    let created = create(&store, "a").await;
    create(&store, "other").await;
    let mut changed = created.clone();
    changed.spec = json!({"project": "q"});
    changed.metadata.generation = Some(2);
    let mut edit = write(replace(&changed));
    edit.actor = "bob".to_owned();
    edit.reason = "kubectl edit".to_owned();
    let changed = store.write(edit).await.unwrap();
    let removed = remove(&store, &changed).await.unwrap();

    let history = store.history(&key("a")).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| {
            (
                entry.change,
                entry.generation,
                entry.actor.as_str(),
                entry.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (ChangeKind::Added, 1, "ann", "a test"),
            (ChangeKind::Modified, 2, "bob", "kubectl edit"),
            (ChangeKind::Deleted, 2, "ann", "a test"),
        ]
    );
    let objects: Vec<_> = history.iter().map(|entry| entry.object.clone()).collect();
    assert_eq!(objects, [created, changed, removed]);
    assert!(history.is_sorted_by_key(|entry| entry.at));
}

#[tokio::test]
async fn a_long_history_is_told_in_parts() {
    let (_database, store) = store().await;
    let mut object = create(&store, "a").await;
    let large = "x".repeat(MAX_OBJECT_BYTES / 16);
    for number in 0..40 {
        let spec = json!({"text": large, "number": number});
        object = update(&store, &object, spec).await.unwrap();
    }
    let (mut told, mut before) = (Vec::new(), None);
    loop {
        let HistoryPage { entries, has_more } = store.history_page(&key("a"), before).await.unwrap();
        assert!(entries.len() < 40, "{}", entries.len());
        before = Some(entries[0].revision);
        told.splice(0..0, entries.iter().map(|entry| entry.revision.0));
        if !has_more {
            break;
        }
    }
    assert_eq!(told, (1..=41).collect::<Vec<i64>>());
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_by_name() {
    let (_database, store) = store().await;
    let large = team("a", json!({"text": "x".repeat(MAX_OBJECT_BYTES)}));
    let refused = store.write(write(Op::Create(large))).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes, .. }) if bytes > MAX_OBJECT_BYTES));

    let nul = team("a", json!({"text": "a\0b"}));
    let refused = store.write(write(Op::Create(nul.clone()))).await;
    assert!(
        matches!(refused, Err(StoreError::Unstorable { .. })),
        "{refused:?}"
    );

    let mut stored = create(&store, "a").await;
    stored.spec = nul.spec;
    let refused = store.write(write(replace(&stored))).await;
    assert!(
        matches!(refused, Err(StoreError::Unstorable { .. })),
        "{refused:?}"
    );
    assert_eq!(store.revision().await.unwrap(), Revision(1));
}
