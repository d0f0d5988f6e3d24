//! A thousand real services that no node takes, so that the engine carries them without containers: what the operator
//! costs while nothing happens, and how soon it repairs one of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Eyes;
use crate::figures::{Figures, Reference, median, quantile};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::operator::Operator;
use crate::idle::{processor_seconds, resident_mebibytes};

/// Teams.
const TEAMS: usize = 100;
/// Agents of a team.
const AGENTS: usize = 10;
/// Removals that are timed.
const RUNS: usize = 100;
/// How long nothing has happened when the idle operator is watched.
const QUIET: Duration = Duration::from_secs(150);
/// How long it is watched: at least two full lists.
const WATCHED: Duration = Duration::from_secs(65);

/// Measures an operator of its own on the engine.
pub(crate) async fn measure(engine: &Engine, figures: &mut Figures) {
    let operator = Operator::start_with(engine, &[("WHOOSH_LOG", "warn".to_owned())]).await;
    let eyes = Eyes::on(engine);
    let start = Instant::now();
    operator.apply(&manifests(), &[]).await.ok();
    let seconds = eyes.until_accepted("team_default_p", TEAMS * AGENTS, start).await;
    figures.add(
        "1,000 pending: apply to all accepted",
        seconds,
        Reference::None,
        "s",
        1,
        "",
    );

    let mut millis = Vec::new();
    for run in 0..RUNS {
        let name = format!("team_default_p{}_worker_{}", run % TEAMS, run % AGENTS + 1);
        let service = eyes.get(&format!("/services/{name}")).await;
        let start = Instant::now();
        eyes.remove_service(service["ID"].as_str().unwrap()).await;
        millis.push(eyes.until_there(&name, start).await * 1e3);
    }
    let (p50, p99) = (median(&millis), quantile(&millis, 0.99));
    figures.add(
        "1,000 pending: removed to replaced, p50",
        p50,
        Reference::None,
        "ms",
        RUNS,
        "pollers: minutes",
    );
    figures.add(
        "1,000 pending: removed to replaced, p99",
        p99,
        Reference::Target(100.0),
        "ms",
        RUNS,
        "target",
    );

    tokio::time::sleep(QUIET).await;
    let before = processor_seconds(operator.id());
    tokio::time::sleep(WATCHED).await;
    let used = processor_seconds(operator.id()) - before;
    let share = 100.0 * used / WATCHED.as_secs_f64();
    figures.add(
        "1,000 pending, idle: processor",
        share,
        Reference::Target(1.0),
        "%",
        1,
        "target, of one core",
    );
    let resident = resident_mebibytes(operator.id());
    figures.add(
        "1,000 pending, idle: resident",
        resident,
        Reference::Target(64.0),
        "MiB",
        1,
        "target",
    );
}

/// The teams as one stream; JSON is YAML.
fn manifests() -> String {
    (0..TEAMS)
        .map(|number| format!("---\n{}\n", team(number)))
        .collect()
}

fn team(number: usize) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": format!("p{number}")},
        "spec": {
            "defaults": {"image": AGENT_IMAGE, "placement": {"constraints": ["node.labels.nowhere==true"]}},
            "roles": [{"name": "worker", "replicas": AGENTS}],
        },
    })
}
