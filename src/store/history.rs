//! What an object has been.

use jiff::Timestamp;
use sqlx::types::Json;

use super::{ChangeKind, Store, StoreError, ask, row};
use crate::resource::{Key, Object, Revision};

/// How many states of an object are told, the newest.
const ENTRIES_MAX: i64 = 1000;

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
    /// The object then, or as it was last when it was deleted.
    pub object: Object,
}

impl Store {
    /// What an object was right before `revision`, as far as the log still tells; and what had happened to it.
    pub async fn before(
        &self,
        key: &Key,
        revision: Revision,
    ) -> Result<Option<(ChangeKind, Object)>, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT revision, change, object AS "object: Json<Object>"
            FROM revisions
            WHERE kind = $1 AND namespace = $2 AND name = $3 AND revision < $4
            ORDER BY revision DESC
            LIMIT 1
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
            revision.0,
        );
        let found = ask(query.fetch_optional(self.pool())).await?;
        let state = found.map(|row| {
            let object = row::at(row.object.0, Revision(row.revision));
            row::change_kind(&row.change).map(|change| (change, object))
        });
        state.transpose()
    }

    /// What the log still knows of every object that ever had this key, oldest first; at most 1,000 entries.
    pub async fn history(&self, key: &Key) -> Result<Vec<HistoryEntry>, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT revision, change, object AS "object: Json<Object>", actor, reason,
                   (extract(epoch FROM at) * 1000000)::bigint AS "at!"
            FROM revisions
            WHERE kind = $1 AND namespace = $2 AND name = $3
            ORDER BY revision DESC
            LIMIT $4
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
            ENTRIES_MAX,
        );
        let newest_first = ask(query.fetch_all(self.pool())).await?;
        let entries = newest_first.into_iter().rev().map(|row| {
            let revision = Revision(row.revision);
            Ok(HistoryEntry {
                revision,
                change: row::change_kind(&row.change)?,
                generation: row.object.generation(),
                actor: row.actor,
                reason: row.reason,
                at: row::timestamp(row.at)?,
                object: row::at(row.object.0, revision),
            })
        });
        entries.collect()
    }
}
