//! Watching: every committed change once, in commit order, or an explicit Gone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use sqlx::Connection;
use tokio::time::Instant;
use whoosh::resource::{Key, Kind, Object, Revision};
use whoosh::store::{Change, ChangeKind, Op, Store, StoreError, WatchError};

use super::{PATIENCE, Watch, create, key, remove, store, team, update, write};
use crate::harness::eventually::eventually;
use crate::harness::postgres::{Database, Postgres};

/// The objects that a reader of the log would know.
fn replay(changes: &[Change]) -> BTreeMap<Key, Object> {
    let mut objects = BTreeMap::new();
    for change in changes {
        let (key, object) = (change.object.key(), change.object.clone());
        match change.kind {
            ChangeKind::Added => assert_eq!(objects.insert(key, object), None, "added twice"),
            ChangeKind::Modified => assert!(objects.insert(key, object).is_some(), "never added"),
            ChangeKind::Deleted => assert!(objects.remove(&key).is_some(), "never added"),
        }
    }
    objects
}

async fn stored(store: &Store) -> BTreeMap<Key, Object> {
    let listed = store.list(Kind::Team, None).await.unwrap();
    listed
        .items
        .into_iter()
        .map(|object| (object.key(), object))
        .collect()
}

async fn until_waiting(database: &Database, sessions: usize) {
    eventually(PATIENCE, "writers wait for each other", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = database.query(waiting).await?;
        if waiting == sessions.to_string() {
            Ok(())
        } else {
            Err(waiting)
        }
    })
    .await;
}

#[tokio::test]
async fn a_watch_tells_the_past_and_then_the_present() {
    let (_database, store) = store().await;
    let first = create(&store, "a").await;
    let mut from_the_start = Watch::new(&store, 0);
    let mut from_now = Watch::new(&store, 1);
    let second = update(&store, &first, json!({"project": "q"})).await.unwrap();
    let third = remove(&store, &second).await.unwrap();
    let told: Vec<_> = from_the_start
        .take(3)
        .await
        .into_iter()
        .map(|c| (c.kind, c.object))
        .collect();
    let expected = [
        (ChangeKind::Added, first),
        (ChangeKind::Modified, second),
        (ChangeKind::Deleted, third),
    ];
    assert_eq!(told, expected);
    let told: Vec<_> = from_now
        .take(2)
        .await
        .into_iter()
        .map(|c| (c.kind, c.object))
        .collect();
    assert_eq!(told, expected[1..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_are_seen_in_commit_order() {
    let (_database, store) = store().await;
    let mut watch = Watch::new(&store, 0);
    let shared = create(&store, "shared").await;
    let writers = (0..16).map(|writer| {
        let (store, shared) = (store.clone(), shared.clone());
        tokio::spawn(async move {
            for round in 0..10 {
                let name = format!("w{writer}-{round}");
                let mine = create(&store, &name).await;
                let mine = update(&store, &mine, json!({"round": round})).await.unwrap();
                if round % 2 == 0 {
                    remove(&store, &mine).await.unwrap();
                }
                // All want this one, most in vain.
                let seen = store.get(&shared.key()).await.unwrap().unwrap();
                let wish = json!({"writer": writer, "round": round, "seen": seen.revision()});
                match update(&store, &seen, wish).await {
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let head = store.revision().await.unwrap();
    let changes = watch.take(usize::try_from(head.0).unwrap()).await;
    assert_eq!(changes[0].revision, Revision(1));
    assert_eq!(replay(&changes), stored(&store).await);

    let history = store.history(&shared.key()).await.unwrap();
    assert!(
        history.is_sorted_by_key(|entry| entry.at),
        "revision order is commit order"
    );
    for pair in history.windows(2) {
        let seen = &pair[1].object.spec["seen"];
        assert_eq!(
            *seen,
            json!(pair[0].revision),
            "nobody overwrites what they have not seen"
        );
    }
}

/// A commit that is late must not be overtaken, or a watcher that has read further would never see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_is_not_skipped() {
    let (database, store) = store().await;
    database
        .query(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON objects DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW WHEN (NEW.name = 'late') EXECUTE FUNCTION linger()",
        )
        .await
        .unwrap();
    create(&store, "before").await;
    let mut watch = Watch::new(&store, 0);
    watch.take(1).await;

    let mut gate = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let hold = sqlx::query("SELECT pg_advisory_lock(7)");
    hold.execute(&mut gate).await.unwrap();
    let held_since = Instant::now();
    let begin = |name: &'static str| {
        let store = store.clone();
        tokio::spawn(async move { create(&store, name).await })
    };
    let late = begin("late");
    until_waiting(&database, 1).await;
    let others = ["b", "c", "d", "e"].map(begin);
    until_waiting(&database, 5).await;
    assert_eq!(store.revision().await.unwrap(), Revision(1), "nobody overtakes");
    eventually(PATIENCE, "the commit is over a second late", async || {
        let late_by = held_since.elapsed();
        if late_by > Duration::from_millis(1200) {
            Ok(())
        } else {
            Err(format!("{late_by:?}"))
        }
    })
    .await;
    gate.close().await.unwrap();

    assert_eq!(late.await.unwrap().revision(), Some(Revision(2)));
    join_all(others).await;
    let told: Vec<_> = watch
        .take(5)
        .await
        .iter()
        .map(|change| change.object.name().to_owned())
        .collect();
    assert_eq!(told[0], "late");
    assert_eq!(replay(&Watch::new(&store, 0).take(6).await), stored(&store).await);
}

#[tokio::test]
async fn what_was_compacted_is_gone_before_anything_else_is_told() {
    let (_database, store) = store().await;
    let mut slow = Watch::new(&store, 0);
    let mut object = create(&store, "a").await;
    for round in 2..=300 {
        object = update(&store, &object, json!({"round": round})).await.unwrap();
    }
    slow.take(1).await;
    store.compact(Revision(290)).await.unwrap();

    for from in [0, 1, 288] {
        match Watch::new(&store, from).next().await {
            Err(WatchError::Gone { from: told, oldest }) => {
                assert_eq!((told, oldest), (Revision(from), Revision(290)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Watch::new(&store, 289).take(11).await[10].object, object);

    // It goes on with what it has read already, and then says so rather than leave a gap.
    let error = loop {
        match slow.next().await {
            Ok(change) => assert!(change.revision < Revision(289)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WatchError::Gone { .. }), "{error:?}");

    assert_eq!(store.history(&key("a")).await.unwrap().len(), 11);
    store.compact(Revision(9999)).await.unwrap();
    assert_eq!(
        Watch::new(&store, 299).take(1).await[0].object,
        object,
        "the newest stays"
    );
    store.compact(Revision(5)).await.unwrap();
    assert!(
        Watch::new(&store, 298).next().await.is_err(),
        "the mark never goes back"
    );
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(object));
}

#[tokio::test]
async fn a_revision_that_the_store_has_not_reached_is_refused() {
    let (_database, store) = store().await;
    create(&store, "a").await;
    match Watch::new(&store, 2).next().await {
        Err(WatchError::Ahead { from, head }) => assert_eq!((from, head), (Revision(2), Revision(1))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_log_of_a_newer_version_ends_the_watch() {
    let (database, store) = store().await;
    create(&store, "a").await;
    let newer = r#"UPDATE revisions SET object = jsonb_set(object, '{kind}', '"Starship"')"#;
    database.query(newer).await.unwrap();
    match Watch::new(&store, 0).next().await {
        Err(WatchError::Store(StoreError::Unreadable(what))) => assert!(what.contains("Starship"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watch_outlives_its_listener() {
    let (database, store) = store().await;
    let mut watch = Watch::new(&store, 0);
    create(&store, "before").await;
    watch.take(1).await;
    for name in ["a", "b", "c"] {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        eventually(PATIENCE, "there is a listener to cut off", async || {
            let cut = database.query(cut).await?;
            if cut == "0" { Err(cut) } else { Ok(()) }
        })
        .await;
        create(&store, name).await;
        assert_eq!(watch.take(1).await[0].object.name(), name);
    }
}

#[tokio::test]
async fn a_change_whose_notification_is_lost_comes_late_but_comes() {
    let (database, store) = store().await;
    let mut watch = Watch::new(&store, 0);
    create(&store, "a").await;
    watch.take(1).await;
    let silence = "DROP TRIGGER revisions_notify ON revisions";
    database.query(silence).await.unwrap();
    create(&store, "b").await;
    assert_eq!(watch.take(1).await[0].object.name(), "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_a_server_that_is_killed() {
    let mut postgres = Postgres::start().await;
    let database = postgres.database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    let mut watch = Watch::new(&store, 0);

    let is_over = AtomicBool::new(false);
    let writers = (0..4).map(async |writer| {
        let mut written = 0;
        while !is_over.load(Ordering::Relaxed) {
            insist(&store, &format!("w{writer}-{written}")).await;
            written += 1;
        }
        written
    });
    let watcher = async {
        let mut changes = watch.take(50).await;
        for _ in 0..2 {
            postgres.kill();
            postgres.restart().await;
            changes.extend(watch.take(50).await);
        }
        is_over.store(true, Ordering::Relaxed);
        changes
    };
    let (written, mut changes) = tokio::join!(join_all(writers), watcher);

    let written: i64 = written.iter().sum();
    assert_eq!(
        store.revision().await.unwrap(),
        Revision(written),
        "each create happened once"
    );
    let rest = usize::try_from(written).unwrap() - changes.len();
    changes.extend(watch.take(rest).await);
    assert_eq!(replay(&changes), stored(&store).await);
    let first_and_last = (changes[0].revision, changes[changes.len() - 1].revision);
    assert_eq!(first_and_last, (Revision(1), Revision(written)));
}

/// Creates an object although the database comes and goes. A create that failed may have happened.
async fn insist(store: &Store, name: &str) {
    eventually(PATIENCE, "the object is created", async || {
        let object = team(name, json!({}));
        match store.write(write(Op::Create(object))).await {
            Ok(_) | Err(StoreError::AlreadyExists(_)) => Ok(()),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => panic!("{error:?}"),
        }
    })
    .await;
}
