//! What the operator costs while nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use crate::figures::{Figures, Reference};
use crate::harness::operator::Operator;

/// Long enough for two full lists.
const WATCHED: Duration = Duration::from_secs(65);
/// Longer than any operator takes that comes to rest at all.
const PATIENCE: Duration = Duration::from_secs(900);
/// Between two looks at its metrics.
const TICK: Duration = Duration::from_millis(100);

/// Measures the operator of the running fleet.
pub(crate) async fn measure(operator: &Operator, figures: &mut Figures) {
    operator
        .whoosh(&["wait", "team/fleet", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    watch("operator idle, 34 agents", operator, figures).await;
}

/// Watches an operator for a while in which nothing happens, and says what it costs.
pub(crate) async fn watch(label: &str, operator: &Operator, figures: &mut Figures) {
    let before = processor_seconds(operator.id());
    tokio::time::sleep(WATCHED).await;
    let used = processor_seconds(operator.id()) - before;
    let share = 100.0 * used / WATCHED.as_secs_f64();
    figures.add(
        &format!("{label}: processor"),
        share,
        Reference::Target(1.0),
        "%",
        1,
        "target, of one core",
    );
    let resident = resident_mebibytes(operator.id());
    figures.add(
        &format!("{label}: resident"),
        resident,
        Reference::Target(64.0),
        "MiB",
        1,
        "target",
    );
}

/// Resident memory of a process (`VmRSS`, proc(5)).
pub(crate) fn resident_mebibytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes / 1024.0
}

/// Processor time of the threads that a process has, finer than that of the whole process (`schedstat`,
/// nanoseconds).
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let spent = threads.filter_map(|thread| {
        // A thread may end meanwhile.
        let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}

/// Waits until every one of so many teams had its turn, and none waits for one.
pub(crate) async fn until_nothing_to_do(operator: &Operator, teams: usize) {
    let start = Instant::now();
    while !has_nothing_to_do(&operator.metrics().await, teams) {
        assert!(start.elapsed() < PATIENCE, "the operator does not come to rest");
        tokio::time::sleep(TICK).await;
    }
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
