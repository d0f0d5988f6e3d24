//! The places of the requests that are answered: a number of them, of which some are for this machine alone, and no
//! caller on the network has more than a share of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::caller::{Caller, Peer};
use super::status::ApiError;
use crate::resource::access::Grant;

/// Requests that are answered at a time, watches and logs included. `/healthz`, `/metrics` and their like need no place.
pub const MAX_REQUESTS: usize = 960;
/// Requests of one caller on the network that are answered at a time.
pub const MAX_REQUESTS_OF_ONE: usize = MAX_REQUESTS / 4;
/// Places that the network never gets: whoever may open the socket finds one, to revoke a token for example.
const OF_THE_SOCKET: usize = MAX_REQUESTS / 16;

/// Places of the network that are for those who may do everything: others, however many they are, do not keep them out.
const OF_ADMINS: usize = MAX_REQUESTS / 16;

/// The places, shared by all clones.
#[derive(Clone, Debug)]
pub(super) struct Places {
    sizes: Sizes,
    taken: Arc<Mutex<Taken>>,
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    all: usize,
    of_one: usize,
    of_socket: usize,
    /// Places that are for those alone who may do everything, unless it is one of them who asks.
    of_admins: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            sizes: Sizes {
                all: MAX_REQUESTS,
                of_one: MAX_REQUESTS_OF_ONE,
                of_socket: OF_THE_SOCKET,
                of_admins: OF_ADMINS,
            },
            taken: Arc::default(),
        }
    }
}

/// A place that somebody has until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    /// Whose it is, if it is one of the network's.
    whose: Option<String>,
}

#[derive(Debug, Default)]
struct Taken {
    by_socket: usize,
    by_name: BTreeMap<String, usize>,
}

impl Places {
    /// Places of those whom nobody knows, of which no address has more than a quarter.
    pub(super) fn of_strangers(all: usize) -> Self {
        let sizes = Sizes {
            all,
            of_one: all / 4,
            of_socket: 0,
            of_admins: 0,
        };
        Self {
            sizes,
            taken: Arc::default(),
        }
    }

    /// A place for a request of `caller`.
    ///
    /// # Errors
    /// 429 when there is none, or the caller has their share.
    pub(super) fn take(&self, caller: &Caller) -> Result<Place, ApiError> {
        let whose = caller.is_remote().then(|| caller.user_name());
        self.take_as(whose, caller.grant == Grant::everything())
    }

    /// A place for a request from somewhere.
    ///
    /// # Errors
    /// 429 when there is none, or the address has its share.
    pub(super) fn take_at(&self, peer: Peer) -> Result<Place, ApiError> {
        self.take_as(peer.network().map(|network| network.to_string()), false)
    }

    fn take_as(&self, whose: Option<String>, is_admin: bool) -> Result<Place, ApiError> {
        let mut sizes = self.sizes;
        if is_admin {
            sizes.of_admins = 0;
        }
        self.taken().add(whose.as_deref(), sizes)?;
        Ok(Place {
            places: self.clone(),
            whose,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.whose.as_deref());
    }
}

impl Taken {
    fn add(&mut self, whose: Option<&str>, sizes: Sizes) -> Result<(), ApiError> {
        let by_network: usize = self.by_name.values().sum();
        let all = by_network + self.by_socket;
        let Some(name) = whose else {
            return match all < sizes.all {
                true => {
                    self.by_socket += 1;
                    Ok(())
                }
                false => Err(ApiError::TooManyRequests(sizes.all)),
            };
        };
        if self.by_name.get(name).is_some_and(|own| *own >= sizes.of_one) {
            return Err(ApiError::TooManyOfOne {
                user: name.to_owned(),
                limit: sizes.of_one,
            });
        }
        if all >= sizes.all || by_network >= sizes.all - sizes.of_socket - sizes.of_admins {
            return Err(ApiError::TooManyRequests(sizes.all));
        }
        *self.by_name.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    fn remove(&mut self, whose: Option<&str>) {
        let Some(name) = whose else {
            self.by_socket = self.by_socket.saturating_sub(1);
            return;
        };
        match self.by_name.get_mut(name) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.by_name.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::caller::Proof;
    use crate::resource::access::Role;

    fn bearer(name: &str) -> Caller {
        bearer_with(name, Role::View)
    }

    fn bearer_with(name: &str, role: Role) -> Caller {
        let (address, everything) = ([10, 0, 0, 1].into(), Grant::everything());
        Caller::bearer(
            Proof::Token,
            name.to_owned(),
            address,
            Grant { role, ..everything },
        )
    }

    fn all_of(places: &Places, caller: &Caller) -> Vec<Place> {
        std::iter::from_fn(|| places.take(caller).ok()).collect()
    }

    #[test]
    fn one_address_of_strangers_has_a_share() {
        let places = Places::of_strangers(8);
        let at = |host: u8| Peer::at(([10, 0, 0, host], 443).into());
        let taken: Vec<Place> = std::iter::from_fn(|| places.take_at(at(1)).ok()).collect();
        assert_eq!(taken.len(), 2);
        assert!(places.take_at(at(2)).is_ok());
    }

    #[test]
    fn one_caller_has_a_share_and_admins_and_the_socket_always_find_a_place() {
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
        assert_eq!(by_network, MAX_REQUESTS - OF_THE_SOCKET - OF_ADMINS);
        let by_admin = all_of(&places, &bearer_with("root", Role::Admin));
        assert_eq!(by_admin.len(), OF_ADMINS);
        let by_socket = all_of(&places, &local);
        assert_eq!(by_socket.len(), OF_THE_SOCKET);
        assert!(places.take(&local).is_err());
        drop((one, others, by_admin, by_socket));
        assert!(places.taken().by_name.is_empty());
        assert_eq!(all_of(&places, &local).len(), MAX_REQUESTS);
    }
}
