//! How agents are judged, and what people are told of them.

use std::time::Duration;

use super::world::{World, agent, at, errored, failed, node, old, task};
use crate::plan::explain::explain;
use crate::plan::health::{Verdict, judge};
use crate::plan::observed::{Task, TaskState};
use crate::resource::workload::DesiredHealthCheck;

/// Judges `writer.1` with these tasks, newest first, at second 1060.
fn verdict(tasks: &[Task]) -> Verdict {
    let mut world = World::settled("writer");
    let mut down = node("beta");
    down.ready = false;
    world.observed.nodes.insert("n2".into(), down);
    world.tasks("writer.1", tasks);
    let nodes = world.observed.nodes.clone();
    judge(Some(world.service("writer.1")), false, &nodes, at(1060)).verdict
}

fn on(id: &str, task: Task) -> Task {
    Task {
        node: Some(id.to_owned()),
        ..task
    }
}

fn made(second: i64, task: Task) -> Task {
    Task {
        created: at(second),
        ..task
    }
}

fn told_to_stop(task: Task) -> Task {
    Task {
        desired: TaskState::Shutdown,
        ..task
    }
}

#[test]
fn the_task_that_the_engine_wants_decides() {
    use TaskState::{Assigned, Pending, Preparing, Running, Shutdown, Starting};
    let pending = |why: &str| Verdict::Pending { why: why.to_owned() };
    let down = Verdict::NodeDown { node: "beta".into() };
    for (tasks, expected) in [
        (vec![task(Running)], Verdict::Ready),
        (vec![task(Assigned)], Verdict::Starting),
        (vec![task(Preparing)], Verdict::Starting),
        (vec![task(Starting)], Verdict::Starting),
        (vec![], Verdict::Starting),
        (vec![made(1050, task(TaskState::New))], pending("")),
        (vec![made(1045, task(TaskState::New))], Verdict::Unaddressed),
        (vec![errored(Pending, "soon")], pending("soon")),
        (vec![told_to_stop(task(Running))], Verdict::Starting),
        // An update: the old task runs on, or stops, and is not the new one.
        (vec![old(task(Running))], Verdict::Updating),
        (
            vec![task(Starting), old(told_to_stop(task(Running)))],
            Verdict::Starting,
        ),
        (vec![task(Running), old(failed(1, 1059))], Verdict::Ready),
        (vec![task(Running), old(task(Shutdown))], Verdict::Ready),
        // Somebody scaled it by hand: one agent a slot is enough.
        (vec![task(Starting), task(Running), task(Running)], Verdict::Ready),
        // The engine believes a lost node's tasks to run.
        (vec![on("n2", task(Running))], down.clone()),
        (
            vec![on("gone", task(Running))],
            Verdict::NodeDown { node: "gone".into() },
        ),
        (
            vec![task(Running), on("n2", told_to_stop(task(Running)))],
            Verdict::Ready,
        ),
        (
            vec![task(Starting), on("n2", told_to_stop(task(Running)))],
            Verdict::Starting,
        ),
        (
            vec![
                errored(Pending, "no suitable node (1 node not available for new tasks)"),
                on("n2", told_to_stop(task(Running))),
            ],
            down,
        ),
    ] {
        assert_eq!(verdict(&tasks), expected, "{tasks:#?}");
    }
}

#[test]
fn failures_of_the_current_spec_are_counted() {
    use TaskState::{Pending, Rejected, Running, Starting};
    let since = |second, task: Task| Task {
        since: at(second),
        ..task
    };
    let touched = |second, task: Task| Task {
        updated: at(second),
        ..task
    };
    let single = Verdict::Failed {
        exit_code: Some(3),
        error: "task: non-zero exit (3)".into(),
    };
    let looping = |count| Verdict::CrashLoop {
        exit_code: Some(3),
        error: "task: non-zero exit (3)".into(),
        count,
    };
    let missing = "No such image: agent:dev";
    let unhealthy = "task: non-zero exit (137): dockerexec: unhealthy container";
    let nothing = "no suitable node (insufficient resources on 1 node)";
    for (tasks, expected) in [
        (vec![task(Starting), failed(3, 1050)], single.clone()),
        (vec![failed(3, 1050)], single.clone()),
        (vec![task(Pending), failed(3, 1050)], single.clone()),
        (vec![failed(3, 1050), failed(3, 1040)], single.clone()),
        (vec![made(1050, task(TaskState::New)), failed(3, 1049)], single),
        (
            vec![made(1045, task(TaskState::New)), failed(3, 1044)],
            Verdict::Unaddressed,
        ),
        (
            vec![failed(3, 1050), failed(3, 1040), failed(1, 1030)],
            looping(3),
        ),
        (
            vec![failed(3, 1050), failed(3, 1040), failed(1, 400)],
            Verdict::Failed {
                exit_code: Some(3),
                error: "task: non-zero exit (3)".into(),
            },
        ),
        (
            vec![failed(3, 1050), old(failed(3, 1040)), old(failed(3, 1040))],
            Verdict::Failed {
                exit_code: Some(3),
                error: "task: non-zero exit (3)".into(),
            },
        ),
        // A node that comes back tells how the tasks ended that were replaced meanwhile.
        (
            vec![
                task(Starting),
                touched(1055, failed(3, 1050)),
                touched(1055, failed(3, 1040)),
                touched(1055, failed(3, 1030)),
            ],
            Verdict::Starting,
        ),
        // The address of a task that ended is taken back after the task was replaced.
        (
            vec![
                task(Starting),
                touched(1005, failed(3, 1050)),
                touched(1005, failed(3, 1040)),
                touched(1005, failed(3, 1030)),
            ],
            looping(3),
        ),
        // One failure does not keep an agent that runs again from being ready; a loop does, until it holds.
        (vec![since(1051, task(Running)), failed(3, 1050)], Verdict::Ready),
        (
            vec![
                since(1051, task(Running)),
                failed(3, 1050),
                failed(3, 1040),
                failed(3, 1030),
            ],
            looping(3),
        ),
        (
            vec![
                since(1029, task(Running)),
                failed(3, 1028),
                failed(3, 1020),
                failed(3, 1010),
            ],
            Verdict::Ready,
        ),
        (
            vec![errored(Rejected, missing)],
            Verdict::ImageMissing {
                error: missing.into(),
                count: 1,
            },
        ),
        (
            vec![task(TaskState::Preparing), errored(Rejected, missing)],
            Verdict::ImageMissing {
                error: missing.into(),
                count: 1,
            },
        ),
        (
            vec![task(Starting), errored(TaskState::Failed, unhealthy)],
            Verdict::Unhealthy { told: true },
        ),
        (
            vec![errored(Pending, nothing)],
            Verdict::NothingFits {
                why: "insufficient resources on 1 node".into(),
            },
        ),
        (
            vec![errored(Pending, "no suitable node")],
            Verdict::NothingFits { why: String::new() },
        ),
    ] {
        assert_eq!(verdict(&tasks), expected, "{tasks:#?}");
    }
}

#[test]
fn an_agent_that_ends_well_again_and_again_was_stopped_for_its_health() {
    let check = |command: &[&str]| {
        Some(DesiredHealthCheck {
            command: command.iter().map(|word| word.to_string()).collect(),
            interval: Duration::from_secs(4),
            timeout: Duration::ZERO,
            start_period: Duration::ZERO,
            retries: 2,
        })
    };
    let lived = |seconds: i64| Task {
        created: at(1050 - seconds),
        since: at(1050),
        exit_code: Some(0),
        ..errored(TaskState::Complete, "finished")
    };
    let failed = Verdict::Failed {
        exit_code: Some(0),
        error: "finished".into(),
    };
    let unhealthy = Verdict::Unhealthy { told: false };
    for (check, tasks, expected) in [
        (check(&["ok"]), vec![lived(8)], failed.clone()),
        (check(&["ok"]), vec![lived(8), lived(8)], unhealthy.clone()),
        (check(&["ok"]), vec![lived(7), lived(7)], failed.clone()),
        (check(&[]), vec![lived(8), lived(8)], failed.clone()),
        (None, vec![lived(8), lived(8)], unhealthy),
        (None, vec![lived(1), lived(1)], failed),
    ] {
        let mut world = World::settled("writer");
        world.tasks("writer.1", &tasks);
        world.spec("writer.1").container.health_check = check.clone();
        let nodes = world.observed.nodes.clone();
        let health = judge(Some(world.service("writer.1")), false, &nodes, at(1060));
        assert_eq!(health.verdict, expected, "{check:?} {tasks:#?}");
    }
}

#[test]
fn a_slot_without_a_fitting_service_is_missing_or_updating() {
    let mut world = World::settled("writer");
    let nodes = world.observed.nodes.clone();
    let live = world.service("writer.1").clone();
    assert_eq!(judge(None, false, &nodes, world.now).verdict, Verdict::Missing);
    assert_eq!(
        judge(Some(&live), true, &nodes, world.now).verdict,
        Verdict::Updating
    );
    world.service("writer.1").tasks = None;
    let unread = world.service("writer.1").clone();
    assert_eq!(
        judge(Some(&unread), false, &nodes, world.now).verdict,
        Verdict::Starting
    );
}

#[test]
fn people_are_told_what_it_is_and_what_to_do() {
    let check = |constraints: &[&str], tasks: &[Task], expected: &str| {
        let mut world = World::settled("writer");
        world.tasks("writer.1", tasks);
        let mut agent = agent();
        agent.constraints = constraints.iter().map(|text| text.to_string()).collect();
        agent.reservations.memory_bytes = 8 << 30;
        let nodes = world.observed.nodes.clone();
        let health = judge(Some(world.service("writer.1")), false, &nodes, at(1060));
        assert_eq!(explain(&health, &agent, &nodes), expected);
    };
    let pending = |why: &str| errored(TaskState::Pending, &format!("no suitable node ({why})"));
    let unmet = "scheduling constraints not satisfied on 1 node";
    check(
        &["node.labels.gpu==true", "node.hostname==alpha"],
        &[pending(unmet)],
        "no node meets node.labels.gpu==true: label one with `docker node update --label-add gpu=true <node>`, or \
         change `placement.constraints` (the engine says \"scheduling constraints not satisfied on 1 node\")",
    );
    check(
        &["node.role==worker", "node.ip==10.0.0.0/8"],
        &[pending(unmet)],
        "no node meets all of node.role==worker, node.ip==10.0.0.0/8: change `placement.constraints` (the engine says \
         \"scheduling constraints not satisfied on 1 node\")",
    );
    check(
        &[],
        &[pending("insufficient resources on 1 node")],
        "no node has 8Gi memory left to reserve: lower `resources.requests`, stop something, or add a node (the engine \
         says \"insufficient resources on 1 node\")",
    );
    check(
        &[],
        &[errored(TaskState::Rejected, "No such image: agent:dev")],
        "image agent:dev cannot be had (the engine says \"No such image: agent:dev\"): push it to a registry that the \
         nodes reach, build it on the nodes, or correct `image`",
    );
    check(
        &[],
        &[failed(3, 1050)],
        "ended with exit code 3 (the engine says \"task: non-zero exit (3)\") on node alpha; it is started again",
    );
    check(
        &[],
        &[failed(3, 1050), failed(3, 1040), failed(3, 1030)],
        "ends again and again: ended with exit code 3 (the engine says \"task: non-zero exit (3)\"); read its log with \
         `whoosh logs`, then correct its command, environment or image",
    );
    check(&[], &[task(TaskState::New)], "waits for an address");
}

#[test]
fn an_agent_on_a_node_that_it_must_leave_is_not_ready() {
    let mut world = World::settled("writer");
    for (constraint, expected) in [
        ("node.hostname != alpha", Verdict::Updating),
        ("node.hostname == beta", Verdict::Updating),
        ("node.hostname == alpha", Verdict::Ready),
        ("node.ip == 10.0.0.0/8", Verdict::Ready),
    ] {
        world.spec("writer.1").constraints = vec![constraint.to_owned()];
        let nodes = world.observed.nodes.clone();
        let health = judge(Some(world.service("writer.1")), false, &nodes, at(1060));
        assert_eq!(health.verdict, expected, "{constraint}");
    }
}
