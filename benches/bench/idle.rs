//! What the operator costs while nothing happens.

use std::fs;
use std::time::Duration;

use crate::figures::Figures;
use crate::harness::operator::Operator;

/// Long enough for a re-list and a resync of every object.
const WATCHED: Duration = Duration::from_secs(65);

/// Measures the operator of the running fleet.
pub(crate) async fn measure(operator: &Operator, figures: &mut Figures) {
    operator
        .whoosh(&["wait", "team/fleet", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    let before = processor_seconds(operator.id());
    tokio::time::sleep(WATCHED).await;
    let used = processor_seconds(operator.id()) - before;
    let share = 100.0 * used / WATCHED.as_secs_f64();
    figures.add(
        "operator idle, 34 agents: processor",
        share,
        Some(1.0),
        "%",
        1,
        "target, of one core",
    );
    let resident = resident_mebibytes(operator.id());
    figures.add(
        "operator idle, 34 agents: resident",
        resident,
        Some(64.0),
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

/// Processor time of a process, user and system (fields 14 and 15 of `/proc/<pid>/stat`, proc(5)).
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
