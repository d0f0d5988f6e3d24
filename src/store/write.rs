//! Writing.
use super::{Epoch, Store, StoreError};
use crate::resource::{Key, Object, Revision};

/// The largest object, in bytes of JSON.
pub const MAX_OBJECT_BYTES: usize = 1 << 20;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Write {
    /// What to do.
    pub op: Op,
    /// Who wants it (`user:alice`, `controller`); kept in the log.
    pub actor: String,
    /// Why; kept in the log.
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
        /// What to store. Its own resourceVersion is ignored.
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

impl Store {
    /// Does one write and returns the object as stored, with its new resourceVersion. A removed object is returned
    /// as it was last, at the revision that removed it. An update that changes nothing writes nothing.
    pub async fn write(&self, _write: Write) -> Result<Object, StoreError> {
        todo!()
    }
}
