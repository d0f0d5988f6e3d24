//! What the Swarm as a whole keeps: addresses, versions, a leader.

use serde_json::json;

use super::{SECOND, pass, spec, tasks, update, world, world_of_seed};
use crate::sim::world::World;
use crate::sim::world::networks::{NewNetwork, Pool};

#[test]
fn a_full_network_leaves_tasks_new_until_an_address_is_free() {
    let mut world = world(1);
    world
        .create_network(NewNetwork {
            name: "small".to_owned(),
            driver: "overlay".to_owned(),
            pools: vec![Pool {
                subnet: "10.9.0.0/29".to_owned(),
                ..Pool::default()
            }],
            attachable: true,
            ..NewNetwork::default()
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
