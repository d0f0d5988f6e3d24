//! What is deleted is gone from the Swarm first and from the store last.

use std::time::Duration;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;

const PATIENCE: Duration = Duration::from_secs(60);

async fn until_absent(engine: &Engine, what: &str, name: &str) {
    eventually(PATIENCE, &format!("{what} {name} is gone"), async || {
        let found = engine
            .docker(&[what, "ls", "-q", "--filter", &format!("name={name}")])
            .await;
        if found.trim().is_empty() {
            Ok(())
        } else {
            Err(found)
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_team_is_gone_with_all_that_it_had() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let config = "configs: [{name: rules, path: /rules, data: be kind}]";
    operator
        .apply(&team("gone", 1, config), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    assert!(
        engine
            .docker(&["config", "ls"])
            .await
            .contains("whoosh_gone_rules_")
    );

    let deleted = operator
        .whoosh(&["delete", "team", "payments", "-n", "gone", "--timeout", "90s"])
        .await
        .ok();
    assert!(deleted.contains("team \"payments\" deleted"), "{deleted}");
    assert_eq!(services(engine, "gone").await, []);
    until_absent(engine, "network", "gone_net").await;
    until_absent(engine, "config", "whoosh_gone_rules_").await;
    let get = operator.whoosh(&["get", "team", "payments", "-n", "gone"]).await;
    assert_eq!(get.code, 1, "{get:?}");
    assert!(get.err.contains("not found"), "{}", get.err);
}

#[tokio::test]
async fn a_team_that_others_hold_says_that_it_is_being_deleted() {
    let engine = Engine::shared().await;
    let operator = Operator::start(engine).await;
    let held = team("held", 1, "")
        .replace(
            "namespace: held}",
            "namespace: held, finalizers: [example.com/books]}",
        )
        .replace("spec:\n", "spec:\n  suspend: true\n");
    operator.apply(&held, &[]).await.ok();
    operator
        .whoosh(&["delete", "team", "payments", "-n", "held", "--wait=false"])
        .await
        .ok();
    eventually(PATIENCE, "its agents are gone, and it says so", async || {
        let team = operator.get(&["team", "payments", "-n", "held"]).await;
        let released = team["metadata"]["finalizers"] == serde_json::json!(["example.com/books"]);
        let status = &team["status"];
        if released && status["state"] == "Deleting" && status["message"] == "its agents are gone" {
            Ok(())
        } else {
            Err(team.to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn orphaned_agents_run_on_and_are_nobodys() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator
        .apply(&team("orphan", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let containers = engine
        .docker(&["ps", "-q", "--filter", "name=team_orphan_"])
        .await;
    let delete = [
        "delete",
        "team",
        "payments",
        "-n",
        "orphan",
        "--cascade=orphan",
        "--timeout",
        "60s",
    ];
    operator.whoosh(&delete).await.ok();
    assert_eq!(services(engine, "orphan").await, [], "labels are left");
    assert_eq!(
        engine
            .docker(&["ps", "-q", "--filter", "name=team_orphan_"])
            .await,
        containers
    );
}

#[tokio::test]
async fn a_deletion_that_finds_docker_down_ends_when_docker_is_back() {
    let mut engine = Engine::start().await;
    engine.load_agent_image().await;
    let operator = Operator::start(&engine).await;
    operator
        .apply(&team("down", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    engine.kill().await;
    let delete = ["delete", "team", "payments", "-n", "down", "--wait=false"];
    operator.whoosh(&delete).await.ok();
    let team = operator.get(&["team", "payments", "-n", "down"]).await;
    assert!(team["metadata"]["deletionTimestamp"].is_string(), "{team}");

    engine.restart().await;
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "down",
        "--for=delete",
        "--timeout=90s",
    ];
    operator.whoosh(&wait).await.ok();
    assert_eq!(services(&engine, "down").await, []);
}
