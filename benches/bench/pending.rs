//! A thousand real services that no node takes, so that the engine carries them without containers: what the operator
//! costs while nothing happens, and how soon it repairs one of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Eyes;
use crate::figures::{Figures, Reference};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::operator::Operator;
use crate::{idle, repair};

/// Teams.
const TEAMS: usize = 100;
/// Agents of a team.
const AGENTS: usize = 10;
/// Removals that are timed: enough for a hundredth of them to be more than one or two.
const RUNS: usize = 300;
/// How long nothing has happened when the idle operator is watched.
const QUIET: Duration = Duration::from_secs(150);

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

    // What is timed is a removal in a Swarm at rest, not the end of the apply.
    idle::until_nothing_to_do(&operator, TEAMS).await;
    let mut millis = Vec::new();
    for run in 0..RUNS {
        let name = format!("team_default_p{}_worker_{}", run % TEAMS, run % AGENTS + 1);
        let service = eyes.get(&format!("/services/{name}")).await;
        let start = Instant::now();
        eyes.remove_service(service["ID"].as_str().unwrap()).await;
        millis.push(eyes.until_there(&name, start).await * 1e3);
    }
    repair::report("1,000 pending: removed to replaced", &millis, figures);

    tokio::time::sleep(QUIET).await;
    idle::watch("1,000 pending, idle", &operator, figures).await;
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
