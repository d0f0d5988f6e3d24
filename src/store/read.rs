//! What is, now.

use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sqlx::types::Json;

use super::{Store, StoreError, ask, row};
use crate::resource::{Key, Kind, Object, Revision};

/// The objects of one list, and the revision of the snapshot that they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// By namespace, then by name.
    pub items: Vec<Object>,
    /// A watch from here misses nothing and repeats nothing.
    pub revision: Revision,
}

impl Store {
    /// The object of this key.
    pub async fn get(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT revision, metadata AS "metadata: Json<ObjectMeta>", spec, status
            FROM objects
            WHERE kind = $1 AND namespace = $2 AND name = $3
            "#,
            key.kind.name(),
            key.namespace,
            key.name,
        );
        let found = ask(query.fetch_optional(self.pool())).await?;
        Ok(found.map(|row| row::object(key.kind, row.revision, row.metadata, row.spec, row.status)))
    }

    /// The objects of a kind, of one namespace or of all, and the revision that they are the state of.
    pub async fn list(&self, kind: Kind, namespace: Option<&str>) -> Result<Listed, StoreError> {
        let mut items = Vec::new();
        let revision = self.each(kind, namespace, |object| items.push(object)).await?;
        Ok(Listed { items, revision })
    }

    /// Hands the objects of such a list to `take`, one by one while they arrive; the list's revision.
    pub async fn each(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        mut take: impl FnMut(Object),
    ) -> Result<Revision, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT head.revision AS head, objects.revision AS "revision?",
                   metadata AS "metadata?: Json<ObjectMeta>", spec AS "spec?", status
            FROM head
            LEFT JOIN objects ON objects.kind = $1 AND ($2::text IS NULL OR objects.namespace = $2)
            ORDER BY objects.namespace, objects.name
            "#,
            kind.name(),
            namespace,
        );
        ask(async {
            let mut rows = query.fetch(self.pool());
            let mut head = Revision::default();
            while let Some(row) = rows.try_next().await? {
                head = Revision(row.head);
                // With nothing to list, one row holds the revision alone.
                if let (Some(revision), Some(metadata), Some(spec)) = (row.revision, row.metadata, row.spec) {
                    take(row::object(kind, revision, metadata, spec, row.status));
                }
            }
            Ok(head)
        })
        .await
    }

    /// The namespaces that hold an object, each with the time of its oldest one.
    pub async fn namespaces(&self) -> Result<Vec<(String, Option<Timestamp>)>, StoreError> {
        let query = sqlx::query!(
            r#"
            SELECT namespace, min(metadata ->> 'creationTimestamp') AS since
            FROM objects
            GROUP BY namespace
            ORDER BY namespace
            "#,
        );
        let found = ask(query.fetch_all(self.pool())).await?;
        let since = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(found
            .into_iter()
            .map(|row| (row.namespace, since(row.since)))
            .collect())
    }

    /// The newest revision; 0 before the first write.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let query = sqlx::query_scalar!("SELECT revision FROM head");
        Ok(Revision(ask(query.fetch_one(self.pool())).await?))
    }
}
