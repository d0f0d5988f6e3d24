//! Several changes of several objects at once: all of them, or none.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::write::{By, Document, Op, refused};
use super::{ChangeKind, Epoch, Store, StoreError, answer, row};
use crate::resource::object::API_VERSION;
use crate::resource::{Key, Object, Revision};

/// Changes that belong together. An object occurs in it once at most.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What to do, in the order in which the log tells it.
    pub ops: Vec<Op>,
    /// Who wants it, as the log tells it.
    pub actor: String,
    /// Why, as the log tells it.
    pub reason: String,
    /// When given, the writes happen only while this is the epoch of the [leader lease](super::LEADER_LEASE).
    pub epoch: Option<Epoch>,
}

/// The columns of a batch, one entry an operation.
#[derive(Debug, Default)]
struct Columns {
    change: Vec<ChangeKind>,
    kind: Vec<String>,
    namespace: Vec<String>,
    name: Vec<String>,
    uid: Vec<String>,
    generation: Vec<i64>,
    object: Vec<Option<String>>,
    expected: Vec<Option<i64>>,
}

impl Columns {
    fn push(&mut self, op: Op) -> Result<(), StoreError> {
        match op {
            Op::Create(object) => self.put(ChangeKind::Added, Document::of(object)?, None),
            Op::Update { object, expected } => {
                self.put(ChangeKind::Modified, Document::of(object)?, Some(expected))
            }
            Op::Remove { key, expected } => {
                self.row(ChangeKind::Deleted, key, Some(expected));
                self.uid.push(String::new());
                self.generation.push(0);
                self.object.push(None);
            }
        }
        Ok(())
    }

    fn put(&mut self, change: ChangeKind, document: Document, expected: Option<Revision>) {
        let Document { key, object, text } = document;
        self.row(change, key, expected);
        self.uid.push(object.uid().to_owned());
        self.generation.push(object.generation());
        self.object.push(Some(text));
    }

    fn row(&mut self, change: ChangeKind, key: Key, expected: Option<Revision>) {
        self.change.push(change);
        self.kind.push(key.kind.name().to_owned());
        self.namespace.push(key.namespace);
        self.name.push(key.name);
        self.expected.push(expected.map(|Revision(revision)| revision));
    }
}

impl Store {
    /// Does all writes of a batch, in one transaction. The objects come back as they are stored, by key; a removed one as
    /// it was last. Unlike [`Store::write`], an update that changes nothing is written all the same: leave it out.
    ///
    /// # Errors
    /// As [`Store::write`] has them, about one of the objects; none of the batch was written then, but for
    /// [`Unavailable`](StoreError::Unavailable) and [`Timeout`](StoreError::Timeout), after which all of it may have been.
    pub async fn write_all(&self, batch: Batch) -> Result<BTreeMap<Key, Object>, StoreError> {
        let Batch {
            ops,
            actor,
            reason,
            epoch,
        } = batch;
        let keys: Vec<(Key, Option<Revision>)> = ops.iter().map(key_of).collect();
        let Some((first, _)) = keys.first() else {
            return Ok(BTreeMap::new());
        };
        let by = By {
            actor,
            reason,
            epoch: epoch.map(|Epoch(epoch)| epoch),
        };
        let mut columns = Columns::default();
        for op in ops {
            columns.push(op)?;
        }
        let changes: Vec<String> = columns
            .change
            .iter()
            .map(|change| format!("{change:?}"))
            .collect();
        let query = sqlx::query!(
            r#"
            WITH given AS (
                SELECT change, kind, namespace, name, uid, generation, object::jsonb AS object, expected, n
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                            $8::bigint[])
                     WITH ORDINALITY AS rows (change, kind, namespace, name, uid, generation, object, expected, n)
            ), held AS (
                SELECT given.n, jsonb_build_object('apiVersion', $9::text, 'kind', objects.kind,
                           'metadata', objects.metadata, 'spec', objects.spec, 'status', objects.status) AS last
                FROM objects JOIN given USING (kind, namespace, name)
                WHERE objects.revision = given.expected
                ORDER BY objects.kind, objects.namespace, objects.name
                FOR UPDATE OF objects
            ), next AS (
                UPDATE head SET revision = head.revision + (SELECT count(*) FROM given)
                WHERE (SELECT count(*) FROM held) = (SELECT count(expected) FROM given)
                      AND ($10::bigint IS NULL OR epoch = $10)
                RETURNING revision - (SELECT count(*) FROM given) AS base
            ), created AS (
                INSERT INTO objects (kind, namespace, name, uid, generation, revision, metadata, spec, status)
                SELECT kind, namespace, name, uid, generation, base + n,
                       object->'metadata', object->'spec', object->'status'
                FROM next, given
                WHERE change = 'Added'
            ), updated AS (
                UPDATE objects
                SET uid = given.uid, generation = given.generation, revision = base + n,
                    metadata = object->'metadata', spec = object->'spec', status = object->'status'
                FROM next, given
                WHERE change = 'Modified' AND objects.kind = given.kind AND objects.namespace = given.namespace
                      AND objects.name = given.name
            ), removed AS (
                DELETE FROM objects USING next, given
                WHERE change = 'Deleted' AND objects.kind = given.kind AND objects.namespace = given.namespace
                      AND objects.name = given.name
            )
            INSERT INTO revisions (revision, change, kind, namespace, name, object, actor, reason)
            SELECT base + given.n, change, kind, namespace, name, COALESCE(given.object, last), $11, $12
            FROM next, given LEFT JOIN held ON held.n = given.n
            RETURNING revision, object AS "object: Json<Object>"
            "#,
            &changes,
            &columns.kind,
            &columns.namespace,
            &columns.name,
            &columns.uid,
            &columns.generation,
            &columns.object as &[Option<String>],
            &columns.expected as &[Option<i64>],
            API_VERSION,
            by.epoch,
            by.actor,
            by.reason,
        );
        let rows = match answer(query.fetch_all(self.pool())).await? {
            Ok(rows) => rows,
            Err(error) => {
                return Err(match refused(first, error) {
                    StoreError::AlreadyExists(_) => self.why_taken(&keys).await,
                    error => error,
                });
            }
        };
        if rows.is_empty() {
            return Err(self.why_none(&keys, by.epoch).await);
        }
        for change in columns.change {
            self.shared.written.count(change);
        }
        let stored = rows.into_iter().map(|row| {
            let object = row::at(row.object.0, Revision(row.revision));
            (object.key(), object)
        });
        Ok(stored.collect())
    }

    /// Which of the objects to be created is there already; the first, when it went meanwhile.
    async fn why_taken(&self, keys: &[(Key, Option<Revision>)]) -> StoreError {
        let mut created = keys
            .iter()
            .filter(|(_, expected)| expected.is_none())
            .map(|(key, _)| key);
        let first = created.clone().next();
        let taken = loop {
            let Some(key) = created.next() else { break first };
            match self.get(key).await {
                Ok(None) => {}
                Ok(Some(_)) => break Some(key),
                Err(error) => return error,
            }
        };
        taken.map_or(StoreError::StaleLeader, |key| {
            StoreError::AlreadyExists(key.clone())
        })
    }

    /// Why a batch did nothing: the first of its objects that is not at the revision that the caller read.
    async fn why_none(&self, keys: &[(Key, Option<Revision>)], epoch: Option<i64>) -> StoreError {
        let mut error = StoreError::StaleLeader;
        for (key, expected) in keys {
            let Some(expected) = *expected else { continue };
            error = self.why_not(key, expected, epoch).await;
            let unchanged = matches!(&error, StoreError::Conflict { current, .. } if *current == expected);
            if !unchanged {
                break;
            }
        }
        error
    }
}

fn key_of(op: &Op) -> (Key, Option<Revision>) {
    match op {
        Op::Create(object) => (object.key(), None),
        Op::Update { object, expected } => (object.key(), Some(*expected)),
        Op::Remove { key, expected } => (key.clone(), Some(*expected)),
    }
}
