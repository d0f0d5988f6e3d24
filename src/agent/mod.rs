//! The logic of chorus-agent.
//!
//! ```text
//! environment -> settings { identity, … }
//! run:  phase = Serving | Draining | Closed, one watch channel that the two tasks follow
//!   server      answers /health and /ready
//!   heartbeat   publishes a StatusClaim each beat, or at an interval while no beats arrive
//! ```
//!
//! A missing or dead NATS never makes an agent unhealthy, and nothing is written to disk.

pub mod environment;
pub mod health;
mod heartbeat;
pub mod identity;
pub mod run;
mod server;
pub mod settings;

pub use run::run;
pub use settings::Settings;

use tokio::sync::watch;

/// Where the agent is in its life. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// At work.
    Serving,
    /// Told to stop; says so, and takes no new work.
    Draining,
    /// Takes no new connections.
    Closed,
}

/// Waits until an agent is at least as far as `phase`, or gone.
async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    // The sender is gone only when the agent is.
    let _ = phases.wait_for(|now| *now >= phase).await;
}
