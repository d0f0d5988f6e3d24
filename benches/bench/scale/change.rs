//! One change of one team, and one service removed by hand, among all the others. And how long it takes until a
//! watcher is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::cost::add_median;
use super::published;
use super::stage::{Stage, TEAMS, lead_service, name, send, team};
use super::watcher::Watcher;
use crate::figures::{Table, median, quantile};

/// Times that each is done.
const RUNS: usize = 20;
/// What one change may cost with the most teams, as a multiple of what it costs with the fewest.
const GROWTH: Option<f64> = Some(1.5);
/// After a change has settled, until its last look at the engine is over.
const QUIET: Duration = Duration::from_millis(500);

/// Measures changes and drift on the settled teams.
pub(super) async fn measure(stage: &mut Stage, table: &mut Table) {
    let teams = stage.teams;
    let listed = send(stage.client.get(TEAMS)).await;
    let revision = listed["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watcher = Watcher::follow(&stage.client, revision).await;
    let mut seen = Vec::new();
    tokio::time::sleep(QUIET).await;

    let (mut accepted, mut written, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    stage.cost().await;
    for run in 0..RUNS {
        let number = run * teams / RUNS;
        let service = lead_service(number);
        stage.engine.forget_events();
        let start = Instant::now();
        let change = stage.client.patch(format!("{TEAMS}/{}", name(number)));
        let change = change.header("content-type", "application/merge-patch+json");
        let (changed, at) = tokio::join!(
            send(change.body(team(number, 1).to_string())),
            stage.engine.did("update", &service)
        );
        accepted.push((at - start).as_secs_f64() * 1e3);
        let generation = changed["metadata"]["generation"].as_i64();
        let is_seen = |change: &super::watcher::Change| change.observed() == generation;
        let status = watcher.until(&name(number), &mut seen, is_seen).await;
        written.push((status.at - start).as_secs_f64() * 1e3);
        if !status.is_ready() {
            watcher
                .until(&name(number), &mut seen, |change| {
                    is_seen(change) && change.is_ready()
                })
                .await;
        }
        tokio::time::sleep(QUIET).await;
        costs.push(stage.cost().await);
    }
    table.add(
        teams,
        "one change: to update accepted",
        median(&accepted),
        "ms",
        GROWTH,
    );
    table.add(
        teams,
        "one change: to status written",
        median(&written),
        "ms",
        GROWTH,
    );
    add_median(&costs, table, teams, "one change", GROWTH);

    let (mut replaced, mut costs) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let number = run * teams / RUNS;
        stage.engine.forget_events();
        let service = lead_service(number);
        let start = Instant::now();
        stage.engine.remove_service(&service).await;
        replaced.push((stage.engine.did("create", &service).await - start).as_secs_f64() * 1e3);
        let is_whole = |change: &super::watcher::Change| change.at > start && change.is_ready();
        watcher.until(&name(number), &mut seen, is_whole).await;
        tokio::time::sleep(QUIET).await;
        costs.push(stage.cost().await);
    }
    table.add(
        teams,
        "one drift: to replacement accepted",
        median(&replaced),
        "ms",
        GROWTH,
    );
    // The removal itself is a request, too.
    add_median(&costs, table, teams, "one drift", GROWTH);

    let delays = delays(stage, &seen).await;
    table.add(
        teams,
        "watch delivery after commit, p50",
        median(&delays),
        "ms",
        None,
    );
    table.add(
        teams,
        "watch delivery after commit, p99",
        quantile(&delays, 0.99),
        "ms",
        None,
    );
    table.beside("watch delivery after commit, p99", published::WATCH);
}

/// Milliseconds from each commit to its arrival: the log's time is that of the insert, right before the commit.
async fn delays(stage: &Stage, seen: &[(i64, SystemTime)]) -> Vec<f64> {
    let first = seen.iter().map(|(revision, _)| revision).min().unwrap();
    let query =
        format!("SELECT revision, extract(epoch FROM at) AS bench FROM revisions WHERE revision >= {first}");
    let written = stage.database.query(&query).await.unwrap();
    let times = written.lines().map(|line| {
        let (revision, seconds) = line.split_once('|').unwrap();
        (revision.parse::<i64>().unwrap(), seconds.parse::<f64>().unwrap())
    });
    let times: std::collections::BTreeMap<i64, f64> = times.collect();
    let arrived = |wall: &SystemTime| wall.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    seen.iter()
        .map(|(revision, wall)| (arrived(wall) - times[revision]) * 1e3)
        .collect()
}
