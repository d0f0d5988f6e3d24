//! Our own writes, which the watch of what is declared brings back.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::resource::Revision;

/// Statuses that a turn wrote: whoever wrote one knows it, and has said when to look again. So the watch need not ask
/// for another turn.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// Those that the watch has not come to.
    written: Mutex<BTreeSet<Revision>>,
}

impl Echoes {
    /// Takes note of a write.
    pub(super) fn wrote(&self, revision: Revision) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(revision);
    }

    /// Whether a change in the watch is one of ours. It is forgotten, with those before: the watch is past them.
    pub(super) fn is_own(&self, revision: Revision) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = written.contains(&revision);
        written.retain(|write| *write > revision);
        is_own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_write_is_known_once_and_those_before_are_forgotten() {
        let echoes = Echoes::default();
        [3, 5, 6]
            .into_iter()
            .for_each(|revision| echoes.wrote(Revision(revision)));
        let own = [2, 3, 3, 4, 6, 5].map(|revision| echoes.is_own(Revision(revision)));
        assert_eq!(own, [false, true, false, false, true, false]);
        assert!(echoes.written.lock().unwrap().is_empty());
    }
}
