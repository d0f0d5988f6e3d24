//! Several managers, seen through the engine of one of them.

use serde_json::{Value, json};
use whoosh::sim::{NodeSettings, Pace, Settings};
use whoosh::swarm::{ActError, Done, SwarmError};

use super::stage::Sim;
use crate::harness::eventually::eventually;
use crate::swarm::stage::PATIENCE;

/// Three managers and a worker.
fn settings(pace: Pace) -> Settings {
    let node = |number: usize| NodeSettings {
        hostname: format!("node-{number}"),
        is_manager: number <= 3,
        ..NodeSettings::default()
    };
    Settings {
        nodes: (1..=4).map(node).collect(),
        pace,
        ..Settings::default()
    }
}

/// Ten seconds pass in one.
const FAST: Pace = Pace::Live { speed: 10.0 };

async fn get(sim: &Sim, path: &str) -> Value {
    let client = crate::harness::http().unix_socket(sim.socket()).build().unwrap();
    let answer = client.get(format!("http://docker{path}")).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Host name, role, and what is said of it as a manager, of each node.
async fn managers(sim: &Sim) -> Vec<(String, String, Value)> {
    let nodes = get(sim, "/nodes").await;
    let mut told: Vec<_> = nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            let text = |path: &str| node.pointer(path).unwrap().as_str().unwrap().to_owned();
            let mut status = node["ManagerStatus"].clone();
            if let Some(status) = status.as_object_mut() {
                status.remove("Addr");
            }
            (text("/Description/Hostname"), text("/Spec/Role"), status)
        })
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

/// Waits until one task is meant to run, and does, with this in its environment.
async fn until_one_runs(sim: &Sim, variable: &str) {
    eventually(PATIENCE, "one task runs", async || {
        let tasks = get(sim, "/tasks").await;
        let wanted: Vec<&Value> = tasks
            .as_array()
            .unwrap()
            .iter()
            .filter(|task| task["DesiredState"] == "running")
            .collect();
        let runs = |task: &Value| {
            let env = task["Spec"]["ContainerSpec"]["Env"].to_string();
            task["Status"]["State"] == "running" && env.contains(variable)
        };
        match wanted.as_slice() {
            [task] if runs(task) => Ok(()),
            _ => Err(tasks.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn nodes_and_info_tell_who_manages_and_who_leads() {
    let sim = Sim::start(settings(FAST));
    let row = |name: &str, role: &str, status: Value| (name.to_owned(), role.to_owned(), status);
    let reachable = json!({"Reachability": "reachable"});
    assert_eq!(
        managers(&sim).await,
        [
            row(
                "node-1",
                "manager",
                json!({"Leader": true, "Reachability": "reachable"})
            ),
            row("node-2", "manager", reachable.clone()),
            row("node-3", "manager", reachable.clone()),
            row("node-4", "worker", Value::Null),
        ]
    );
    let swarm = get(&sim, "/info").await["Swarm"].take();
    assert_eq!((&swarm["Nodes"], &swarm["Managers"]), (&json!(4), &json!(3)));
    assert_eq!(swarm["RemoteManagers"].as_array().unwrap().len(), 3);

    sim.simulation.fail_node("node-2").unwrap();
    sim.simulation.set_manager("node-4", true).unwrap();
    let told = managers(&sim).await;
    assert_eq!(told[1].2, json!({"Reachability": "unreachable"}));
    assert_eq!(told[3], row("node-4", "manager", reachable));
}

#[tokio::test]
async fn an_election_is_an_outage_that_passes() {
    let settings = settings(Pace::Manual);
    let election = settings.timing.election;
    let sim = Sim::start(settings);
    let stage = sim.stage().await;
    let mut spec = stage.spec(1);
    spec.networks.clear();
    sim.simulation.fail_node("node-1").unwrap();
    let error = stage.swarm.require_manager().await.unwrap_err();
    assert!(matches!(error, SwarmError::NoQuorum { .. }), "{error:?}");
    let refused = stage.create(spec.clone()).await;
    assert!(
        matches!(refused, Err(ActError::Unavailable { .. })),
        "{refused:?}"
    );
    sim.simulation.advance(election);
    stage.swarm.require_manager().await.unwrap();
    stage.create(spec).await.unwrap();
    // By then the node that failed counts as down, too.
    sim.simulation.advance(election);
    until_one_runs(&sim, "").await;
}

#[tokio::test]
async fn an_update_goes_on_under_another_leader() {
    let sim = Sim::start(settings(FAST));
    let stage = sim.stage().await;
    stage.create_network().await;
    let mut want = stage.spec(1);
    stage.create(want.clone()).await.unwrap();
    stage.until_running().await;
    want.container.env.insert("A".into(), "1".into());
    assert_eq!(stage.update(want.clone()).await.unwrap(), Done::Updated);
    sim.simulation.move_leader().unwrap();
    eventually(PATIENCE, "another manager leads", async || {
        stage.swarm.require_manager().await
    })
    .await;
    until_one_runs(&sim, "A=1").await;
    let services = get(&sim, "/services").await;
    assert_eq!(services.as_array().unwrap().len(), 1, "{services}");
    let (_, _, status) = managers(&sim).await.remove(0);
    assert_eq!(status, json!({"Reachability": "reachable"}), "it leads no longer");
}
