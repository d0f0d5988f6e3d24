//! Waiting for a condition, which is the only way in which tests wait.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks: short beside what is waited for, long beside the cost of a look.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `probe` until it returns `Ok`, and returns what is in it.
///
/// # Panics
/// If that takes longer than `patience`, with `what` was awaited and the last `Err`.
pub(crate) async fn eventually<T, E: Display>(
    patience: Duration,
    what: &str,
    probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    match within(patience, probe).await {
        Ok(value) => value,
        Err(seen) => panic!("waited {patience:?} in vain: {what}; last seen: {seen}"),
    }
}

/// The same, for whoever has more to say of a wait in vain.
///
/// # Errors
/// The last `Err`, when it takes longer than `patience`.
pub(crate) async fn within<T, E: Display>(
    patience: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, String> {
    let deadline = Instant::now() + patience;
    let mut seen = "no look has come to an end".to_owned();
    while let Ok(result) = timeout_at(deadline, probe()).await {
        match result {
            Ok(value) => return Ok(value),
            Err(reason) => seen = reason.to_string(),
        }
        if Instant::now() + PAUSE > deadline {
            break;
        }
        sleep(PAUSE).await;
    }
    Err(seen)
}
