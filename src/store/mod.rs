//! What people declared, in Postgres: objects, their revision log, events and leases.

mod compact;
mod error;
mod events;
mod history;
mod lease;
mod read;
mod watch;
mod write;

use std::fmt;

pub use error::{StoreError, WatchError};
pub use events::{EventRecord, EventType};
pub use history::HistoryEntry;
pub use lease::{Epoch, LEADER_LEASE, Lease};
pub use read::Listed;
pub use watch::{Change, ChangeKind};
pub use write::{MAX_OBJECT_BYTES, Op, Write};

use crate::resource::Revision;

/// The store. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Store {
    server: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.server).finish()
    }
}

impl Store {
    /// Connects to the database that `url` names (`postgres://…`).
    ///
    /// # Errors
    /// [`StoreError::Url`], or [`StoreError::Unavailable`] when the server does not answer or refuses.
    pub async fn connect(_url: &str) -> Result<Store, StoreError> {
        todo!()
    }

    /// Brings the tables to this version. Does nothing when they are; safe to run from many processes at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// The installation's id, made once and kept in the database.
    pub async fn instance_id(&self) -> Result<String, StoreError> {
        todo!()
    }

    /// The newest revision; 0 before the first write.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        todo!()
    }
}
