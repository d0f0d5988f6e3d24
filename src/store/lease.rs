//! Leases.
use super::{Store, StoreError};
use std::time::Duration;
use tokio::time::Instant;

/// The lease whose epoch [`super::Write::epoch`] is checked against.
pub const LEADER_LEASE: &str = "controllers";

/// Counts the changes of a lease's holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// A lease that this process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Grows with each change of holder.
    pub epoch: Epoch,
    ttl: Duration,
    deadline: Instant,
}

impl Lease {
    /// When the lease ends unless renewed: never later than the database's end, since it counts from before the
    /// request was sent. A holder stops acting some margin before it.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Store {
    /// Takes a lease that is free, has expired, or is this holder's already; `None` when another holds it.
    pub async fn acquire_lease(
        &self,
        _name: &str,
        _holder: &str,
        _ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        todo!()
    }
    /// Extends a lease by its time to live; `None` when it was lost to another.
    pub async fn renew_lease(&self, _lease: &Lease) -> Result<Option<Lease>, StoreError> {
        todo!()
    }
    /// Gives a lease up, so that another can take it at once. Does nothing when it was lost.
    pub async fn release_lease(&self, _lease: &Lease) -> Result<(), StoreError> {
        todo!()
    }
}
