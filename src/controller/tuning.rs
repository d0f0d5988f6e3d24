//! How long the controllers wait.

use std::time::Duration;

use crate::queue::Backoff;

/// How long the controllers wait. The defaults are those of an operator at work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// What nobody tells of, files of secrets, is looked at again after this.
    pub resync: Duration,
    /// A settled object of which all changes are told is looked at again after about this, whatever was not told: the
    /// full lists tell of what events did not.
    pub safety_net: Duration,
    /// After acting: the engine's answer to what was done is a task that starts.
    pub after_acting: Duration,
    /// While agents start, on top of the task polls' hints: deadlines pass without any.
    pub while_settling: Duration,
    /// While something is removed, which has no event: tasks stop, a network becomes free.
    pub while_removing: Duration,
    /// How long a key that failed waits.
    pub backoff: Backoff,
    /// How long to wait before what is declared is listed again, when the database did not answer.
    pub list_again: Duration,
    /// The leader's lease.
    pub lease: LeaseTuning,
}

/// How long a leader leads without a word from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTuning {
    /// How long a lease lasts without renewal.
    pub ttl: Duration,
    /// How often it is renewed, and how often the others ask for it.
    pub period: Duration,
    /// A leader stops acting this long before its lease ends, so that what it has sent lands within the lease.
    pub margin: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            resync: Duration::from_secs(60),
            safety_net: Duration::from_secs(10 * 60),
            after_acting: Duration::from_millis(100),
            while_settling: Duration::from_secs(5),
            while_removing: Duration::from_millis(250),
            backoff: Backoff::default(),
            list_again: Duration::from_secs(1),
            lease: LeaseTuning::default(),
        }
    }
}

impl Default for LeaseTuning {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15),
            period: Duration::from_secs(3),
            margin: Duration::from_secs(5),
        }
    }
}
