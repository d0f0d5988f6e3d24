//! `whoosh down`: everything that `whoosh up` made, gone.

use super::nats::Nats;
use super::operator::Operator;
use super::postgres::Postgres;
use super::swarm::SimulatedSwarm;
use super::{DevError, Turn};

/// Stops the operator and its servers, and deletes the folder.
///
/// The agents go before: the caller asks the running operator for that (it alone knows how), and does not come
/// here when that failed. Simulated ones go with their Swarm.
///
/// # Errors
/// [`DevError`] of the first server that does not end; the folder then stays, so that `down` can be repeated.
pub async fn down(turn: Turn) -> Result<(), DevError> {
    stop(&turn).await?;
    turn.home().remove()
}

/// Stops the operator, then its servers, and keeps the data of those that have any.
///
/// # Errors
/// [`DevError`] of the first server that does not end.
pub async fn stop(turn: &Turn) -> Result<(), DevError> {
    let home = turn.home();
    Operator::new(home).down().await?;
    SimulatedSwarm::new(home).down().await?;
    Nats::new(home).down().await?;
    Postgres::new(home).down().await
}
