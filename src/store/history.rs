//! History.
use super::{ChangeKind, Store, StoreError};
use crate::resource::{Key, Object, Revision};
use jiff::Timestamp;

/// One state that an object went through.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// The revision that made it.
    pub revision: Revision,
    /// What happened.
    pub change: ChangeKind,
    /// The object's generation then.
    pub generation: i64,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// The object then.
    pub object: Object,
}

impl Store {
    /// What the log still knows of an object, oldest first.
    pub async fn history(&self, _key: &Key) -> Result<Vec<HistoryEntry>, StoreError> {
        todo!()
    }
}
