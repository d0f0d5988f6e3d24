//! What time it is in the Swarm.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How time goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// With the real clock, this many times as fast.
    Live {
        /// 1 for the real pace; more makes waiting short.
        speed: f64,
    },
    /// Only when [`super::Simulation::advance`] says so.
    Manual,
}

/// The clock of one simulation.
#[derive(Debug)]
pub(super) struct Clock {
    start: Timestamp,
    began: Instant,
    pace: Pace,
}

impl Clock {
    pub(super) fn new(start: Timestamp, pace: Pace) -> Self {
        Self {
            start,
            began: Instant::now(),
            pace,
        }
    }

    /// The time now; `None` when only orders move it.
    pub(super) fn now(&self) -> Option<Timestamp> {
        match self.pace {
            Pace::Manual => None,
            Pace::Live { speed } => {
                let gone = self.began.elapsed().mul_f64(speed.max(0.0));
                Some(self.start.checked_add(gone).unwrap_or(Timestamp::MAX))
            }
        }
    }

    /// How long the real clock takes until then.
    pub(super) fn until(&self, at: Timestamp) -> Option<Duration> {
        match self.pace {
            Pace::Manual => None,
            Pace::Live { speed } => {
                let now = self.now()?;
                let wait = at.duration_since(now);
                let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
                Duration::try_from_secs_f64(wait.as_secs_f64() / speed.max(f64::MIN_POSITIVE)).ok()
            }
        }
    }
}
