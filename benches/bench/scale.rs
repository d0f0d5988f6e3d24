//! What grows with the number of teams: the same things are measured with few and with many of them, on a simulated
//! Swarm in a process of its own, and printed side by side.

mod change;
mod client;
mod cost;
mod engine;
mod fleet;
mod published;
mod stage;
mod steady;
mod watcher;

pub(crate) use engine::{SERVE, SimulatedEngine, serve};
pub(crate) use watcher::Lines;

use crate::figures::Table;
use stage::Stage;

/// Agents of a team.
const AGENTS: usize = 10;
/// How many teams there are, when nobody says otherwise.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// The numbers of teams to measure with: those that `SCALE` names (`100,1000`), or all.
pub(crate) fn sizes() -> Vec<usize> {
    match std::env::var("SCALE") {
        Ok(text) if !text.is_empty() => text.split(',').map(|size| size.trim().parse().unwrap()).collect(),
        _ => SIZES.to_vec(),
    }
}

/// Measures with each number of teams in turn.
pub(crate) async fn measure(sizes: &[usize]) -> Table {
    let mut table = Table::new("teams", sizes);
    for teams in sizes {
        println!("\n{teams} teams of {AGENTS} agents on a simulated Swarm");
        let mut stage = Stage::start(*teams).await;
        fleet::measure(&mut stage, &mut table).await;
        change::measure(&mut stage, &mut table).await;
        client::measure(&stage, &mut table).await;
        steady::measure(&mut stage, &mut table).await;
    }
    table
}
