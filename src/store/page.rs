//! Lists in pages that are all of one moment.

use sqlx::types::Json;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Store, StoreError, ask, row};
use crate::resource::{Kind, Object, Revision};

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListPage {
    /// By namespace, then by name.
    pub items: Vec<Object>,
    /// Whether there are more behind the last one.
    pub has_more: bool,
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOf<'a> {
    /// The kind of its objects.
    pub kind: Kind,
    /// Their namespace; `None` for all.
    pub namespace: Option<&'a str>,
    /// The moment that the list is of.
    pub at: Revision,
    /// The namespace and name of the last object of the page before; empty for the first page.
    pub after: (&'a str, &'a str),
    /// How many objects at most.
    pub limit: u32,
}

impl Store {
    /// The objects of one page as they were at its moment; `None` when the log does not tell any more what some of
    /// them were.
    ///
    /// What has not changed since is read from the objects, and what has from the log.
    pub async fn list_page(&self, of: &PageOf<'_>) -> Result<Option<ListPage>, StoreError> {
        let PageOf {
            kind,
            namespace,
            at,
            after,
            limit,
        } = of;
        let query = sqlx::query!(
            r#"
            WITH changed AS (
                SELECT DISTINCT ON (namespace, name) namespace, name, change
                FROM revisions
                WHERE kind = $1 AND revision > $3 AND ($2::text IS NULL OR namespace = $2)
                  AND (namespace, name) > ($4, $5)
                ORDER BY namespace, name, revision
            ), past AS (
                SELECT changed.namespace, changed.name, earlier.revision, earlier.object,
                       earlier.change IS DISTINCT FROM 'Deleted' AND earlier.revision IS NOT NULL AS there,
                       earlier.revision IS NULL AND changed.change <> 'Added' AS lost
                FROM changed
                LEFT JOIN LATERAL (
                    SELECT revision, change, object
                    FROM revisions
                    WHERE kind = $1 AND namespace = changed.namespace AND name = changed.name AND revision <= $3
                    ORDER BY revision DESC
                    LIMIT 1
                ) AS earlier ON true
            )
            SELECT head.compacted, namespace AS "namespace?", name AS "name?", all_of_it.revision AS "revision?",
                   metadata AS "metadata?: Json<ObjectMeta>", spec AS "spec?", status,
                   past AS "past?: Json<Object>", lost AS "lost?"
            FROM head LEFT JOIN (
                SELECT namespace, name, revision, metadata, spec, status, NULL::jsonb AS past, false AS lost
                FROM objects
                WHERE kind = $1 AND revision <= $3 AND ($2::text IS NULL OR namespace = $2)
                  AND (namespace, name) > ($4, $5)
                UNION ALL
                SELECT namespace, name, revision, NULL, NULL, NULL, object, lost
                FROM past
                WHERE there OR lost
                ORDER BY namespace, name
                LIMIT $6
            ) AS all_of_it ON true
            ORDER BY namespace, name
            "#,
            kind.name(),
            *namespace,
            at.0,
            after.0,
            after.1,
            i64::from(*limit) + 1,
        );
        let mut rows = ask(query.fetch_all(self.pool())).await?;
        if rows
            .iter()
            .any(|row| row.compacted > at.0 || row.lost == Some(true))
        {
            return Ok(None);
        }
        // With nothing to list, one row holds the mark alone.
        rows.retain(|row| row.name.is_some());
        let has_more = rows.len() > *limit as usize;
        rows.truncate(*limit as usize);
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            let revision = row.revision.unwrap_or_default();
            match (row.past, row.metadata, row.spec) {
                (Some(past), ..) => items.push(row::at(past.0, Revision(revision))),
                (None, Some(metadata), Some(spec)) => {
                    items.push(row::object(*kind, revision, metadata, spec, row.status));
                }
                (None, ..) => {
                    let what = format!("a page of {}", kind.plural());
                    return Err(StoreError::Unreadable(what));
                }
            }
        }
        Ok(Some(ListPage { items, has_more }))
    }
}
