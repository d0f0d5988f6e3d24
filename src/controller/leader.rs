//! The leader lease: of several operators on one database, one acts.

use std::future::Future;

use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::store::{LEADER_LEASE, Lease, Store, StoreError};
use crate::telemetry::Chain;

use super::tuning::LeaseTuning;

/// Why this process leads no longer.
#[derive(Debug, Error)]
pub(super) enum LeaderError {
    /// Another process took the lease, or the database took it back.
    #[error("another operator leads now")]
    Taken,
    /// The lease could not be renewed in time.
    #[error("the leader lease could not be renewed in time")]
    NotRenewed {
        /// What the database said last.
        #[source]
        source: StoreError,
    },
}

/// Waits until this process leads.
pub(super) async fn acquire(store: &Store, holder: &str, tuning: LeaseTuning) -> Lease {
    loop {
        match store.acquire_lease(LEADER_LEASE, holder, tuning.ttl).await {
            Ok(Some(lease)) => return lease,
            Ok(None) => tracing::debug!(holder, "another operator leads; waiting"),
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot ask for the leader lease"),
        }
        sleep(tuning.period).await;
    }
}

/// Does `work` for as long as `lease` is renewed in time, and drops it before the lease ends.
///
/// # Errors
/// [`LeaderError`] when this process leads no longer; `work` has been dropped by then.
pub(super) async fn while_leading<T>(
    store: &Store,
    lease: Lease,
    tuning: LeaseTuning,
    work: impl Future<Output = T>,
) -> Result<T, LeaderError> {
    tokio::select! {
        done = work => Ok(done),
        lost = keep(store, lease, tuning) => Err(lost),
    }
}

/// Renews `lease` until it is lost.
async fn keep(store: &Store, mut lease: Lease, tuning: LeaseTuning) -> LeaderError {
    let mut last_error = None;
    loop {
        let stop_at: Instant = lease.deadline() - tuning.margin;
        sleep_until((Instant::now() + tuning.period).min(stop_at)).await;
        match timeout_at(stop_at, store.renew_lease(&lease)).await {
            Ok(Ok(Some(renewed))) => lease = renewed,
            Ok(Ok(None)) => return LeaderError::Taken,
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "cannot renew the leader lease");
                last_error = Some(error);
            }
            Err(_elapsed) => {
                let source = last_error.unwrap_or(StoreError::Timeout);
                return LeaderError::NotRenewed { source };
            }
        }
    }
}
