//! How long a key that failed waits.

use std::time::Duration;

/// Exponential backoff with a cap and jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Wait after the first failure.
    pub base: Duration,
    /// No wait is longer, jitter aside.
    pub max: Duration,
}

impl Default for Backoff {
    /// From 200 ms to one minute: fast enough to hide an engine's hiccup, slow enough not to be one.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            max: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row (from 1).
    ///
    /// `random`, in 0..1, spreads it between three quarters and five quarters, so that keys which failed
    /// together do not return together.
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let plain = self.base.saturating_mul(1 << doublings).min(self.max);
        plain.mul_f64(0.75 + 0.5 * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        for (failures, millis) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (3, 400),
            (4, 800),
            (5, 1000),
            (u32::MAX, 1000),
        ] {
            assert_eq!(
                backoff.delay(failures, 0.5),
                Duration::from_millis(millis),
                "{failures}"
            );
        }
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let backoff = Backoff {
            base: Duration::from_secs(4),
            max: Duration::from_secs(4),
        };
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(3));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(5));
    }
}
