//! What becomes of a service and its tasks.

use std::time::Duration;

use serde_json::json;

use super::{SECOND, pass, spec, tasks, update, update_state, world};

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
