//! The operator, or its database, dies at any moment; what was left half done is finished, and nothing is done twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use whoosh::sim::{Settings, Simulation};

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;
use crate::harness::postgres::Postgres;

const PATIENCE: Duration = Duration::from_secs(60);

/// Applies a team, kills the operator as soon as the engine has `seen` of its services, and starts it again.
async fn killed_after(seen: usize) {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let mut operator = Operator::start(engine).await;
    let namespace = format!("crash{seen}");
    operator.apply(&team(&namespace, 5, ""), &[]).await.ok();
    eventually(PATIENCE, "the engine has some services", async || {
        let count = services(engine, &namespace).await.len();
        if count >= seen { Ok(()) } else { Err(count) }
    })
    .await;
    operator.kill();
    let left = services(engine, &namespace).await;

    operator.start_again();
    operator.until_ready().await;
    let wait = [
        "wait",
        "team/payments",
        "-n",
        &namespace,
        "--for=condition=Ready",
        "--timeout=120s",
    ];
    operator.whoosh(&wait).await.ok();

    let live = services(engine, &namespace).await;
    assert_eq!(live.len(), 6);
    let ids: BTreeSet<&String> = live.iter().map(|(_, id, _)| id).collect();
    assert!(
        left.iter().all(|(_, id, _)| ids.contains(id)),
        "a service was made twice: {left:?} {live:?}"
    );
    for (name, _, _) in &live {
        let tasks = engine.docker(&["service", "ps", "-q", name]).await;
        assert_eq!(
            tasks.lines().count(),
            1,
            "{name} was started more than once: {tasks}"
        );
    }
}

#[tokio::test]
async fn it_dies_before_anything_was_done() {
    killed_after(0).await;
}

#[tokio::test]
async fn it_dies_after_the_first_service() {
    killed_after(1).await;
}

#[tokio::test]
async fn it_dies_when_all_services_are_made_and_none_is_ready() {
    killed_after(6).await;
}

#[tokio::test]
async fn its_database_dies_in_the_middle_of_a_rollout() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let simulation = Simulation::start(&socket, Settings::default()).unwrap();
    let mut postgres = Postgres::start().await;
    let operator = Operator::start_on(&socket, &postgres.database().await, &[]).await;
    let wait = ["--wait", "--timeout", "60s"];
    operator.apply(&team("default", 6, ""), &wait).await.ok();

    let updates = || {
        let done = simulation.faults().done().into_iter();
        let mut updates: Vec<String> = done
            .map(|point| point.signature)
            .filter(|signature| signature.starts_with("update service "))
            .collect();
        updates.sort();
        updates
    };
    let louder = team("default", 6, "env: [{name: RUST_LOG, value: debug}]");
    operator.apply(&louder, &[]).await.ok();
    eventually(PATIENCE, "the rollout has begun", async || {
        if updates().is_empty() {
            Err("not yet")
        } else {
            Ok(())
        }
    })
    .await;
    postgres.kill();
    assert!(updates().len() < 6, "{:?}", updates());
    postgres.restart().await;

    eventually(PATIENCE, "the database is back", async || {
        let applied = operator.apply(&louder, &wait).await;
        if applied.code == 0 {
            Ok(())
        } else {
            Err(applied.err)
        }
    })
    .await;
    let each = (1..=6).map(|slot| format!("update service team_default_payments_reviewer_{slot}"));
    assert_eq!(updates(), each.collect::<Vec<_>>());
}

#[tokio::test]
async fn it_stops_in_order_when_it_is_told_to() {
    let operator = Operator::start(Engine::shared().await).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(operator.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    eventually(PATIENCE, "its socket is gone", async || {
        if operator.socket().exists() {
            Err("still there")
        } else {
            Ok(())
        }
    })
    .await;
    assert!(operator.log().contains("stopping"), "{}", operator.log());
}

#[tokio::test]
async fn what_changed_while_it_was_dead_is_seen_when_it_is_back() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let mut operator = Operator::start(engine).await;
    operator
        .apply(&team("absent", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    operator.kill();
    engine
        .docker(&["service", "rm", "team_absent_payments_reviewer_1"])
        .await;
    engine
        .docker(&[
            "service",
            "update",
            "--detach",
            "--env-add",
            "FOREIGN=1",
            "team_absent_payments_coordinator_1",
        ])
        .await;
    operator.start_again();
    operator.until_ready().await;
    eventually(PATIENCE, "both are repaired", async || {
        let live = services(engine, "absent").await;
        let env = engine
            .docker(&[
                "service",
                "inspect",
                "--format",
                "{{.Spec.TaskTemplate.ContainerSpec.Env}}",
                &live[0].1,
            ])
            .await;
        if live.len() == 2 && !env.contains("FOREIGN") {
            Ok(())
        } else {
            Err(format!("{live:?} {env}"))
        }
    })
    .await;
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "absent",
        "--for=condition=Ready",
        "--timeout=90s",
    ];
    operator.whoosh(&wait).await.ok();
}

#[tokio::test]
async fn a_settled_team_is_left_alone_by_a_restart() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let mut operator = Operator::start(engine).await;
    operator
        .apply(&team("restart", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let before = (services(engine, "restart").await, revision(&operator).await);
    operator.kill();
    operator.start_again();
    operator.until_ready().await;
    eventually(PATIENCE, "the restarted operator has looked", async || {
        let log = operator.log();
        if log.matches("leading").count() >= 2 {
            Ok(())
        } else {
            Err(log.len())
        }
    })
    .await;
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "restart",
        "--for=condition=Ready",
        "--timeout=60s",
    ];
    operator.whoosh(&wait).await.ok();
    assert_eq!(
        (services(engine, "restart").await, revision(&operator).await),
        before
    );
}

async fn revision(operator: &Operator) -> Value {
    operator.get(&["team", "payments", "-n", "restart"]).await["metadata"]["resourceVersion"].clone()
}
