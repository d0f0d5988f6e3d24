//! What can go wrong in the store, told so that a caller can decide and a user can act.

use std::error::Error;

use crate::resource::{Key, Revision};

/// Why the store did not do what was asked.
///
/// No variant carries the database URL, so no password shows in `Display` or `Debug`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no object of this key.
    #[error("{0} not found")]
    NotFound(Key),
    /// Create found an object of this key.
    #[error("{0} already exists")]
    AlreadyExists(Key),
    /// The object changed since the caller read it. Nothing was written.
    #[error(
        "{key} was changed meanwhile: it is at resourceVersion {current}, the change was made from {expected}; \
         read it again and repeat the change"
    )]
    Conflict {
        /// The object.
        key: Key,
        /// What the caller had seen.
        expected: Revision,
        /// What the store holds.
        current: Revision,
    },
    /// Another process has become leader; the caller must stop acting. Nothing was written.
    #[error("this process is no longer the leader: another one took over")]
    StaleLeader,
    /// The object is over [`MAX_OBJECT_BYTES`](super::MAX_OBJECT_BYTES).
    #[error("{key} is {bytes} bytes of JSON, more than the {limit} allowed; move large texts out of it")]
    TooLarge {
        /// The object.
        key: Key,
        /// Its size, in bytes of JSON.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Postgres cannot hold the object's text.
    #[error("{key} holds what the database cannot store, such as a NUL character; remove it")]
    Unstorable {
        /// The object.
        key: Key,
        /// What was said of it.
        #[source]
        source: Cause,
    },
    /// The database URL is not one.
    #[error(
        "the database URL cannot be read; write it like postgres://user:password@host:5432/database or \
         postgres:///database?host=/folder/of/the/socket"
    )]
    Url(#[source] Cause),
    /// Postgres does not answer or refuses. A write may or may not have happened.
    #[error(
        "the database is unavailable; check that Postgres runs (a private one is started again by `whoosh up`) and that \
         the database URL is right"
    )]
    Unavailable {
        /// What was said.
        #[source]
        source: Cause,
    },
    /// Postgres did not answer in time. A write may or may not have happened.
    #[error("the database did not answer in time; check its load and the network to it")]
    Timeout,
    /// The tables are missing, or an older version's.
    #[error("the database lacks tables of this version; run `whoosh migrate`")]
    NotMigrated(#[source] Cause),
    /// A migration failed. What it had done was rolled back.
    #[error("the database cannot be migrated; mend what is said below and run `whoosh migrate` again")]
    Migrate(#[source] Cause),
    /// A row holds what this version does not write.
    #[error("the database holds what this version cannot read ({0}); a newer version may have written it")]
    Unreadable(String),
    /// Postgres refused a query: a fault of this program.
    #[error("the database refused a query")]
    Query(#[source] Cause),
}

/// What the database or its driver said, as text: nothing outside the store depends on which driver it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(Box<dyn Error + Send + Sync>);

impl Cause {
    pub(super) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl StoreError {
    /// Whether an object is not one to be stored, however often that is tried.
    pub fn is_about_an_object(&self) -> bool {
        matches!(self, StoreError::TooLarge { .. } | StoreError::Unstorable { .. })
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Timeout)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|refusal| refusal.code())
            .map(|code| code.into_owned());
        match (&error, code) {
            (_, Some(code)) => match meaning(&code) {
                Meaning::Unavailable => StoreError::Unavailable {
                    source: Cause::new(error),
                },
                Meaning::NotMigrated => StoreError::NotMigrated(Cause::new(error)),
                Meaning::Fault => StoreError::Query(Cause::new(error)),
            },
            (sqlx::Error::ColumnDecode { index, source }, _) => {
                StoreError::Unreadable(format!("column {index}: {source}"))
            }
            (
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
                _,
            ) => StoreError::Unavailable {
                source: Cause::new(error),
            },
            _ => StoreError::Query(Cause::new(error)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Unavailable,
    NotMigrated,
    Fault,
}

/// What a SQLSTATE says about the server, as <https://www.postgresql.org/docs/15/errcodes-appendix.html> has it.
fn meaning(code: &str) -> Meaning {
    match code {
        // An undefined table, column or function.
        "42P01" | "42703" | "42883" => Meaning::NotMigrated,
        // A lock or statement timeout, a cancelled statement; a primary that became a standby.
        "55P03" | "57014" | "25006" => Meaning::Unavailable,
        // A database that does not exist; a user without rights.
        "3D000" | "42501" => Meaning::Unavailable,
        _ => match &code[..code.len().min(2)] {
            // Connection, login, serialization and deadlock, resources, operator intervention, system.
            "08" | "28" | "40" | "53" | "57" | "58" => Meaning::Unavailable,
            _ => Meaning::Fault,
        },
    }
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// What came after `from` has been compacted away: list again, and watch from the list's revision.
    #[error("the changes after resourceVersion {from} are gone, the oldest kept is {oldest}; list again")]
    Gone {
        /// Where the watch stood.
        from: Revision,
        /// The oldest revision that the log still holds.
        oldest: Revision,
    },
    /// The store is behind `from`: it was restored from a backup, or `from` is another store's. List again.
    #[error("resourceVersion {from} is ahead of the store, which is at {head}; list again")]
    Ahead {
        /// Where the watch stood.
        from: Revision,
        /// The store's newest revision.
        head: Revision,
    },
    /// The log cannot be read, and trying again would not help.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_called_unavailable() {
        for (code, expected) in [
            ("57P01", Meaning::Unavailable),
            ("57014", Meaning::Unavailable),
            ("08006", Meaning::Unavailable),
            ("53300", Meaning::Unavailable),
            ("28P01", Meaning::Unavailable),
            ("40P01", Meaning::Unavailable),
            ("42P01", Meaning::NotMigrated),
            ("23505", Meaning::Fault),
            ("42601", Meaning::Fault),
            ("", Meaning::Fault),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
