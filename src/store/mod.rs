//! What people declared, in Postgres: objects, their revision log, events and leases.
//!
//! **Invariant:** every change is one SQL statement, which Postgres runs as one transaction. Nothing here calls
//! `begin()`, so a caller may drop any future at any time: sqlx 0.9 leaves a pooled connection unusable when a
//! `begin()` is dropped, and a statement of its own has nothing to leave open.
//!
//! **Invariant:** a statement that moves the revision locks the row of `head` last, and so holds it to its commit
//! while it waits for nothing else: revisions are numbered in commit order, without gaps, and no two writes deadlock.
//!
//! **Invariant:** the database URL, which may hold a password, is neither kept nor printed.

mod backoff;
mod batch;
mod compact;
mod connect;
mod error;
mod events;
mod history;
mod lease;
mod listen;
mod page;
mod read;
mod relatives;
mod row;
mod tail;
mod tokens;
mod turn;
mod watch;
mod write;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

pub use crate::resource::event::EventType;
pub use batch::Batch;
pub use error::{Cause, StoreError, WatchError};
pub use events::{EventRecord, MAX_EVENTS};
pub use history::{HistoryEntry, HistoryPage};
pub use lease::{Epoch, LEADER_LEASE, Lease};
pub use page::{ListPage, PageOf};
pub use read::Listed;
pub use tokens::{Token, TokenHash};
pub use turn::StoreTurn;
pub use watch::{Change, ChangeKind};
pub use write::{MAX_OBJECT_BYTES, Op, Write};

use listen::Wake;
use tail::Tail;
use write::Written;

/// The longest wait for an answer, the wait for a connection included. The server gives a statement less.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The store. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    /// Where it is, for people: without the password.
    server: String,
    options: sqlx::postgres::PgConnectOptions,
    pool: PgPool,
    /// One connection: however busy the others are, a leader stays one.
    leases: PgPool,
    wake: Wake,
    tail: OnceLock<Tail>,
    written: Written,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.shared.server).finish()
    }
}

impl Store {
    fn pool(&self) -> &PgPool {
        &self.shared.pool
    }
}

/// Waits for the database's answer, for a limited time.
async fn ask<T>(query: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    answer(query).await?.map_err(StoreError::from)
}

/// The same, for a caller to whom a refusal by the database means something.
async fn answer<T>(
    query: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<Result<T, sqlx::Error>, StoreError> {
    timeout(ANSWER_LIMIT, query)
        .await
        .map_err(|_elapsed| StoreError::Timeout)
}
