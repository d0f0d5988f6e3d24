//! Forgetting the log's older part. Objects are untouched.

use std::time::Duration;

use super::{Store, StoreError, ask};
use crate::resource::Revision;

/// How many entries are deleted at once: a statement of its own, so that none takes long.
const BATCH: i64 = 5000;

impl Store {
    /// The first entry of the log that is younger than `age` by the database's clock, if there is one.
    pub async fn first_within(&self, age: Duration) -> Result<Option<Revision>, StoreError> {
        let query = sqlx::query_scalar!(
            "SELECT revision FROM revisions WHERE at > now() - make_interval(secs => $1) ORDER BY revision LIMIT 1",
            age.as_secs_f64(),
        );
        Ok(ask(query.fetch_optional(self.pool())).await?.map(Revision))
    }

    /// Forgets the log before `before`; the newest entry always stays.
    ///
    /// The mark moves first, and the entries follow. A watcher that stands before the mark is told that what it
    /// wants is gone, whether or not it is yet. What an interrupted call leaves behind, the next one deletes.
    pub async fn compact(&self, before: Revision) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "UPDATE head SET compacted = least($1, revision) - 1 WHERE compacted < least($1, revision) - 1",
            before.0,
        );
        ask(query.execute(self.pool())).await?;
        while self.delete_compacted().await? == BATCH.unsigned_abs() {}
        Ok(())
    }

    async fn delete_compacted(&self) -> Result<u64, StoreError> {
        let query = sqlx::query!(
            "
            DELETE FROM revisions
            WHERE revision IN (
                SELECT revision
                FROM revisions
                WHERE revision <= (SELECT compacted FROM head)
                ORDER BY revision
                LIMIT $1
            )
            ",
            BATCH,
        );
        Ok(ask(query.execute(self.pool())).await?.rows_affected())
    }
}
