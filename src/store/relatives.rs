//! Who owns whom: `metadata.ownerReferences`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sqlx::types::Json;

use super::{Store, StoreError, ask};
use crate::resource::dependents::{self, Relative, Standing};
use crate::resource::{Key, Kind, Object};

impl Store {
    /// Those of a namespace that name an owner of this uid.
    pub async fn dependents(&self, namespace: &str, uid: &str) -> Result<Vec<Relative>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT kind, namespace, name, metadata AS "metadata: Json<ObjectMeta>"
            FROM objects
            WHERE owners ? $2 AND namespace = $1
            ORDER BY kind, name
            "#,
            namespace,
            uid,
        );
        let rows = ask(query.fetch_all(self.pool())).await?;
        rows.into_iter().map(Row::into_relative).collect()
    }

    /// How the owners that an object names stand, in the order of its references.
    pub async fn standings(&self, object: &Object) -> Result<Vec<Standing>, StoreError> {
        let references = dependents::references(&object.metadata).iter();
        let uids: Vec<String> = references.map(|reference| reference.uid.clone()).collect();
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT kind, namespace, name, metadata AS "metadata: Json<ObjectMeta>"
            FROM objects
            WHERE uid = ANY($2) AND namespace = $1
            "#,
            object.namespace(),
            &uids,
        );
        let rows = ask(query.fetch_all(self.pool())).await?;
        let found: Vec<Relative> = rows
            .into_iter()
            .map(Row::into_relative)
            .collect::<Result<_, _>>()?;
        Ok(dependents::standings(object, &found))
    }
}

struct Row {
    kind: String,
    namespace: String,
    name: String,
    metadata: Json<ObjectMeta>,
}

impl Row {
    /// A kind that only another version knows is left to that one, with all that it owns.
    fn into_relative(self) -> Result<Relative, StoreError> {
        let kind = Kind::stored_as(&self.kind);
        let kind =
            kind.ok_or_else(|| StoreError::Unreadable(format!("an object of the kind {:?}", self.kind)))?;
        Ok(Relative {
            key: Key::new(kind, self.namespace, self.name),
            metadata: self.metadata.0,
        })
    }
}
