//! Where an object comes from: who changed it last, and the commit that declares it.

use super::{Change, Commit, Link, Told, change};

/// What is known of where an object comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// Who changed it last; `None` when that is forgotten.
    pub change: Told<Option<Change>>,
    /// The commit that declares it, if one does. Whoever may not see that is told of the change alone.
    pub commit: Option<Commit>,
}

impl Origin {
    /// That of an object of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self {
            change: Ok(None),
            commit: None,
        }
    }

    /// As answers; `of` names the object where it is not the one that the question is about.
    pub(super) fn links(&self, of: Option<&str>) -> impl Iterator<Item = Link> {
        let commit = self.commit.as_ref().map(|commit| commit.link(of));
        commit.into_iter().chain(change::link(&self.change, of))
    }
}
