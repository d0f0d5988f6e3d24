//! A keyed work queue: dedupe, one worker a key, delay, backoff. Knows no domain.
//!
//! # Guarantees
//! - A key is handed out to one worker at a time.
//! - A key that is asked for while it runs is handed out again after, never lost and never at once.
//! - Of several requests for a key, the earliest due one wins.
//! - Failures of a key delay that key alone: exponential backoff with jitter, forgotten on success.

mod backoff;
mod schedule;
mod workers;

pub use backoff::Backoff;
pub use workers::{Next, Queue};
