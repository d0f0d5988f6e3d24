//! Connecting to Postgres, and bringing its tables to this version.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use tokio::time::timeout;

use super::error::Cause;
use super::write::Written;
use super::{Shared, Store, StoreError, listen};

/// What brings a database to this version, embedded in the binary.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections that one process keeps at most, beside the one that listens, the one for leases and the one for a turn.
const CONNECTIONS_MAX: u32 = 16;
/// How long a call waits for a free connection, or for the server to come back.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection may take to answer before it is given up: less than a call waits for one.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer vouches for a connection.
const TRUSTED: Duration = Duration::from_secs(1);

/// What a connection needs for the store to be right, whatever the server's defaults are.
pub(super) const SESSION: [(&str, &str); 4] = [
    // A statement is its own transaction, and re-reads the row that it waited for.
    ("default_transaction_isolation", "read committed"),
    // A revision that someone has seen must not be lost and given again after a crash.
    ("synchronous_commit", "on"),
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
];

impl Store {
    /// Connects to the database that `url` names.
    ///
    /// # Errors
    /// [`StoreError::Url`] when it is no Postgres URL; [`StoreError::Unavailable`] when the server does not answer
    /// within 5 seconds, or refuses.
    pub async fn connect(url: &str) -> Result<Store, StoreError> {
        let options = parse(url)?;
        let session = options.clone().options(SESSION);
        let pool = pool_of(CONNECTIONS_MAX).connect_with(session.clone()).await?;
        let leases = pool_of(1).connect_lazy_with(session.clone());
        Ok(Store {
            shared: Arc::new(Shared {
                server: describe(&options),
                options,
                pool,
                leases,
                wake: listen::start(session),
                tail: OnceLock::new(),
                written: Written::default(),
            }),
        })
    }

    /// Brings the tables to this version. Does nothing when they are; safe from many processes at once.
    ///
    /// # Errors
    /// [`StoreError::Migrate`], also when a newer version has migrated the database.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let options = self.shared.options.clone();
        // Its own task, because sqlx calls begin() in it; its own connection, because a migration may take long
        // and because closing it gives up sqlx's lock whatever happened.
        let migration = tokio::spawn(async move {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await?;
            let outcome = MIGRATIONS.run(&pool).await;
            pool.close().await;
            outcome
        });
        match migration.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(MigrateError::Execute(error))) => Err(error.into()),
            Ok(Err(error)) => Err(StoreError::Migrate(Cause::new(error))),
            Err(stopped) => Err(StoreError::Migrate(Cause::new(stopped))),
        }
    }

    /// The installation's id: a UUID, made by the first migration and kept in the database.
    pub async fn instance_id(&self) -> Result<String, StoreError> {
        let query = sqlx::query_scalar!(r#"SELECT instance_id::text AS "id!" FROM head"#);
        super::ask(query.fetch_one(self.pool())).await
    }
}

fn pool_of(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, used| Box::pin(is_usable(connection, used.idle_for)))
        .after_release(|connection, _| Box::pin(is_alive(connection)))
}

/// Whether an unused connection can be used again: one that answered a moment ago is not asked.
async fn is_usable(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for < TRUSTED {
        return Ok(true);
    }
    is_alive(connection).await
}

/// Whether a connection still answers. The driver itself would wait for an answer without end, and each connection that
/// hangs would be one less to use.
///
/// # Errors
/// When it does not answer in time: it is dropped then, without a word that might hang, too.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answer) => Ok(answer.is_ok()),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    }
}

fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(StoreError::Url(Cause::new("it does not start with postgres://")));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Url(Cause::new(error)))?;
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("whoosh"),
    })
}

/// Names the server from the parts that are no secret.
fn describe(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let (user, port) = (options.get_username(), options.get_port());
    let database = options.get_database().unwrap_or(user);
    format!("{user}@{host}:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<&str, &str>) {
        let told = parse(url).map(|options| describe(&options)).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
            cause.unwrap_or_default()
        });
        match (told, expected) {
            (Ok(told), Ok(expected)) => assert_eq!(told, expected, "{url}"),
            (Err(told), Err(expected)) => assert!(told.contains(expected), "{url}: {told}"),
            (told, expected) => panic!("{url}: {told:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_server_is_told_without_its_password() {
        check(
            "postgres://ann:hunter2@db.example:6432/whoosh",
            Ok("ann@db.example:6432/whoosh"),
        );
        check(
            "postgresql://ann:hunter2%2F%40@db.example/whoosh?sslmode=disable",
            Ok("ann@db.example:5432/whoosh"),
        );
        check(
            "postgres:///whoosh?host=/run/pg&user=ann&password=hunter2",
            Ok("ann@/run/pg:5432/whoosh"),
        );
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        check(
            "mysql://ann:hunter2@db/whoosh",
            Err("does not start with postgres://"),
        );
        check("host=db password=hunter2", Err("does not start with postgres://"));
        check("postgres://ann:hunter2@db:notaport/whoosh", Err("port"));
        check("postgres://ann:hunter2@db/whoosh?sslmode=maybe", Err("ssl"));
    }
}
