//! What the operator costs while nothing happens, and how long it takes to find that out after a start.

use std::time::{Duration, Instant};

use super::stage::{PATIENCE, Stage};
use crate::figures::Table;
use crate::idle::resident_mebibytes;

/// Long enough for two lists of everything.
const WATCHED: Duration = Duration::from_secs(65);
/// How often an operator that starts is asked how far it is.
const TICK: Duration = Duration::from_millis(100);

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
    while !has_nothing_to_do(&stage.operator.metrics().await, teams) {
        assert!(start.elapsed() < PATIENCE, "the operator does not come to rest");
        tokio::time::sleep(TICK).await;
    }
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

/// Whether every team had its turn, and none waits for one.
fn has_nothing_to_do(metrics: &str, teams: usize) -> bool {
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.filter_map(value).sum()
    };
    sum(r#"whoosh_reconciles_total{kind="team""#) >= teams as f64 && sum("whoosh_queue_depth ") == 0.0
}
