//! What an object has been.

use jiff::Timestamp;
use sqlx::types::Json;

use super::{ChangeKind, Store, StoreError, ask, row};
use crate::resource::{Key, Object, Revision};

/// How many states of an object are told at once.
const ENTRIES_MAX: usize = 1000;
/// How many bytes they may have together, as JSON: each is a whole object.
const BYTES_MAX: i64 = 8 << 20;
/// How many are read at once.
const READ_AT_ONCE: i64 = 16;

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

/// A part of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// Oldest first.
    pub entries: Vec<HistoryEntry>,
    /// Whether there are older ones.
    pub has_more: bool,
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

    /// What the log still knows of every object that ever had this key, oldest first; at most so many of the newest
    /// states as [`Store::history_page`] tells.
    pub async fn history(&self, key: &Key) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(self.history_page(key, None).await?.entries)
    }

    /// The newest states that the log still knows of every object that ever had this key, of those before a revision if
    /// one is given: 1,000 at most, and of some megabytes at most, but always one.
    pub async fn history_page(&self, key: &Key, before: Option<Revision>) -> Result<HistoryPage, StoreError> {
        let mut before = before.map_or(i64::MAX, |Revision(revision)| revision);
        let (mut newest_first, mut bytes) = (Vec::new(), 0);
        let has_more = loop {
            let query = sqlx::query!(
                r#"
                SELECT revision, change, object AS "object: Json<Object>", actor, reason,
                       (extract(epoch FROM at) * 1000000)::bigint AS "at!",
                       octet_length(object::text)::bigint AS "bytes!"
                FROM revisions
                WHERE kind = $1 AND namespace = $2 AND name = $3 AND revision < $4
                ORDER BY revision DESC
                LIMIT $5
                "#,
                key.kind.name(),
                key.namespace,
                key.name,
                before,
                READ_AT_ONCE,
            );
            let rows = ask(query.fetch_all(self.pool())).await?;
            if rows.is_empty() {
                break false;
            }
            let mut is_full = false;
            for row in rows {
                bytes += row.bytes;
                is_full =
                    newest_first.len() == ENTRIES_MAX || (bytes > BYTES_MAX && !newest_first.is_empty());
                if is_full {
                    break;
                }
                before = row.revision;
                let revision = Revision(row.revision);
                newest_first.push(HistoryEntry {
                    revision,
                    change: row::change_kind(&row.change)?,
                    generation: row.object.generation(),
                    actor: row.actor,
                    reason: row.reason,
                    at: row::timestamp(row.at)?,
                    object: row::at(row.object.0, revision),
                });
            }
            if is_full {
                break true;
            }
        };
        newest_first.reverse();
        Ok(HistoryPage {
            entries: newest_first,
            has_more,
        })
    }
}
