//! Faults of what the controllers write to the store, played by the database itself.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::OnceCell;
use whoosh::store::Store;

use crate::harness::postgres::{Database, database};

static TEMPLATE: OnceCell<Database> = OnceCell::const_new();

/// What goes wrong with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WriteFault {
    /// The operator dies before it is committed.
    CrashBefore,
    /// The operator dies after it is committed.
    CrashAfter,
    /// The database refuses it.
    Refused,
    /// The connection breaks before it is committed.
    Cut,
}

/// A plan's own database, and a connection beside the operator's.
pub(super) struct Writes {
    pub(super) database: Database,
    connection: PgConnection,
}

impl Writes {
    /// A new database with the store's tables, in which writes can be made to fail.
    pub(super) async fn new() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        let database = template.copy().await;
        let connection = PgConnection::connect(&database.url).await.unwrap();
        Self { database, connection }
    }

    /// Counts the workload's writes from here on.
    pub(super) async fn begin(&mut self) {
        self.run("SELECT setval('reached', 0, false), setval('met', 0, false)")
            .await;
    }

    /// How many writes of the workload there were since [`Self::begin`], done or not.
    pub(super) async fn reached(&mut self) -> u32 {
        self.count("reached").await
    }

    /// Lets `fault` happen at the `nth` write (from 1) from [`Self::begin`] on.
    pub(super) async fn arm(&mut self, nth: u32, fault: WriteFault) {
        let act = match fault {
            WriteFault::Refused => "refuse",
            WriteFault::CrashBefore | WriteFault::CrashAfter | WriteFault::Cut => "hold",
        };
        self.run(&format!("INSERT INTO armed VALUES ({}, '{act}')", nth - 1))
            .await;
        if act == "hold" {
            self.run("SELECT pg_advisory_lock(7)").await;
        }
    }

    /// Whether the armed fault was met: the write was refused, or is held one step before its commit.
    pub(super) async fn is_met(&mut self) -> bool {
        self.count("met").await > 0
    }

    /// Ends the session of the write that is held, which is then undone.
    pub(super) async fn cut(&mut self) {
        self.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    }

    /// Lets what is held go on, and forgets what was armed.
    pub(super) async fn release(&mut self) {
        self.run("DELETE FROM armed").await;
        self.run("SELECT pg_advisory_unlock_all()").await;
    }

    /// Waits until no statement of the operator is under way.
    pub(super) async fn until_quiet(&mut self) {
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND pid <> pg_backend_pid() AND application_name LIKE 'life-%' AND state = 'active'";
        let connection = &mut self.connection;
        crate::harness::eventually::eventually(
            std::time::Duration::from_secs(10),
            "no write is under way",
            async || {
                let row = sqlx::query(busy).fetch_one(&mut *connection).await.unwrap();
                match row.get::<i64, _>(0) {
                    0 => Ok(()),
                    count => Err(count),
                }
            },
        )
        .await;
    }

    /// The controllers' writes in order: each revision with the life of the operator that wrote it.
    pub(super) async fn written(&mut self) -> Vec<(i64, String)> {
        let rows = sqlx::query("SELECT revision, life FROM written ORDER BY revision")
            .fetch_all(&mut self.connection)
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Gives the database back.
    pub(super) async fn end(self) {
        drop(self.connection.close().await);
        self.database.remove().await;
    }

    async fn count(&mut self, sequence: &str) -> u32 {
        let query = format!("SELECT last_value + is_called::int FROM {sequence}");
        let row = sqlx::query(AssertSqlSafe(query))
            .fetch_one(&mut self.connection)
            .await
            .unwrap();
        u32::try_from(row.get::<i64, _>(0)).unwrap()
    }

    async fn run(&mut self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap();
    }
}

async fn template() -> Database {
    let database = database().await;
    let store = Store::connect(&database.url).await.unwrap();
    store.migrate().await.unwrap();
    drop(store);
    database.query(include_str!("writes.sql")).await.unwrap();
    database
}
