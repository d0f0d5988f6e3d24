//! The places of the requests that are answered: a number of them, of which some are for this machine alone, and no
//! caller on the network has more than a share of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::Caller;
use super::status::ApiError;

/// Requests that are answered at a time, watches and logs included. `/healthz`, `/metrics` and their like need no place.
pub const MAX_REQUESTS: usize = 960;
/// Requests of one caller on the network that are answered at a time.
pub const MAX_REQUESTS_OF_ONE: usize = MAX_REQUESTS / 4;
/// Places that the network never gets: whoever may open the socket finds one, to revoke a token for example.
const OF_THE_SOCKET: usize = MAX_REQUESTS / 16;

/// The places, shared by all clones.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

/// A place that somebody has until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    /// Whose it is, if it is one of the network's.
    bearer: Option<String>,
}

#[derive(Debug, Default)]
struct Taken {
    by_socket: usize,
    by_bearer: BTreeMap<String, usize>,
}

impl Places {
    /// A place for a request of `caller`.
    ///
    /// # Errors
    /// 429 when there is none, or the caller has their share.
    pub(super) fn take(&self, caller: &Caller) -> Result<Place, ApiError> {
        let bearer = caller.is_remote().then(|| caller.user_name());
        self.taken().add(bearer.as_deref())?;
        Ok(Place {
            places: self.clone(),
            bearer,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.bearer.as_deref());
    }
}

impl Taken {
    fn add(&mut self, bearer: Option<&str>) -> Result<(), ApiError> {
        let by_network: usize = self.by_bearer.values().sum();
        let all = by_network + self.by_socket;
        let Some(name) = bearer else {
            return match all < MAX_REQUESTS {
                true => {
                    self.by_socket += 1;
                    Ok(())
                }
                false => Err(ApiError::TooManyRequests(MAX_REQUESTS)),
            };
        };
        if self
            .by_bearer
            .get(name)
            .is_some_and(|own| *own >= MAX_REQUESTS_OF_ONE)
        {
            return Err(ApiError::TooManyOfOne {
                user: name.to_owned(),
                limit: MAX_REQUESTS_OF_ONE,
            });
        }
        if all >= MAX_REQUESTS || by_network >= MAX_REQUESTS - OF_THE_SOCKET {
            return Err(ApiError::TooManyRequests(MAX_REQUESTS));
        }
        *self.by_bearer.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    fn remove(&mut self, bearer: Option<&str>) {
        let Some(name) = bearer else {
            self.by_socket = self.by_socket.saturating_sub(1);
            return;
        };
        match self.by_bearer.get_mut(name) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.by_bearer.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::caller::Proof;
    use crate::resource::access::Grant;

    fn bearer(name: &str) -> Caller {
        let address = [10, 0, 0, 1].into();
        Caller::bearer(Proof::Token, name.to_owned(), address, Grant::everything())
    }

    fn all_of(places: &Places, caller: &Caller) -> Vec<Place> {
        std::iter::from_fn(|| places.take(caller).ok()).collect()
    }

    #[test]
    fn one_caller_has_a_share_and_the_socket_always_finds_a_place() {
        let (places, local) = (Places::default(), Caller::local(Some(0)));
        let one = all_of(&places, &bearer("one"));
        assert_eq!(one.len(), MAX_REQUESTS_OF_ONE);
        let refused = places.take(&bearer("one")).unwrap_err();
        assert_eq!(refused.code(), 429);
        assert!(refused.to_string().contains("token:one has 240 "), "{refused}");
        let others: Vec<Vec<Place>> = ["two", "three", "four", "five"]
            .map(|name| all_of(&places, &bearer(name)))
            .into();
        let by_network = one.len() + others.iter().map(Vec::len).sum::<usize>();
        assert_eq!(by_network, MAX_REQUESTS - OF_THE_SOCKET);
        let by_socket = all_of(&places, &local);
        assert_eq!(by_socket.len(), OF_THE_SOCKET);
        assert!(places.take(&local).is_err());
        drop((one, others, by_socket));
        assert!(places.taken().by_bearer.is_empty());
        assert_eq!(all_of(&places, &local).len(), MAX_REQUESTS);
    }
}
