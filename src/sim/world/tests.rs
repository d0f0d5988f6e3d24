//! The Swarm's decisions over time.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Availability, Labels, TaskState};
use super::{Timing, World};
use crate::sim::NodeSettings;

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

#[test]
fn a_service_is_scaled_and_removed() {
    let mut world = world(2);
    world.create_service(&spec(3, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    assert_eq!(
        tasks(&world),
        ["1 running running", "2 running running", "3 running running"]
    );
    let loads: Vec<usize> = world
        .nodes
        .ids()
        .iter()
        .map(|node| {
            world
                .tasks
                .iter()
                .filter(|(_, task)| task.node.as_ref() == Some(node))
                .count()
        })
        .collect();
    assert_eq!(loads.iter().max(), Some(&2), "spread over both: {loads:?}");
    update(&mut world, &spec(1, &json!({})));
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), ["1 running running"]);
    assert_eq!(update_state(&world), "", "scaling replaces nothing");
    world.remove_service("s").unwrap();
    pass(&mut world, Duration::from_millis(2));
    assert_eq!(tasks(&world), ["1 remove running"], "the container still stops");
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), [""; 0]);
}

#[test]
fn an_update_goes_slot_by_slot_and_comes_back() {
    let mut world = world(1);
    world.create_service(&spec(2, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    let new = json!({"TaskTemplate": {"ContainerSpec": {"Env": ["A=1"]}}});
    update(&mut world, &spec(2, &new));
    pass(&mut world, Duration::from_millis(30));
    assert_eq!(update_state(&world), "updating: update in");
    assert_eq!(
        tasks(&world),
        ["1 shutdown shutdown", "2 running running", "1 running preparing"].map(str::to_owned),
        "one at a time, the old one first"
    );
    pass(&mut world, 3 * SECOND);
    assert_eq!(update_state(&world), "completed: update completed");
    assert_eq!(
        tasks(&world)[2..],
        ["1 running running", "2 running running"].map(str::to_owned)
    );
    let version = world.find_service("s").unwrap().meta.version;
    world.update_service("s", version, &spec(2, &new), true).unwrap();
    assert_eq!(update_state(&world), "rollback_started: manually requested");
    pass(&mut world, 7 * SECOND);
    assert_eq!(update_state(&world), "rollback_completed: rollback completed");
    let service = world.find_service("s").unwrap();
    assert!(!service.spec.json.contains("A=1"), "{}", service.spec.json);
}

#[test]
fn an_update_that_fails_is_paused_or_rolled_back() {
    for (action, expect, image) in [
        ("pause", "paused: update paused", "gone:1"),
        ("continue", "updating: update in", "gone:1"),
        ("rollback", "rollback_completed: rollback completed", "agent:1"),
    ] {
        let mut world = world(1);
        world.images.set("gone:1", false, None);
        world.create_service(&spec(2, &json!({}))).unwrap();
        pass(&mut world, SECOND);
        let bad = json!({
            "TaskTemplate": {"ContainerSpec": {"Image": "gone:1"}},
            "UpdateConfig": {"FailureAction": action, "Monitor": 60_000_000_000_u64},
        });
        update(&mut world, &spec(2, &bad));
        pass(&mut world, 20 * SECOND);
        assert_eq!(update_state(&world), expect, "{action}: {:?}", tasks(&world));
        assert_eq!(world.find_service("s").unwrap().spec.image, image, "{action}");
    }
}

#[test]
fn start_first_keeps_the_old_task_until_the_new_one_runs() {
    let mut world = world(1);
    world.create_service(&spec(1, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    let new = json!({"TaskTemplate": {"ForceUpdate": 1}, "UpdateConfig": {"Order": "start-first"}});
    update(&mut world, &spec(1, &new));
    pass(&mut world, Duration::from_millis(20));
    assert_eq!(tasks(&world)[0], "1 running running");
    pass(&mut world, 3 * SECOND);
    assert_eq!(tasks(&world), ["1 shutdown shutdown", "1 running running"]);
}

#[test]
fn a_task_that_ends_is_replaced_as_its_policy_says() {
    for (policy, code, expect) in [
        (
            json!({"Condition": "any"}),
            0,
            vec!["1 shutdown complete", "1 running running"],
        ),
        (
            json!({"Condition": "on-failure"}),
            3,
            vec!["1 shutdown failed", "1 running running"],
        ),
        (json!({"Condition": "on-failure"}), 0, vec!["1 shutdown complete"]),
        (json!({"Condition": "none"}), 3, vec!["1 shutdown failed"]),
    ] {
        let mut world = world(1);
        world
            .create_service(&spec(1, &json!({"TaskTemplate": {"RestartPolicy": policy}})))
            .unwrap();
        pass(&mut world, SECOND);
        world.end_containers("s", code);
        let old = tasks(&world);
        pass(&mut world, 10 * SECOND);
        assert_eq!(tasks(&world), expect, "{policy} {code}, first {old:?}");
    }
}

#[test]
fn history_and_attempts_have_limits() {
    let mut world = world(1);
    world.images.set("gone:1", false, None);
    let bad = json!({"TaskTemplate": {"ContainerSpec": {"Image": "gone:1"}}});
    world.create_service(&spec(1, &bad)).unwrap();
    pass(&mut world, 60 * SECOND);
    let seen = tasks(&world);
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert_eq!(
        seen.iter().filter(|task| *task == "1 shutdown rejected").count(),
        4,
        "{seen:?}"
    );

    let bad = json!({"TaskTemplate": {"RestartPolicy": {"MaxAttempts": 2}}});
    update(&mut world, &spec(1, &bad));
    pass(&mut world, SECOND);
    for _ in 0..4 {
        world.end_containers("s", 1);
        pass(&mut world, 5 * SECOND);
    }
    assert!(
        tasks(&world).iter().all(|task| task.starts_with("1 shutdown")),
        "{:?}",
        tasks(&world)
    );
}

#[test]
fn a_silent_node_is_noticed_and_comes_back() {
    let mut world = world(2);
    world
        .create_service(&spec(
            1,
            &json!({"TaskTemplate": {"Placement": {"Constraints": ["node.role == worker"]}}}),
        ))
        .unwrap();
    pass(&mut world, SECOND);
    world.fail_node("node-2").unwrap();
    pass(&mut world, 14 * SECOND);
    assert_eq!(tasks(&world), ["1 running running"], "nobody has noticed");
    pass(&mut world, 3 * SECOND);
    assert_eq!(
        tasks(&world),
        ["1 shutdown running", "1 running pending"],
        "nobody can say that it stopped"
    );
    let node = world.find_node("node-2").unwrap();
    assert_eq!((node.ready, node.message), (false, "heartbeat failure"));
    pass(&mut world, SECOND);
    world.return_node("node-2").unwrap();
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), ["1 shutdown shutdown", "1 running running"]);

    world.fail_node("node-2").unwrap();
    pass(&mut world, 25 * 3600 * SECOND);
    assert_eq!(tasks(&world)[1], "1 shutdown orphaned");
}

#[test]
fn a_task_leaves_a_node_that_no_longer_meets_its_constraints() {
    let mut world = world(2);
    let in_zone = json!({"TaskTemplate": {"Placement": {"Constraints": ["node.labels.zone == z0"]}}});
    world.create_service(&spec(1, &in_zone)).unwrap();
    pass(&mut world, SECOND);
    let relabel = |world: &mut World, host: &str, zone: &str| {
        let node = world.find_node(host).unwrap().clone();
        let labels = Labels::from([("zone".to_owned(), zone.to_owned())]);
        world
            .update_node(host, node.meta.version, node.availability, labels, node.manager)
            .unwrap();
    };
    relabel(&mut world, "node-1", "z0");
    pass(&mut world, 10 * SECOND);
    assert_eq!(tasks(&world), ["1 running running"], "a node more moves nobody");
    relabel(&mut world, "node-2", "elsewhere");
    pass(&mut world, 10 * SECOND);
    assert_eq!(tasks(&world), ["1 shutdown rejected", "1 running running"]);
    let (_, rejected) = world
        .tasks
        .iter()
        .find(|(_, task)| task.status.state == TaskState::Rejected)
        .unwrap();
    assert_eq!(rejected.status.err, "assigned node no longer meets constraints");
}

#[test]
fn a_silence_counts_from_its_own_begin() {
    let mut world = world(2);
    let worker = json!({"TaskTemplate": {"Placement": {"Constraints": ["node.role == worker"]}}});
    world.create_service(&spec(1, &worker)).unwrap();
    pass(&mut world, SECOND);
    let hours = 3600 * SECOND;
    for (silence, then, expect) in [
        (10 * SECOND, 10 * SECOND, &["1 running running"] as &[&str]),
        (
            23 * hours,
            2 * hours,
            &["1 shutdown shutdown", "1 shutdown running", "1 running pending"],
        ),
    ] {
        world.fail_node("node-2").unwrap();
        pass(&mut world, silence);
        world.return_node("node-2").unwrap();
        pass(&mut world, SECOND);
        world.fail_node("node-2").unwrap();
        pass(&mut world, then);
        assert_eq!(tasks(&world), expect, "{silence:?}");
        world.return_node("node-2").unwrap();
        pass(&mut world, SECOND);
    }
}

#[test]
fn a_drained_node_is_left_and_a_paused_one_is_not() {
    let mut world = world(2);
    let set = |world: &mut World, availability| {
        let node = world.find_node("node-2").unwrap().clone();
        world
            .update_node("node-2", node.meta.version, availability, node.labels, false)
            .unwrap();
    };
    let count = |world: &World| {
        let node = world.find_node("node-2").unwrap().id.clone();
        world
            .tasks
            .iter()
            .filter(|(_, task)| task.node.as_ref() == Some(&node) && task.is_wanted())
            .count()
    };
    world.create_service(&spec(2, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    set(&mut world, Availability::Pause);
    update(&mut world, &spec(4, &json!({})));
    pass(&mut world, SECOND);
    assert_eq!(count(&world), 1, "what runs there stays, nothing comes");
    set(&mut world, Availability::Drain);
    pass(&mut world, SECOND);
    assert_eq!(count(&world), 0);
    let running = tasks(&world)
        .iter()
        .filter(|task| task.ends_with("running running"))
        .count();
    assert_eq!(running, 4, "{:?}", tasks(&world));
}

#[test]
fn a_global_service_follows_the_nodes() {
    let mut world = world(2);
    world
        .create_service(&spec(1, &json!({"Mode": {"Replicated": null, "Global": {}}})))
        .unwrap();
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world).len(), 2);
    world.add_node(NodeSettings {
        hostname: "node-3".to_owned(),
        ..NodeSettings::default()
    });
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world).len(), 3);
    world.fail_node("node-3").unwrap();
    pass(&mut world, 20 * SECOND);
    assert!(
        tasks(&world).contains(&"node-3 shutdown running".to_owned()),
        "{:?}",
        tasks(&world)
    );
    world.return_node("node-3").unwrap();
    pass(&mut world, SECOND);
    let running = tasks(&world)
        .iter()
        .filter(|task| task.ends_with("running running"))
        .count();
    assert_eq!(running, 3, "{:?}", tasks(&world));
}

#[test]
fn what_fits_nowhere_waits_until_it_fits() {
    let mut world = world(1);
    let big = json!({"TaskTemplate": {"Resources": {"Reservations": {"NanoCPUs": 3_000_000_000_u64}}}});
    world.create_service(&spec(2, &big)).unwrap();
    pass(&mut world, SECOND);
    let waiting = world
        .tasks
        .iter()
        .find(|(_, task)| !task.status.err.is_empty())
        .unwrap()
        .1;
    assert_eq!(
        waiting.status.err,
        "no suitable node (insufficient resources on 1 node)"
    );
    world.add_node(NodeSettings {
        hostname: "node-2".to_owned(),
        ..NodeSettings::default()
    });
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), ["1 running running", "2 running running"]);
    assert!(world.tasks.iter().all(|(_, task)| task.status.err.is_empty()));
}

#[test]
fn what_asks_for_more_than_there_can_be_fits_nowhere() {
    let mut world = world(1);
    let all = json!({"TaskTemplate": {"Resources": {"Reservations": {"MemoryBytes": i64::MAX}}}});
    world.create_service(&spec(2, &all)).unwrap();
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), ["1 running pending", "2 running pending"]);
}

#[test]
fn a_spread_counts_what_is_on_nodes_that_take_no_more() {
    let mut world = world(3);
    let by_zone = json!({"TaskTemplate": {"Placement": {
        "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
    }}});
    world.create_service(&spec(4, &by_zone)).unwrap();
    pass(&mut world, SECOND);
    // Zone z1 has node-1 and node-3, z0 has node-2: two tasks each.
    for node in ["node-1", "node-3"] {
        world.set_availability(node, Availability::Pause).unwrap();
    }
    world.add_node(NodeSettings {
        hostname: "node-5".to_owned(),
        labels: Labels::from([("zone".to_owned(), "z1".to_owned())]),
        ..NodeSettings::default()
    });
    let more = spec(5, &by_zone);
    update(&mut world, &more);
    pass(&mut world, SECOND);
    let on = |host: &str| {
        let id = &world.find_node(host).unwrap().id;
        world
            .tasks
            .iter()
            .filter(|(_, task)| task.node.as_ref() == Some(id))
            .count()
    };
    assert_eq!(on("node-2") + on("node-5"), 3);
}

#[test]
fn a_full_network_leaves_tasks_new_until_an_address_is_free() {
    let mut world = world(1);
    world
        .create_network(super::networks::NewNetwork {
            name: "small".to_owned(),
            driver: "overlay".to_owned(),
            labels: None,
            subnet: Some("10.9.0.0/29".to_owned()),
            attachable: true,
            internal: false,
        })
        .unwrap();
    pass(&mut world, SECOND);
    world
        .create_service(&spec(
            8,
            &json!({"TaskTemplate": {"Networks": [{"Target": "small"}]}}),
        ))
        .unwrap();
    pass(&mut world, SECOND);
    let counts = |world: &World| {
        let count = |state: &str| tasks(world).iter().filter(|task| task.ends_with(state)).count();
        (count("running running"), count("running new"))
    };
    assert_eq!(counts(&world), (5, 3));

    let other = json!({"Name": "t", "TaskTemplate": {"Networks": [{"Target": "small"}]}});
    world.create_service(&spec(2, &other)).unwrap();
    pass(&mut world, SECOND);
    world.remove_service("s").unwrap();
    pass(&mut world, 20 * SECOND);
    assert_eq!(counts(&world), (2, 0));
}

#[test]
fn an_unhealthy_container_never_runs() {
    let mut world = world(1);
    world.set_healthy("s", false);
    let checked = json!({"TaskTemplate": {"ContainerSpec": {"Healthcheck": {"Test": ["CMD", "x"]}}}});
    world.create_service(&spec(1, &checked)).unwrap();
    pass(&mut world, Duration::from_millis(900));
    assert_eq!(tasks(&world), ["1 running starting"]);
    pass(&mut world, SECOND);
    let failed = world.tasks.iter().find(|(_, task)| !task.is_alive()).unwrap().1;
    assert_eq!(
        failed.status.err,
        "task: non-zero exit (143): dockerexec: unhealthy container"
    );
    world.set_healthy("s", true);
    pass(&mut world, 5 * SECOND);
    assert!(
        tasks(&world).contains(&"1 running running".to_owned()),
        "{:?}",
        tasks(&world)
    );
}

#[test]
fn the_same_seed_makes_the_same_swarm_and_another_one_another() {
    let run = |seed| {
        let mut world = world_of_seed(seed, 3);
        world.create_service(&spec(5, &json!({}))).unwrap();
        pass(&mut world, SECOND);
        world.end_containers("s", 1);
        pass(&mut world, 5 * SECOND);
        world
    };
    let (first, again, other) = (run(7), run(7), run(8));
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    let ids = |world: &World| (world.nodes.ids(), world.tasks.ids());
    assert_ne!(ids(&first), ids(&other));
}

#[test]
fn without_a_quorum_nothing_happens() {
    let mut world = world(1);
    world.create_service(&spec(1, &json!({}))).unwrap();
    world.set_quorum(false);
    pass(&mut world, SECOND);
    assert_eq!((tasks(&world).len(), world.next_due()), (0, None));
    let refusal = world.require_managers().unwrap_err();
    assert_eq!(refusal.status, 500);
    assert!(refusal.message.contains("does not have a leader"));
    world.set_quorum(true);
    pass(&mut world, SECOND);
    assert_eq!(tasks(&world), ["1 running running"]);
}

#[test]
fn what_is_written_together_has_one_number() {
    let mut world = world(1);
    let before = world.index;
    world.create_service(&spec(100, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    assert!(tasks(&world).iter().all(|task| task.ends_with("running running")));
    let grown = world.index - before;
    assert!(grown < 20, "{grown} writes for 100 tasks");
    let version = |world: &World| world.find_service("s").unwrap().meta.version;
    let first = version(&world);
    update(&mut world, &spec(100, &json!({"Labels": {"a": "1"}})));
    world.begin();
    let second = version(&world);
    update(&mut world, &spec(100, &json!({"Labels": {"a": "2"}})));
    assert!(
        first < second && second < version(&world),
        "two requests are two writes"
    );
}

#[test]
fn versions_grow_beyond_32_bits() {
    let mut world = world(1);
    world.index = u64::from(u32::MAX) + 5;
    world.create_service(&spec(1, &json!({}))).unwrap();
    pass(&mut world, SECOND);
    let version = world.find_service("s").unwrap().meta.version;
    assert!(version > u64::from(u32::MAX));
    let stale = world.update_service("s", version & u64::from(u32::MAX), &spec(2, &json!({})), false);
    assert_eq!(stale.unwrap_err().status, 500);
    world
        .update_service("s", version, &spec(2, &json!({})), false)
        .unwrap();
}

#[test]
fn a_node_has_an_address_on_the_networks_of_its_tasks() {
    let mut world = world(1);
    let network = world
        .create_network(super::networks::NewNetwork {
            name: "net".to_owned(),
            driver: "overlay".to_owned(),
            labels: None,
            subnet: Some("10.9.0.0/24".to_owned()),
            attachable: true,
            internal: false,
        })
        .unwrap();
    pass(&mut world, SECOND);
    let node = world.own_node.clone();
    world
        .create_service(&spec(
            2,
            &json!({"TaskTemplate": {"Networks": [{"Target": "net"}]}}),
        ))
        .unwrap();
    pass(&mut world, SECOND);
    let balancer = world.balancer(&network, &node).unwrap();
    assert_eq!(
        balancer.address.unwrap().to_string(),
        "10.9.0.4",
        "behind those of the tasks"
    );
    world.end_containers("s", 1);
    pass(&mut world, 5 * SECOND);
    assert!(
        world.balancer(&network, &node).is_some(),
        "the next tasks need it again"
    );
    world.remove_service("s").unwrap();
    pass(&mut world, SECOND);
    assert_eq!(world.balancer(&network, &node), None);
}
