//! Which webhooks were delivered lately: a forge that is not sure tells again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::resource::Key;

/// How many deliveries are remembered.
const MOST: usize = 1000;
/// The headers in which forges number what they deliver; some send several of them, all with the same value.
const HEADERS: [&str; 4] = [
    "x-github-delivery",
    "x-forgejo-delivery",
    "x-gitea-delivery",
    "x-gitlab-event-uuid",
];

/// One delivery to one source, however long its number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery([u8; 32]);

impl Delivery {
    /// The delivery that these headers number; `None` when they do not.
    pub(super) fn of(key: &Key, headers: &HeaderMap) -> Option<Self> {
        let number = HEADERS.iter().find_map(|name| headers.get(*name))?;
        let hash = Sha256::new()
            .chain_update(key.to_string())
            .chain_update([0])
            .chain_update(number.as_bytes());
        Some(Self(hash.finalize().into()))
    }
}

/// The last deliveries. Clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Deliveries(Arc<Mutex<VecDeque<Delivery>>>);

impl Deliveries {
    /// Remembers one, and forgets the oldest when there are too many; `false` when it was remembered already.
    pub(super) fn remember(&self, delivery: Delivery) -> bool {
        let mut all = self.all();
        if all.contains(&delivery) {
            return false;
        }
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back(delivery);
        true
    }

    /// Forgets one, of which nothing came: it may be delivered again.
    pub(super) fn forget(&self, delivery: Delivery) {
        self.all().retain(|one| *one != delivery);
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    fn delivery(source: &str, header: &'static str, number: &str) -> Option<Delivery> {
        let headers = HeaderMap::from_iter([(header.parse().unwrap(), number.parse().unwrap())]);
        Delivery::of(&Key::new(Kind::GitSource, "prod", source), &headers)
    }

    #[test]
    fn a_delivery_is_known_by_its_source_and_number() {
        let all = Deliveries::default();
        all.remember(delivery("fleet", "x-github-delivery", "1").unwrap());
        for (source, header, number, known) in [
            ("fleet", "x-github-delivery", "1", true),
            ("fleet", "x-gitea-delivery", "1", true),
            ("fleet", "x-github-delivery", "2", false),
            ("other", "x-github-delivery", "1", false),
        ] {
            let delivery = delivery(source, header, number).unwrap();
            assert_eq!(all.remember(delivery), !known, "{source} {header} {number}");
            assert!(!all.remember(delivery), "the second time");
            all.forget(delivery);
            assert!(all.remember(delivery), "it came to nothing");
            all.forget(delivery);
            if known {
                all.remember(delivery);
            }
        }
        assert_eq!(delivery("fleet", "x-request-id", "1"), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let all = Deliveries::default();
        let numbered = |number: usize| delivery("fleet", "x-github-delivery", &number.to_string()).unwrap();
        (0..=MOST).for_each(|number| assert!(all.remember(numbered(number))));
        assert_eq!(all.all().len(), MOST);
        assert!(!all.remember(numbered(1)) && !all.remember(numbered(MOST)));
        assert!(all.remember(numbered(0)));
    }
}
