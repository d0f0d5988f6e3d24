//! Which node carries a task, and what becomes of the tasks when nodes change.

use serde_json::json;

use super::{SECOND, pass, spec, tasks, update, world};
use crate::sim::NodeSettings;
use crate::sim::world::World;
use crate::sim::world::model::{Availability, Labels, TaskState};
use crate::sim::world::networks::{NewNetwork, Pool};

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
fn a_node_has_an_address_on_the_networks_of_its_tasks() {
    let mut world = world(1);
    let network = world
        .create_network(NewNetwork {
            name: "net".to_owned(),
            driver: "overlay".to_owned(),
            pools: vec![Pool {
                subnet: "10.9.0.0/24".to_owned(),
                ..Pool::default()
            }],
            attachable: true,
            ..NewNetwork::default()
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
