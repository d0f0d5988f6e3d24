//! What the operator costs while nothing happens, and how long it takes to find that out after a start.

use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::figures::Table;
use crate::idle::resident_mebibytes;

/// Long enough for two lists of everything.
const WATCHED: Duration = Duration::from_secs(65);

/// Measures the settled operator, and then one that is killed and started again.
pub(super) async fn measure(stage: &mut Stage, table: &mut Table) {
    let teams = stage.teams;
    stage.cost().await;
    tokio::time::sleep(WATCHED).await;
    let cost = stage.cost().await;
    let share = 100.0 * cost.processor / WATCHED.as_secs_f64();
    table.add(teams, "idle: processor, of one core", share, "%", None);
    cost.add(table, teams, "idle, 65 s", 1);

    let start = Instant::now();
    stage.restart_operator().await;
    stage.operator.until_ready().await;
    table.add(
        teams,
        "start: to all observed",
        start.elapsed().as_secs_f64(),
        "s",
        None,
    );
    stage.until_nothing_to_do().await;
    table.add(
        teams,
        "start: to nothing to do",
        start.elapsed().as_secs_f64(),
        "s",
        None,
    );
    stage.cost().await.add(table, teams, "start", 1);
    let resident = resident_mebibytes(stage.operator.id());
    table.add(teams, "operator: resident, after a start", resident, "MiB", None);
    assert_eq!(stage.ready().await, teams);
}
