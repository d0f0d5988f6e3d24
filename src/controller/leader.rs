//! The leader lease: of several operators on one database, one acts.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::store::{LEADER_LEASE, Lease, Store, StoreError};
use crate::telemetry::Chain;

/// How long a lease lasts without renewal.
pub(super) const TTL: Duration = Duration::from_secs(15);
/// How often it is renewed, and how often the others ask for it.
pub(super) const PERIOD: Duration = Duration::from_secs(3);
/// A leader stops acting this long before its lease ends, so that what it has sent lands within the lease.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// Until when this process may act. A process that was stopped for a while (SIGSTOP, a machine that sleeps) goes on
/// where it was, and asks here first.
#[derive(Clone, Debug)]
pub(super) struct Term(Arc<Mutex<Instant>>);

impl Term {
    /// As long as `lease` lasts, less the margin.
    pub(super) fn of(lease: &Lease) -> Self {
        Self(Arc::new(Mutex::new(lease.deadline() - MARGIN)))
    }

    /// Whether what this process does now might land when another one leads.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end()
    }

    fn end(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, lease: &Lease) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lease.deadline() - MARGIN;
    }
}

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
pub(super) async fn acquire(store: &Store, holder: &str) -> Lease {
    loop {
        match store.acquire_lease(LEADER_LEASE, holder, TTL).await {
            Ok(Some(lease)) => return lease,
            Ok(None) => tracing::debug!(holder, "another operator leads; waiting"),
            Err(error) => tracing::warn!(error = %Chain(&error), "cannot ask for the leader lease"),
        }
        sleep(PERIOD).await;
    }
}

/// Does `work` for as long as `lease` is renewed in time, and drops it before the lease ends; `term` is kept up to date.
///
/// # Errors
/// [`LeaderError`] when this process leads no longer; `work` has been dropped by then.
pub(super) async fn while_leading<T>(
    store: &Store,
    lease: Lease,
    term: &Term,
    work: impl Future<Output = T>,
) -> Result<T, LeaderError> {
    tokio::select! {
        done = work => Ok(done),
        lost = keep(store, lease, term) => Err(lost),
    }
}

/// Renews `lease` until it is lost.
async fn keep(store: &Store, mut lease: Lease, term: &Term) -> LeaderError {
    let mut last_error = None;
    loop {
        let stop_at = term.end();
        sleep_until((Instant::now() + PERIOD).min(stop_at)).await;
        match timeout_at(stop_at, store.renew_lease(&lease)).await {
            Ok(Ok(Some(renewed))) => {
                term.extend(&renewed);
                lease = renewed;
            }
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
