//! A Postgres that breaks connections, makes callers wait or falls silent: calls fail in time and say so, and the store
//! is well again once Postgres is.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use whoosh::resource::{Kind, Object, Revision};
use whoosh::store::{LEADER_LEASE, Op, Store, StoreError};

use super::{PATIENCE, Watch, create, key, store, team, write};
use crate::harness::eventually::eventually;
use crate::harness::postgres::{Database, Postgres};

/// As many connections as a store has.
const CONNECTIONS: usize = 16;
/// For so long an answer vouches for a connection.
const TRUSTED: Duration = Duration::from_secs(1);

/// Holds the row that every write takes last, until it is dropped.
async fn block_writes(database: &Database) -> PgConnection {
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    let lock = "BEGIN; UPDATE head SET revision = revision";
    other.execute(sqlx::raw_sql(lock)).await.unwrap();
    other
}

/// Starts writes of their own objects, and returns once all of them wait.
async fn stuck_writers(
    database: &Database,
    store: &Store,
    count: usize,
) -> Vec<JoinHandle<Result<Object, StoreError>>> {
    let writers = (0..count).map(|number| {
        let (store, object) = (store.clone(), team(&format!("stuck{number}"), json!({})));
        tokio::spawn(async move { store.write(write(Op::Create(object))).await })
    });
    let writers = writers.collect();
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(PATIENCE, "the writers wait", async || {
        let waiting = database.query(waiting).await?;
        if waiting == count.to_string() {
            Ok(())
        } else {
            Err(waiting)
        }
    })
    .await;
    writers
}

/// Waits until no connection's last answer vouches for it.
async fn until_unused() {
    let last = Instant::now();
    eventually(PATIENCE, "no answer is recent", async || {
        let age = last.elapsed();
        if age > TRUSTED {
            Ok(())
        } else {
            Err(format!("{age:?}"))
        }
    })
    .await;
}

/// Processes that were stopped, until they are dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    /// Stops the sessions of a database that a condition on `pg_stat_activity` holds for.
    async fn sessions(database: &Database, condition: &str) -> Self {
        let pids = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {condition} \
             AND pid <> pg_backend_pid()"
        );
        let pids = eventually(PATIENCE, "there is something to stop", async || {
            let pids = database.query(&pids).await?;
            if pids.is_empty() { Err(pids) } else { Ok(pids) }
        })
        .await;
        let pids = pids
            .lines()
            .map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap());
        let stopped = Self(pids.collect());
        for pid in &stopped.0 {
            kill_process(*pid, Signal::STOP).unwrap();
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            // Its server may be gone, and with it the process.
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_die_while_nobody_uses_them_are_replaced() {
    let (database, store) = store().await;
    let blocked = block_writes(&database).await;
    let writers = stuck_writers(&database, &store, CONNECTIONS).await;
    drop(blocked);
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let cut = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let cut: usize = database.query(cut).await.unwrap().parse().unwrap();
    assert!(cut >= CONNECTIONS, "{cut}");
    until_unused().await;
    let names: Vec<String> = (0..CONNECTIONS).map(|number| format!("after{number}")).collect();
    join_all(names.iter().map(|name| create(&store, name))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_cut_off_fails_and_did_not_happen() {
    let (database, store) = store().await;
    let blocked = block_writes(&database).await;
    let mut writers = stuck_writers(&database, &store, 1).await;
    let cut = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(database.query(cut).await.unwrap(), "1");
    let error = writers.remove(0).await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    drop(blocked);
    assert_eq!(create(&store, "next").await.revision(), Some(Revision(1)));
    assert_eq!(store.get(&key("stuck0")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_writers_than_connections_wait_for_a_limited_time() {
    let (database, store) = store().await;
    let blocked = block_writes(&database).await;
    let mut writers = stuck_writers(&database, &store, CONNECTIONS).await;
    for name in ["late1", "late2"] {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            store.write(write(Op::Create(team(name, json!({}))))).await
        }));
    }
    for writer in writers {
        match writer.await.unwrap() {
            Err(error) => assert!(error.is_transient(), "{error:?}"),
            Ok(object) => panic!("{} was stored", object.name()),
        }
    }
    assert_eq!(store.list(Kind::Team, None).await.unwrap().items, []);
    drop(blocked);
    assert_eq!(create(&store, "next").await.revision(), Some(Revision(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_stays_one_while_every_connection_is_taken() {
    let (database, store) = store().await;
    let lease = store.acquire_lease(LEADER_LEASE, "ann", PATIENCE).await.unwrap();
    let _blocked = block_writes(&database).await;
    let writers = stuck_writers(&database, &store, CONNECTIONS).await;
    let renewed = store.renew_lease(&lease.unwrap()).await;
    assert!(renewed.unwrap().is_some());
    assert!(writers.iter().all(|writer| !writer.is_finished()), "at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_stopped_and_did_nothing() {
    let (database, store) = store().await;
    database
        .query(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep_for('1 hour'); RETURN NEW; END $$;
             CREATE TRIGGER linger BEFORE INSERT ON objects
                 FOR EACH ROW WHEN (NEW.name = 'slow') EXECUTE FUNCTION linger()",
        )
        .await
        .unwrap();
    let slow = store.write(write(Op::Create(team("slow", json!({})))));
    let error = timeout(PATIENCE, slow).await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(create(&store, "next").await.revision(), Some(Revision(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_hang_are_given_up() {
    let postgres = Postgres::start().await;
    let database = postgres.database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    let blocked = block_writes(&database).await;
    let writers = stuck_writers(&database, &store, CONNECTIONS).await;
    let stopped = Stopped::sessions(&database, "wait_event_type = 'Lock'").await;
    assert_eq!(stopped.0.len(), CONNECTIONS);
    for writer in &writers {
        writer.abort();
    }
    let read = async || store.revision().await;
    assert_eq!(eventually(PATIENCE, "the store reads", read).await, Revision(0));

    drop((blocked, stopped));
    eventually(PATIENCE, "the store writes", async || {
        let op = Op::Create(team("next", json!({})));
        match store.write(write(op)).await {
            Ok(_) | Err(StoreError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_hang_are_given_up() {
    let postgres = Postgres::start().await;
    let database = postgres.database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    create(&store, "a").await;
    let _stopped = Stopped::sessions(&database, "state = 'idle' AND query NOT LIKE 'LISTEN%'").await;
    until_unused().await;
    let found = store.get(&key("a")).await;
    assert!(
        found.unwrap().is_some(),
        "the first call already gets another one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_falls_silent_is_replaced() {
    let postgres = Postgres::start().await;
    let database = postgres.database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    let mut watch = Watch::new(&store, 0);
    let stopped = Stopped::sessions(&database, "query LIKE 'LISTEN%'").await;
    create(&store, "a").await;
    assert_eq!(watch.take(1).await[0].object.name(), "a", "late, but told");
    let listeners = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    eventually(PATIENCE, "there is another listener", async || {
        let count = database.query(listeners).await?;
        if count == "2" { Ok(()) } else { Err(count) }
    })
    .await;
    create(&store, "b").await;
    assert_eq!(watch.take(1).await[0].object.name(), "b");
    drop(stopped);
}
