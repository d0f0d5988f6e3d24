//! Everything from nothing: how fast the API takes the teams, and how long until all agents run.

use std::time::Instant;

use futures::stream::{self, StreamExt};

use super::published;
use super::stage::{PATIENCE, Stage, TEAMS, TICK, send, team};
use crate::figures::Table;
use crate::idle::resident_mebibytes;

/// Requests that are under way at once: as many as the published figure had clients.
const CLIENTS: usize = 10;

/// Declares all teams, and leaves them settled.
pub(super) async fn measure(stage: &mut Stage, table: &mut Table) {
    let teams = stage.teams;
    stage.cost().await;
    let start = Instant::now();
    stream::iter(0..teams)
        .map(|number| send(stage.client.post(TEAMS).json(&team(number, 0))))
        .buffer_unordered(CLIENTS)
        .for_each(async |_| {})
        .await;
    let rate = teams as f64 / start.elapsed().as_secs_f64();
    table.add(teams, "apply throughput, 10 clients", rate, "/s", None);
    table.beside("apply throughput, 10 clients", published::CREATES);
    while stage.ready().await != teams {
        assert!(
            start.elapsed() < PATIENCE,
            "{} of {teams} are ready",
            stage.ready().await
        );
        tokio::time::sleep(TICK).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    table.add(teams, "from nothing to all ready", seconds, "s", None);
    table.add(
        teams,
        "from nothing to all ready, a team",
        1e3 * seconds / teams as f64,
        "ms",
        None,
    );
    let cost = stage.cost().await;
    cost.add(table, teams, "from nothing to all ready, a team", teams);
    stage.until_nothing_to_do().await;
    table.add(
        teams,
        "from nothing to nothing to do",
        start.elapsed().as_secs_f64(),
        "s",
        None,
    );
    let resident = resident_mebibytes(stage.operator.id());
    table.add(teams, "operator: resident, all ready", resident, "MiB", None);
}
