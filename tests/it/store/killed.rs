//! Postgres is killed at each phase of a write: what was not committed did not happen, what was, once.

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use whoosh::resource::{Object, Revision};
use whoosh::store::{Store, StoreError};

use super::{PATIENCE, Watch, create, key, replace, write};
use crate::harness::eventually::eventually;
use crate::harness::hush::Hush;
use crate::harness::postgres::{Database, Postgres};

type Writing = JoinHandle<Result<Object, StoreError>>;

/// A Postgres to kill, and a store on it.
struct Stage {
    postgres: Postgres,
    database: Database,
    between: Hush,
    store: Store,
}

impl Stage {
    async fn new() -> Self {
        let postgres = Postgres::start().await;
        let database = postgres.database().await;
        let (between, url) = database.hushed().await;
        let store = Store::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        create(&store, "before").await;
        Self {
            postgres,
            database,
            between,
            store,
        }
    }

    /// Changes the object that is there.
    async fn begin(&self) -> Writing {
        let mut object = self.store.get(&key("before")).await.unwrap().unwrap();
        object.spec = json!({"project": "changed"});
        let store = self.store.clone();
        tokio::spawn(async move { store.write(write(replace(&object))).await })
    }

    async fn session(&self) -> PgConnection {
        PgConnection::connect(&self.database.url).await.unwrap()
    }

    async fn until_waiting(&self, for_what: &str) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = '{for_what}'"
        );
        eventually(PATIENCE, "the write waits", async || {
            let waiting = self.database.query(&waiting).await?;
            if waiting == "1" { Ok(()) } else { Err(waiting) }
        })
        .await;
    }

    /// Kills the server in the middle of `writing`, and checks what became of that.
    async fn kill(mut self, writing: Writing, happened: bool) {
        self.postgres.kill();
        self.between.cut();
        let error = timeout(PATIENCE, writing).await.unwrap().unwrap().unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        self.postgres.restart().await;

        let stored = eventually(PATIENCE, "the store answers again", async || {
            self.store.get(&key("before")).await
        });
        let stored = stored.await.unwrap();
        let revision = if happened { 2 } else { 1 };
        assert_eq!(stored.revision(), Some(Revision(revision)));
        assert_eq!(stored.spec["project"] == "changed", happened);
        assert_eq!(
            create(&self.store, "after").await.revision(),
            Some(Revision(revision + 1))
        );
        let told = Watch::new(&self.store, 0)
            .take(usize::try_from(revision).unwrap() + 1)
            .await;
        assert_eq!(told[0].revision, Revision(1));
    }
}

/// A write that waits for the revision, which the session holds.
async fn waiting() -> (Stage, Writing, PgConnection) {
    let stage = Stage::new().await;
    let mut other = stage.session().await;
    let hold = "BEGIN; UPDATE head SET revision = revision";
    other.execute(sqlx::raw_sql(hold)).await.unwrap();
    let writing = stage.begin().await;
    stage.until_waiting("transactionid").await;
    (stage, writing, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_waits_for_the_revision() {
    let (stage, writing, _other) = waiting().await;
    stage.kill(writing, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_is_written_and_not_committed() {
    let stage = Stage::new().await;
    let mut other = stage.session().await;
    let hold = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS \
                'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'; \
                CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON revisions DEFERRABLE INITIALLY DEFERRED \
                FOR EACH ROW EXECUTE FUNCTION hold(); \
                SELECT pg_advisory_lock(1)";
    other.execute(sqlx::raw_sql(hold)).await.unwrap();
    let writing = stage.begin().await;
    stage.until_waiting("advisory").await;
    stage.kill(writing, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_it_is_committed_and_not_answered() {
    let (stage, writing, mut other) = waiting().await;
    stage.between.silence();
    other.execute("ROLLBACK").await.unwrap();
    eventually(PATIENCE, "the write is committed", async || {
        let revision = stage.database.query("SELECT revision FROM head").await?;
        if revision == "2" { Ok(()) } else { Err(revision) }
    })
    .await;
    stage.kill(writing, true).await;
}
