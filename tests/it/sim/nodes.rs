//! A node that goes silent, seen through the API while only the test moves time.

use std::time::Duration;

use serde_json::{Value, json};
use whoosh::sim::{Pace, Settings};

use super::door::Door;
use super::stage::Sim;

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A manager and the worker `node-2`, the only node for the one task that is wanted.
async fn begin() -> (Sim, Door) {
    let settings = Settings {
        pace: Pace::Manual,
        ..Settings::default().with_nodes(2)
    };
    let sim = Sim::start(settings);
    let door = Door::new(sim.socket());
    let service = json!({
        "Name": "s",
        "TaskTemplate": {
            "ContainerSpec": {"Image": "agent:1"},
            "Placement": {"Constraints": ["node.role==worker"]},
        },
        "EndpointSpec": {"Mode": "dnsrr"},
    });
    let (status, answer) = door.ask("POST", "/services/create", &service).await;
    assert_eq!(status, 201, "{answer}");
    sim.simulation.advance(SECOND);
    assert_eq!(told(&door).await, ["ready", "running running"]);
    (sim, door)
}

/// The state of `node-2`, and the desired and actual states of the tasks, the oldest first.
async fn told(door: &Door) -> Vec<String> {
    let text = |value: &Value, path: &str| value.pointer(path).unwrap().as_str().unwrap().to_owned();
    let node = text(&door.get("/nodes/node-2").await, "/Status/State");
    let mut tasks = door.get("/tasks").await.as_array().unwrap().clone();
    tasks.sort_by_key(|task| text(task, "/CreatedAt"));
    let states = |task| format!("{} {}", text(task, "/DesiredState"), text(task, "/Status/State"));
    [node].into_iter().chain(tasks.iter().map(states)).collect()
}

#[tokio::test]
async fn a_silent_node_is_down_after_15_seconds_and_its_tasks_are_orphaned_after_a_day() {
    let (sim, door) = begin().await;
    sim.simulation.fail_node("node-2").unwrap();
    sim.simulation.advance(15 * SECOND - MOMENT);
    assert_eq!(told(&door).await, ["ready", "running running"]);
    sim.simulation.advance(MOMENT);
    let told_down = told(&door).await;
    assert_eq!(told_down[..2], ["down", "shutdown running"], "{told_down:?}");

    sim.simulation.advance(24 * HOUR - MOMENT);
    let lost = ["down", "shutdown running", "running pending"];
    assert_eq!(told(&door).await, lost, "nobody can say that it stopped");
    sim.simulation.advance(MOMENT);
    let given_up = ["down", "shutdown orphaned", "running pending"];
    assert_eq!(told(&door).await, given_up);
}

#[tokio::test]
async fn a_node_that_is_back_before_it_counts_as_down_loses_nothing() {
    let (sim, door) = begin().await;
    let before = door.get("/tasks").await;
    sim.simulation.fail_node("node-2").unwrap();
    sim.simulation.advance(15 * SECOND - MOMENT);
    sim.simulation.return_node("node-2").unwrap();
    sim.simulation.advance(24 * HOUR);
    assert_eq!(told(&door).await, ["ready", "running running"]);
    assert_eq!(door.get("/tasks").await, before);
}
