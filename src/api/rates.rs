//! How often somebody may ask: so many requests a second from one address, and with one token.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::status::ApiError;

/// Requests a second of one address, whoever they are; twice as many may come at once. A client of Kubernetes sends 50 at
/// most by itself, and several may share an address.
const OF_ADDRESS: NonZeroU32 = NonZeroU32::new(500).unwrap();
/// The same of one token.
const OF_TOKEN: NonZeroU32 = NonZeroU32::new(200).unwrap();
/// Tokens that nobody has, a second: who guesses has many of these, who mistypes has few.
const OF_GUESSES: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Keys that are remembered before those are forgotten that were not heard of for a while.
const KEYS_MAX: usize = 10_000;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The requests of the last moments.
#[derive(Debug)]
pub(super) struct Rates {
    of_address: Limiter<IpAddr>,
    of_token: Limiter<String>,
    of_guesses: Limiter<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(TWICE));
        Self {
            of_address: RateLimiter::hashmap(quota(OF_ADDRESS)),
            of_token: RateLimiter::hashmap(quota(OF_TOKEN)),
            of_guesses: RateLimiter::hashmap(quota(OF_GUESSES)),
        }
    }
}

const TWICE: NonZeroU32 = NonZeroU32::new(2).unwrap();

impl Rates {
    /// Counts a request of an address, before anything of it is looked at.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(super) fn address(&self, address: IpAddr) -> Result<(), ApiError> {
        count(&self.of_address, &address, || format!("from {address}"))
    }

    /// Counts a request with a token.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(super) fn token(&self, name: &str) -> Result<(), ApiError> {
        count(&self.of_token, &name.to_owned(), || {
            format!("with the token {name}")
        })
    }

    /// Counts a request without a token that counts: 401, or 429 when there were too many.
    pub(super) fn refused(&self, address: IpAddr) -> ApiError {
        let counted = count(&self.of_guesses, &address, || {
            format!("from {address} without a valid token")
        });
        counted.err().unwrap_or(ApiError::Unauthorized)
    }
}

fn count<K: Hash + Eq + Clone>(
    limiter: &Limiter<K>,
    key: &K,
    who: impl Fn() -> String,
) -> Result<(), ApiError> {
    if limiter.len() > KEYS_MAX {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|_| ApiError::TooFast(who()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_and_each_token_is_counted_by_itself() {
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
        let refused = (0..10_000)
            .map(|_| rates.token("ci"))
            .find_map(Result::err)
            .unwrap();
        assert!(refused.to_string().contains("with the token ci"), "{refused}");
        assert!(rates.token("dashboard").is_ok());
    }

    #[test]
    fn who_guesses_is_told_nothing_after_a_while() {
        let (rates, address) = (Rates::default(), IpAddr::from([10, 0, 0, 1]));
        let codes: Vec<u16> = (0..100).map(|_| rates.refused(address).code().as_u16()).collect();
        assert_eq!(codes[..40], [401; 40]);
        assert_eq!(codes[99], 429);
    }
}
