//! Since when owners' slices of the Swarm cannot be observed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::plan::Observed;
use crate::resource::Key;
use crate::swarm::SwarmError;

/// Why a slice could not be observed.
#[derive(Debug)]
pub(super) struct Unobserved {
    /// What went wrong this time.
    pub(super) error: SwarmError,
    /// When it went wrong for the first time since a look that succeeded.
    pub(super) since: Timestamp,
}

/// The owners whose last look failed; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages {
    since: Arc<Mutex<BTreeMap<Key, Timestamp>>>,
}

impl Outages {
    /// Takes note of what a look at the slice of `owner` came to at `now`.
    pub(super) fn note(
        &self,
        owner: &Key,
        looked: Result<Observed, SwarmError>,
        now: Timestamp,
    ) -> Result<Observed, Unobserved> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match looked {
            Ok(observed) => {
                since.remove(owner);
                Ok(observed)
            }
            Err(error) => {
                let since = *since.entry(owner.clone()).or_insert(now);
                Err(Unobserved { error, since })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_next_success() {
        let outages = Outages::default();
        let owner = Key::new(Kind::Team, "default", "payments");
        let look = |fails: bool, second: i64| {
            let looked = if fails {
                Err(SwarmError::OutOfSequence)
            } else {
                Ok(Observed::default())
            };
            let noted = outages.note(&owner, looked, Timestamp::from_second(second).unwrap());
            noted.err().map(|unobserved| unobserved.since.as_second())
        };
        let told = [look(true, 1), look(true, 5), look(false, 6), look(true, 9)];
        assert_eq!(told, [Some(1), Some(1), None, Some(9)]);
    }
}
