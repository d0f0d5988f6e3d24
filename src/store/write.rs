//! The one way to change an object: one statement that checks, numbers, stores and logs the change.
//!
//! **Invariant:** a row of `objects` is locked before the row of `head`, never after it, except one that the same
//! statement inserts. Revisions, the leader's epoch and the log therefore agree whatever runs beside it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use sqlx::types::Json;

use super::error::Cause;
use super::{ChangeKind, Epoch, Store, StoreError, answer, ask, row};
use crate::resource::object::API_VERSION;
use crate::resource::validate::DECLARED_MAX;
use crate::resource::{Key, Object, Revision};

/// The largest object, in bytes of JSON: what may be declared, and room for its status and for who owns its fields. One
/// that is being deleted may have twice as much: whatever is noted on its way must not keep it.
pub const MAX_OBJECT_BYTES: usize = 4 * DECLARED_MAX;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Write {
    /// What to do.
    pub op: Op,
    /// Who wants it, as the log tells it.
    pub actor: String,
    /// Why, as the log tells it.
    pub reason: String,
    /// When given, the write happens only while this is the epoch of the [leader lease](super::LEADER_LEASE).
    pub epoch: Option<Epoch>,
}

/// What a [`Write`] does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Stores an object that does not exist yet.
    Create(Object),
    /// Replaces an object that is still at `expected`.
    Update {
        /// What to store; the resourceVersion in it is ignored.
        object: Object,
        /// The revision that the caller read.
        expected: Revision,
    },
    /// Removes an object that is still at `expected`.
    Remove {
        /// Which.
        key: Key,
        /// The revision that the caller read.
        expected: Revision,
    },
}

impl Op {
    /// The object that it leaves; `None` where one goes, or is on its way out.
    pub fn written(&self) -> Option<&Object> {
        match self {
            Self::Create(object) | Self::Update { object, .. } if !object.is_deleting() => Some(object),
            Self::Create(_) | Self::Update { .. } | Self::Remove { .. } => None,
        }
    }
}

/// What this process has written.
#[derive(Debug, Default)]
pub(super) struct Written {
    created: AtomicU64,
    updated: AtomicU64,
    removed: AtomicU64,
}

impl Written {
    fn of(&self, change: ChangeKind) -> &AtomicU64 {
        match change {
            ChangeKind::Added => &self.created,
            ChangeKind::Modified => &self.updated,
            ChangeKind::Deleted => &self.removed,
        }
    }

    pub(super) fn count(&self, change: ChangeKind) {
        self.of(change).fetch_add(1, Relaxed);
    }
}

/// Who does a write, why, and as which leader.
pub(super) struct By {
    pub(super) actor: String,
    pub(super) reason: String,
    pub(super) epoch: Option<i64>,
}

impl Store {
    /// Does one write and returns the object as it is stored, with its new resourceVersion.
    ///
    /// A removed object is returned as it was last, at the revision that removed it. An update that changes nothing
    /// writes nothing, and returns the object at the revision it has.
    ///
    /// # Errors
    /// [`AlreadyExists`](StoreError::AlreadyExists), [`NotFound`](StoreError::NotFound),
    /// [`Conflict`](StoreError::Conflict), [`StaleLeader`](StoreError::StaleLeader),
    /// [`TooLarge`](StoreError::TooLarge) and [`Unstorable`](StoreError::Unstorable): nothing was written. After
    /// [`Unavailable`](StoreError::Unavailable) and [`Timeout`](StoreError::Timeout) it may have been: read the
    /// object, or repeat the write, which cannot happen twice.
    pub async fn write(&self, write: Write) -> Result<Object, StoreError> {
        let Write {
            op,
            actor,
            reason,
            epoch,
        } = write;
        let by = By {
            actor,
            reason,
            epoch: epoch.map(|Epoch(epoch)| epoch),
        };
        match op {
            Op::Create(object) => {
                let created = self.create(object, &by).await?;
                self.shared.written.count(ChangeKind::Added);
                Ok(created)
            }
            Op::Update { object, expected } => {
                let (updated, wrote) = self.update(object, expected, &by).await?;
                if wrote {
                    self.shared.written.count(ChangeKind::Modified);
                }
                Ok(updated)
            }
            Op::Remove { key, expected } => {
                let removed = self.remove(&key, expected, &by).await?;
                self.shared.written.count(ChangeKind::Deleted);
                Ok(removed)
            }
        }
    }

    /// How many objects this process has created, updated and removed, each with its word. Clones count together.
    pub fn writes(&self) -> [(&'static str, u64); 3] {
        let Written {
            created,
            updated,
            removed,
        } = &self.shared.written;
        [("create", created), ("update", updated), ("remove", removed)]
            .map(|(operation, count)| (operation, count.load(Relaxed)))
    }

    async fn create(&self, object: Object, by: &By) -> Result<Object, StoreError> {
        let document = Document::of(object)?;
        let Document { key, object, text } = &document;
        let query = sqlx::query_scalar!(
            r#"
            WITH given AS (
                SELECT $6::text::jsonb AS object
            ), next AS (
                UPDATE head SET revision = revision + 1
                WHERE $9::bigint IS NULL OR epoch = $9
                RETURNING revision
            ), stored AS (
                INSERT INTO objects (kind, namespace, name, uid, generation, revision, metadata, spec, status)
                SELECT $1, $2, $3, $4, $5, next.revision, object->'metadata', object->'spec', object->'status'
                FROM next, given
            )
            INSERT INTO revisions (revision, change, kind, namespace, name, object, actor, reason)
            SELECT next.revision, 'Added', $1, $2, $3, object, $7, $8
            FROM next, given
            RETURNING revision
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
            object.uid(),
            object.generation(),
            text,
            by.actor,
            by.reason,
            by.epoch,
        );
        match answer(query.fetch_optional(self.pool())).await? {
            Ok(Some(revision)) => Ok(document.stored_at(revision)),
            Ok(None) => Err(StoreError::StaleLeader),
            Err(error) => Err(refused(key, error)),
        }
    }

    /// The object, and whether it was written: it was not when nothing in it changes.
    async fn update(
        &self,
        object: Object,
        expected: Revision,
        by: &By,
    ) -> Result<(Object, bool), StoreError> {
        let document = Document::of(object)?;
        let Document { key, object, text } = &document;
        let query = sqlx::query!(
            r#"
            WITH given AS (
                SELECT $6::text::jsonb AS object
            ), held AS (
                SELECT metadata = object->'metadata' AND spec = object->'spec'
                       AND status IS NOT DISTINCT FROM object->'status' AS same
                FROM objects, given
                WHERE kind = $1 AND namespace = $2 AND name = $3 AND revision = $10
                FOR UPDATE OF objects
            ), next AS (
                UPDATE head SET revision = revision + 1
                FROM held
                WHERE NOT held.same AND ($9::bigint IS NULL OR epoch = $9)
                RETURNING revision
            ), stored AS (
                UPDATE objects
                SET uid = $4, generation = $5, revision = next.revision,
                    metadata = object->'metadata', spec = object->'spec', status = object->'status'
                FROM next, given
                WHERE kind = $1 AND namespace = $2 AND name = $3
            ), logged AS (
                INSERT INTO revisions (revision, change, kind, namespace, name, object, actor, reason)
                SELECT next.revision, 'Modified', $1, $2, $3, object, $7, $8
                FROM next, given
            )
            SELECT held.same AS "same!", next.revision AS "revision?"
            FROM held LEFT JOIN next ON true
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
            object.uid(),
            object.generation(),
            text,
            by.actor,
            by.reason,
            by.epoch,
            expected.0,
        );
        let outcome = match answer(query.fetch_optional(self.pool())).await? {
            Ok(outcome) => outcome.map(|row| (row.same, row.revision)),
            Err(error) => return Err(refused(key, error)),
        };
        match outcome {
            Some((_, Some(revision))) => Ok((document.stored_at(revision), true)),
            Some((true, None)) => Ok((document.stored_at(expected.0), false)),
            Some((false, None)) => Err(StoreError::StaleLeader),
            None => Err(self.why_not(key, expected, by.epoch).await),
        }
    }

    async fn remove(&self, key: &Key, expected: Revision, by: &By) -> Result<Object, StoreError> {
        let query = sqlx::query!(
            r#"
            WITH held AS (
                SELECT metadata, spec, status
                FROM objects
                WHERE kind = $1 AND namespace = $2 AND name = $3 AND revision = $8
                FOR UPDATE
            ), next AS (
                UPDATE head SET revision = revision + 1
                FROM held
                WHERE $7::bigint IS NULL OR epoch = $7
                RETURNING revision
            ), removed AS (
                DELETE FROM objects USING next
                WHERE kind = $1 AND namespace = $2 AND name = $3
            )
            INSERT INTO revisions (revision, change, kind, namespace, name, object, actor, reason)
            SELECT next.revision, 'Deleted', $1, $2, $3,
                   jsonb_build_object('apiVersion', $4::text, 'kind', $1::text,
                                      'metadata', metadata, 'spec', spec, 'status', status),
                   $5, $6
            FROM next, held
            RETURNING revision, object AS "object: Json<Object>"
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
            API_VERSION,
            by.actor,
            by.reason,
            by.epoch,
            expected.0,
        );
        match ask(query.fetch_optional(self.pool())).await? {
            Some(row) => Ok(row::at(row.object.0, Revision(row.revision))),
            None => Err(self.why_not(key, expected, by.epoch).await),
        }
    }

    /// Why a change of an existing object did nothing. Asked afterwards, and still right: an object never returns to
    /// a revision that it has left, nor the leader to an earlier epoch.
    pub(super) async fn why_not(&self, key: &Key, expected: Revision, epoch: Option<i64>) -> StoreError {
        let query = sqlx::query!(
            r#"
            SELECT head.epoch, objects.revision AS "revision?"
            FROM head
            LEFT JOIN objects ON kind = $1 AND namespace = $2 AND name = $3
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
        );
        match ask(query.fetch_one(self.pool())).await {
            Ok(now) if epoch.is_some_and(|epoch| epoch != now.epoch) => StoreError::StaleLeader,
            Ok(now) => match now.revision {
                Some(current) => StoreError::Conflict {
                    key: key.clone(),
                    expected,
                    current: Revision(current),
                },
                None => StoreError::NotFound(key.clone()),
            },
            Err(error) => error,
        }
    }
}

/// An object as it goes to the database: without its resourceVersion.
pub(super) struct Document {
    pub(super) key: Key,
    pub(super) object: Object,
    pub(super) text: String,
}

impl Document {
    pub(super) fn of(mut object: Object) -> Result<Self, StoreError> {
        let key = object.key();
        object.metadata.namespace = Some(key.namespace.clone());
        object.metadata.resource_version = None;
        let text = serde_json::to_string(&object).map_err(|error| StoreError::Unstorable {
            key: key.clone(),
            source: Cause::new(error),
        })?;
        let limit = if object.is_deleting() {
            2 * MAX_OBJECT_BYTES
        } else {
            MAX_OBJECT_BYTES
        };
        if text.len() > limit {
            return Err(StoreError::TooLarge {
                key,
                bytes: text.len(),
                limit,
            });
        }
        Ok(Self { key, object, text })
    }

    fn stored_at(self, revision: i64) -> Object {
        row::at(self.object, Revision(revision))
    }
}

/// What Postgres refused in an object.
pub(super) fn refused(key: &Key, error: sqlx::Error) -> StoreError {
    let refusal = error.as_database_error();
    let code = refusal.and_then(|refusal| refusal.code());
    match code.as_deref() {
        Some("23505") if refusal.and_then(|refusal| refusal.constraint()) == Some("objects_pkey") => {
            StoreError::AlreadyExists(key.clone())
        }
        // Class 22 is a value that the column's type cannot hold.
        Some(code) if code.starts_with("22") => StoreError::Unstorable {
            key: key.clone(),
            source: Cause::new(error),
        },
        _ => error.into(),
    }
}
