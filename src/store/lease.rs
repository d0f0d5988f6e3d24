//! Leases: of several processes, one may act.
//!
//! Only the database's clock decides when a lease ends. A holder counts its own time from before it asked, so by its
//! own count the lease ends no later than by the database's.

use std::time::Duration;

use tokio::time::Instant;

use super::{Store, StoreError, ask};

/// The lease whose epoch guards writes; see [`Write::epoch`](super::Write::epoch).
pub const LEADER_LEASE: &str = "controllers";

/// Which holder of a lease: grows with each change of holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// A lease that this process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is a lease of.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// The holder's epoch.
    pub epoch: Epoch,
    ttl: Duration,
    deadline: Instant,
}

impl Lease {
    /// When the lease ends unless it is renewed. The holder stops acting some margin before, long enough for what it
    /// has sent to land.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Store {
    /// Takes a lease that is free, has ended, or is this holder's already; `None` when another one holds it.
    ///
    /// All holders of a lease ask for the same time: one that lasts twice as long from now on was taken before the
    /// database's clock went back, and counts as ended.
    ///
    /// A holder's name must be its process's alone: two processes of one name would both hold the lease.
    pub async fn acquire_lease(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let asked = Instant::now();
        // The leader's epoch moves under the lock that writes take: it changes between two writes, never within one.
        let query = sqlx::query_scalar!(
            r#"
            WITH taken AS (
                INSERT INTO leases AS lease (name, holder, epoch, expires_at)
                VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
                ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder,
                    epoch = lease.epoch + (lease.holder IS DISTINCT FROM excluded.holder)::int,
                    expires_at = clock_timestamp() + make_interval(secs => $3)
                WHERE lease.holder IS NULL OR lease.holder = excluded.holder
                   OR lease.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + 2 * make_interval(secs => $3)
                RETURNING epoch
            ), guard AS (
                UPDATE head SET epoch = taken.epoch
                FROM taken
                WHERE $1 = $4 AND head.epoch < taken.epoch
            )
            SELECT epoch FROM taken
            "#,
            name,
            holder,
            ttl.as_secs_f64(),
            LEADER_LEASE,
        );
        let epoch = ask(query.fetch_optional(&self.shared.leases)).await?;
        Ok(epoch.map(|epoch| Lease {
            name: name.to_owned(),
            holder: holder.to_owned(),
            epoch: Epoch(epoch),
            ttl,
            deadline: asked + ttl,
        }))
    }

    /// Extends a lease to its full time from now; `None` when another one has taken it.
    pub async fn renew_lease(&self, lease: &Lease) -> Result<Option<Lease>, StoreError> {
        let asked = Instant::now();
        let query = sqlx::query!(
            "
            UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => $4)
            WHERE name = $1 AND holder = $2 AND epoch = $3
            ",
            lease.name,
            lease.holder,
            lease.epoch.0,
            lease.ttl.as_secs_f64(),
        );
        let renewed = ask(query.execute(&self.shared.leases)).await?.rows_affected() == 1;
        Ok(renewed.then(|| Lease {
            deadline: asked + lease.ttl,
            ..lease.clone()
        }))
    }

    /// Gives a lease up, so that another process need not wait for its end. Does nothing when it was lost.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "UPDATE leases SET holder = NULL WHERE name = $1 AND holder = $2 AND epoch = $3",
            lease.name,
            lease.holder,
            lease.epoch.0,
        );
        ask(query.execute(&self.shared.leases)).await?;
        Ok(())
    }
}
