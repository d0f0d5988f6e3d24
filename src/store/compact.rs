//! Compaction.
use super::{Store, StoreError};
use crate::resource::Revision;
use std::time::Duration;

impl Store {
    /// Forgets the log before `before`; the newest entry always stays. Objects are untouched.
    pub async fn compact(&self, _before: Revision) -> Result<(), StoreError> {
        todo!()
    }
    /// Forgets what the log recorded longer than `age` ago.
    pub async fn compact_older_than(&self, _age: Duration) -> Result<(), StoreError> {
        todo!()
    }
}
