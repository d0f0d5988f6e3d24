//! Turns: what all processes on one database do one at a time.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::connect::SESSION;
use super::{Store, StoreError, ask};

/// Names the lock of the turns among the database's advisory locks.
const TURN: i64 = 0x77_68_6f_6f_73_68;

/// A turn, which lasts until it is dropped, or its process ends in whatever way; four seconds at most.
#[derive(Debug)]
pub struct StoreTurn {
    /// A connection of its own: the lock goes with it.
    _held: PgConnection,
}

impl Store {
    /// Waits until no other process has a turn.
    ///
    /// # Errors
    /// Also when another one does not end within 5 seconds (`lock_timeout`).
    pub async fn turn(&self) -> Result<StoreTurn, StoreError> {
        // Whoever has one and is not heard of for so long, frozen or cut off, has it no longer: less than others wait.
        let options = self.shared.options.clone().options(SESSION);
        let session = options.options([("idle_session_timeout", "4s")]);
        let mut held = ask(PgConnection::connect_with(&session)).await?;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(TURN);
        ask(lock.execute(&mut held)).await?;
        Ok(StoreTurn { _held: held })
    }
}
