//! How often somebody may ask: so many requests a second from one address, and from one caller.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::caller::network;
use super::status::ApiError;

/// Requests a second of one address, whoever they are; twice as many may come at once. A client of Kubernetes sends 50 at
/// most by itself, and several may share an address.
const OF_ADDRESS: NonZeroU32 = NonZeroU32::new(500).unwrap();
/// The same of the bearers of one token, and of one name in JWTs.
const OF_CALLER: NonZeroU32 = NonZeroU32::new(200).unwrap();
const TWICE: NonZeroU32 = NonZeroU32::new(2).unwrap();
/// Keys that are remembered before those are forgotten that were not heard of for a while.
const KEYS_MAX: usize = 10_000;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The requests of the last moments.
#[derive(Debug)]
pub(super) struct Rates {
    of_address: Limiter<IpAddr>,
    of_caller: Limiter<String>,
}

impl Default for Rates {
    fn default() -> Self {
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(TWICE));
        Self {
            of_address: RateLimiter::hashmap(quota(OF_ADDRESS)),
            of_caller: RateLimiter::hashmap(quota(OF_CALLER)),
        }
    }
}

impl Rates {
    /// Counts a request of an address, before anything of it is looked at.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(super) fn address(&self, address: IpAddr) -> Result<(), ApiError> {
        count(&self.of_address, &network(address), address)
    }

    /// Counts a request of a caller, by what they are called.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(super) fn caller(&self, name: &str) -> Result<(), ApiError> {
        count(&self.of_caller, &name.to_owned(), name)
    }
}

fn count<K: Hash + Eq + Clone>(
    limiter: &Limiter<K>,
    key: &K,
    who: impl fmt::Display,
) -> Result<(), ApiError> {
    if limiter.len() > KEYS_MAX {
        limiter.retain_recent();
    }
    let refused = limiter.check_key(key);
    refused.map_err(|_| ApiError::TooFast(who.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_and_each_caller_is_counted_by_itself() {
        let rates = Rates::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let refused = (0..10_000)
            .map(|_| rates.address(one))
            .find_map(Result::err)
            .unwrap();
        assert_eq!(refused.code(), 429);
        assert_eq!(
            refused.to_string(),
            "too many requests from 10.0.0.1; try again in a second"
        );
        assert!(rates.address(other).is_ok());
        let six = |text: &str| rates.address(text.parse().unwrap());
        assert!((0..10_000).any(|last| six(&format!("2001:db8::{last:x}")).is_err()));
        assert!(six("2001:db8:0:1::1").is_ok());
        let refused = (0..10_000)
            .map(|_| rates.caller("token:ci"))
            .find_map(Result::err)
            .unwrap();
        assert!(refused.to_string().contains("from token:ci;"), "{refused}");
        assert!(rates.caller("token:dashboard").is_ok());
        assert!(rates.caller("jwt:ci").is_ok());
    }
}
