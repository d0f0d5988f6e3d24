//! What can go wrong in the store, told so that a caller can decide and a user can act.

use crate::resource::{Key, Revision};

/// Why the store did not do what was asked.
///
/// No variant carries the database URL, so no password can show in `Display` or `Debug`.
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
        "{key} was changed by someone else: it is at resourceVersion {current}, the change was made from \
         {expected}; read it again and repeat the change"
    )]
    Conflict {
        /// The object.
        key: Key,
        /// What the caller had seen.
        expected: Revision,
        /// What the store holds.
        current: Revision,
    },
    /// Another process has become leader since; the caller must stop acting. Nothing was written.
    #[error("this process is no longer the leader; another one took over")]
    StaleLeader,
    /// The object is over [`super::MAX_OBJECT_BYTES`].
    #[error("{key} is {bytes} bytes as JSON, over the limit of {limit}; move large texts out of the object")]
    TooLarge {
        /// The object.
        key: Key,
        /// Its size as JSON.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Postgres cannot hold the object's text.
    #[error(
        "{key} cannot be stored: it holds text that Postgres refuses, such as a NUL character; remove it"
    )]
    Unstorable {
        /// The object.
        key: Key,
        /// What Postgres said.
        #[source]
        source: sqlx::Error,
    },
    /// The database URL is not one.
    #[error(
        "the database URL cannot be read: {reason}; it has the form \
         postgres://user:password@host:5432/database, or postgres:///database?host=/socket/folder"
    )]
    Url {
        /// What is wrong, without quoting the URL.
        reason: String,
    },
    /// Postgres does not answer, refuses, or is too slow. A write may or may not have happened.
    #[error(
        "the database is unavailable: {source}; check that Postgres runs and that the database URL is right"
    )]
    Unavailable {
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The database did not answer in time. A write may or may not have happened.
    #[error("the database did not answer in time; check that it is not overloaded and can be reached")]
    Timeout,
    /// The tables are missing or of another version.
    #[error("the database lacks tables that this version needs; run `whoosh migrate`")]
    NotMigrated(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A row does not hold what this version writes; a newer version may have written it.
    #[error(
        "the database holds data that this version cannot read: {what}; was it written by a newer version?"
    )]
    Unreadable {
        /// Which row, and how it is wrong.
        what: String,
    },
    /// Postgres refused a query: a fault of this program.
    #[error("the database refused a query: {0}")]
    Query(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Timeout)
    }
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Changes after `from` have been compacted away: list again, and watch from the list's revision.
    #[error("the changes after resourceVersion {from} are gone, the oldest kept is {oldest}; list again")]
    Gone {
        /// Where the watch stood.
        from: Revision,
        /// The oldest revision that the log still holds.
        oldest: Revision,
    },
    /// The store has not come as far as `from`: it was restored from a backup, or `from` is another store's.
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
