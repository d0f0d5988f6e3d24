//! The leader lease: of several operators on one database, one acts.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::store::{LEADER_LEASE, Lease, Store, StoreError};
use crate::telemetry::Chain;

use super::tuning::LeaseTuning;

/// Until when this process may act. A process that was stopped for a while (SIGSTOP, a machine that sleeps) goes on
/// where it was, and asks here first.
#[derive(Clone, Debug)]
pub(super) struct Term {
    end: Arc<Mutex<Instant>>,
    margin: Duration,
}

impl Term {
    /// As long as `lease` lasts, less the margin.
    pub(super) fn of(lease: &Lease, margin: Duration) -> Self {
        let end = Arc::new(Mutex::new(lease.deadline() - margin));
        Self { end, margin }
    }

    /// Whether what this process does now might land when another one leads.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end()
    }

    fn end(&self) -> Instant {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, lease: &Lease) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = lease.deadline() - self.margin;
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

/// Does `work` for as long as `lease` is renewed in time, and drops it before the lease ends; `term` is kept up to date.
///
/// # Errors
/// [`LeaderError`] when this process leads no longer; `work` has been dropped by then.
pub(super) async fn while_leading<T>(
    store: &Store,
    lease: Lease,
    term: &Term,
    period: Duration,
    work: impl Future<Output = T>,
) -> Result<T, LeaderError> {
    tokio::select! {
        // A process that was stopped past its lease looks at the clock before it works on.
        biased;
        lost = keep(store, lease, term, period) => Err(lost),
        done = work => Ok(done),
    }
}

/// Renews `lease` until it is lost.
async fn keep(store: &Store, mut lease: Lease, term: &Term, period: Duration) -> LeaderError {
    let mut last_error = None;
    loop {
        let stop_at = term.end();
        sleep_until((Instant::now() + period).min(stop_at)).await;
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
