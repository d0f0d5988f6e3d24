//! Leases: one holder at a time, and a leader that was replaced writes no more.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tokio::time::Instant;
use whoosh::resource::Revision;
use whoosh::store::{Epoch, LEADER_LEASE, Op, StoreError};

use super::{PATIENCE, Watch, create, key, led, replace, store, team};
use crate::harness::eventually::eventually;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lease_has_one_holder_and_its_epoch_grows_with_each_change() {
    let (_database, store) = store().await;
    let ann = store.acquire_lease("l", "ann", LONG).await.unwrap().unwrap();
    assert_eq!(ann.epoch, Epoch(1));
    assert_eq!(store.acquire_lease("l", "bob", LONG).await.unwrap(), None);
    let again = store.acquire_lease("l", "ann", LONG).await.unwrap().unwrap();
    assert_eq!(again.epoch, Epoch(1), "the holder stays");
    assert!(
        store
            .acquire_lease("another", "bob", LONG)
            .await
            .unwrap()
            .is_some()
    );

    store.release_lease(&ann).await.unwrap();
    let bob = store.acquire_lease("l", "bob", LONG).await.unwrap().unwrap();
    assert_eq!(bob.epoch, Epoch(2));

    assert_eq!(store.renew_lease(&ann).await.unwrap(), None, "ann has lost it");
    store.release_lease(&ann).await.unwrap();
    let renewed = store.renew_lease(&bob).await.unwrap().unwrap();
    assert!(renewed.deadline() > bob.deadline());
    assert_eq!(store.acquire_lease("l", "ann", LONG).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_ends_for_its_holder_before_another_can_have_it() {
    let (_database, store) = store().await;
    let ttl = Duration::from_millis(300);
    let ann = store.acquire_lease("l", "ann", ttl).await.unwrap().unwrap();
    let ann = store.renew_lease(&ann).await.unwrap().unwrap();
    let bob = eventually(PATIENCE, "bob gets the lease", async || {
        let lease = store.acquire_lease("l", "bob", LONG).await.unwrap();
        lease.ok_or("ann has it")
    })
    .await;
    assert!(ann.deadline() <= Instant::now());
    assert_eq!(bob.epoch, Epoch(2));
    assert_eq!(store.renew_lease(&ann).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_does_not_last_for_as_long_as_the_clock_goes_back() {
    let (database, store) = store().await;
    let ann = store.acquire_lease("l", "ann", LONG).await.unwrap().unwrap();
    let hour = "UPDATE leases SET expires_at = expires_at + interval '1 hour'";
    database.query(hour).await.unwrap();
    let renewed = store.renew_lease(&ann).await.unwrap();
    assert!(renewed.is_some(), "its holder goes on");
    assert_eq!(store.acquire_lease("l", "bob", LONG).await.unwrap(), None);

    database.query(hour).await.unwrap();
    let bob = store.acquire_lease("l", "bob", LONG).await.unwrap().unwrap();
    assert_eq!(bob.epoch, Epoch(2));
    assert_eq!(store.renew_lease(&ann).await.unwrap(), None);
}

#[tokio::test]
async fn only_the_leader_of_now_writes() {
    let (_database, store) = store().await;
    let old = store
        .acquire_lease(LEADER_LEASE, "ann", LONG)
        .await
        .unwrap()
        .unwrap();
    let object = team("a", json!({}));
    let mut object = store.write(led(Op::Create(object), old.epoch)).await.unwrap();
    store.release_lease(&old).await.unwrap();
    let new = store
        .acquire_lease(LEADER_LEASE, "bob", LONG)
        .await
        .unwrap()
        .unwrap();

    object.status = Some(json!({"state": "Ready"}));
    let remove = Op::Remove {
        key: key("a"),
        expected: Revision(1),
    };
    for op in [Op::Create(team("b", json!({}))), replace(&object), remove] {
        let refused = store.write(led(op, old.epoch)).await;
        assert!(matches!(refused, Err(StoreError::StaleLeader)), "{refused:?}");
    }
    assert_eq!(store.revision().await.unwrap(), Revision(1));

    store.write(led(replace(&object), new.epoch)).await.unwrap();
    create(&store, "c").await;
    assert_eq!(store.revision().await.unwrap(), Revision(3));
}

#[tokio::test]
async fn a_leader_that_is_replaced_while_its_write_waits_does_not_write() {
    let (database, store) = store().await;
    let lease = store
        .acquire_lease(LEADER_LEASE, "ann", LONG)
        .await
        .unwrap()
        .unwrap();
    let object = store
        .write(led(Op::Create(team("a", json!({}))), lease.epoch))
        .await
        .unwrap();
    let mut changed = object.clone();
    changed.spec = json!({"project": "late"});

    let mut other = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let mut change_of_leader = other.begin().await.unwrap();
    sqlx::query("UPDATE head SET epoch = epoch + 1")
        .execute(&mut *change_of_leader)
        .await
        .unwrap();
    let late: Vec<_> = [replace(&changed), Op::Create(team("b", json!({})))]
        .into_iter()
        .map(|op| {
            let store = store.clone();
            tokio::spawn(async move { store.write(led(op, lease.epoch)).await })
        })
        .collect();
    eventually(PATIENCE, "both writes wait", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = database.query(waiting).await?;
        if waiting == "2" { Ok(()) } else { Err(waiting) }
    })
    .await;
    change_of_leader.commit().await.unwrap();

    for write in late {
        let refused = write.await.unwrap();
        assert!(matches!(refused, Err(StoreError::StaleLeader)), "{refused:?}");
    }
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(object));
    assert_eq!(store.revision().await.unwrap(), Revision(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_fight_for_the_lease_none_writes_after_its_successor() {
    const FIGHTERS: usize = 8;
    const WRITES: usize = 60;
    let (_database, store) = store().await;
    let fighters = (0..FIGHTERS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let holder = format!("fighter{number}");
            while store.revision().await.unwrap().0 < WRITES as i64 {
                let Some(lease) = store.acquire_lease(LEADER_LEASE, &holder, LONG).await.unwrap() else {
                    continue;
                };
                for turn in 0..3 {
                    // The last comes when another one may lead.
                    if turn == 2 {
                        store.release_lease(&lease).await.unwrap();
                    }
                    let mut object = team(&format!("t{}", uuid::Uuid::new_v4().simple()), json!({}));
                    object.spec = json!({"project": lease.epoch.0.to_string()});
                    match store.write(led(Op::Create(object), lease.epoch)).await {
                        Ok(_) | Err(StoreError::StaleLeader) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
        })
    });
    for fighter in fighters.collect::<Vec<_>>() {
        fighter.await.unwrap();
    }
    let epochs: Vec<i64> = Watch::new(&store, 0)
        .take(WRITES)
        .await
        .iter()
        .map(|change| change.object.spec["project"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(epochs.is_sorted(), "{epochs:?}");
    assert!(epochs.last() > epochs.first(), "{epochs:?}");
}
