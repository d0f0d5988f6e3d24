//! The Swarm's decisions over time.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::Labels;
use super::{Timing, World};
use crate::sim::NodeSettings;

mod nodes;
mod services;
mod swarm;

const SECOND: Duration = Duration::from_secs(1);

fn world(nodes: usize) -> World {
    world_of_seed(7, nodes)
}

fn world_of_seed(seed: u64, nodes: usize) -> World {
    let mut world = World::new(Timestamp::UNIX_EPOCH, seed, Timing::default());
    for number in 1..=nodes {
        world.add_node(NodeSettings {
            hostname: format!("node-{number}"),
            labels: Labels::from([("zone".to_owned(), format!("z{}", number % 2))]),
            nano_cpus: 4_000_000_000,
            memory_bytes: 8 << 30,
            is_manager: false,
        });
    }
    world.events.take_fresh();
    world
}

fn spec(replicas: u64, more: &Value) -> Value {
    let mut spec = json!({
        "Name": "s",
        "TaskTemplate": {
            "ContainerSpec": {"Image": "agent:1"},
            "RestartPolicy": {"Delay": 1_000_000_000},
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
        "UpdateConfig": {"Parallelism": 1, "Monitor": 1_000_000_000},
        "EndpointSpec": {"Mode": "dnsrr"},
    });
    json_patch::merge(&mut spec, more);
    spec
}

fn pass(world: &mut World, time: Duration) {
    let until = world.now.checked_add(time).unwrap();
    world.advance_to(until);
}

/// Every task of the service `s`: slot or node, desired and actual state, by age.
fn tasks(world: &World) -> Vec<String> {
    let mut tasks: Vec<_> = world.tasks.iter().map(|(_, task)| task).collect();
    tasks.sort_by_key(|task| (task.meta.created, task.slot.clone()));
    let place = |task: &super::model::Task| match &task.slot.node {
        Some(node) => world.nodes.get(node).unwrap().hostname.clone(),
        None => task.slot.number.to_string(),
    };
    tasks
        .iter()
        .map(|task| {
            format!(
                "{} {} {}",
                place(task),
                task.desired.word(),
                task.status.state.word()
            )
        })
        .collect()
}

fn update(world: &mut World, spec: &Value) {
    let version = world.find_service("s").unwrap().meta.version;
    world.update_service("s", version, spec, false).unwrap();
}

fn update_state(world: &World) -> String {
    let service = world.find_service("s").unwrap();
    service.update.as_ref().map_or_else(String::new, |update| {
        let words: Vec<&str> = update.message.split(' ').take(2).collect();
        format!("{}: {}", update.state.word(), words.join(" "))
    })
}
