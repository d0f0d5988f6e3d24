//! Reading what is.
use super::{Store, StoreError};
use crate::resource::{Key, Kind, Object, Revision};

/// The objects of one list, and the revision of the snapshot that they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// By namespace, then name.
    pub items: Vec<Object>,
    /// A watch from here misses nothing and repeats nothing.
    pub revision: Revision,
}

impl Store {
    /// The object of this key.
    pub async fn get(&self, _key: &Key) -> Result<Option<Object>, StoreError> {
        todo!()
    }
    /// The objects of a kind, of one namespace or of all, from one snapshot.
    pub async fn list(&self, _kind: Kind, _namespace: Option<&str>) -> Result<Listed, StoreError> {
        todo!()
    }
}
