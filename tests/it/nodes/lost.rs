//! Nodes that are lost, and nodes that come back.

use super::scene::Scene;
use crate::converge::{services, team};

const ON_WORKERS: &str = "placement: {constraints: [node.role==worker]}";

#[tokio::test]
async fn agents_of_a_worker_that_fails_are_moved_and_counted_once() {
    let mut scene = Scene::begin("manager-2", "failing").await;
    // The coordinator asks for no worker, and would come to one now and then.
    let aside = "{name: coordinator, agent: {placement: {constraints: [node.hostname==manager-1]}}}";
    let policy = "apiVersion: chorus.services/v1\nkind: Policy\nmetadata: {name: managers, namespace: failing}\nspec: {allow: {managers: true}}\n";
    let team = team("failing", 3, ON_WORKERS).replace("{name: coordinator}", aside);
    let team = format!("{policy}---\n{team}");
    let wait = ["--wait", "--timeout", "90s"];
    scene.operator.apply(&team, &wait).await.ok();
    let declared = services(scene.engine("manager-1"), "failing").await;

    let since = scene.ready_since().await;
    scene.power_off("worker-1");
    scene.until_ready_moved(&since).await;
    scene.until_ready_in_truth(4, &["worker-1"]).await;
    scene.until_true("manager-1", 4, &["worker-1"]).await;

    scene.power_off("worker-2");
    let told = [
        "NodeDown",
        "node worker-2 does not answer",
        "docker node rm --force worker-2",
    ];
    scene.until("Degraded", "True", &told).await;
    scene.until("Ready", "False", &told).await;
    let tasks = scene
        .engine("manager-1")
        .docker(&["node", "ps", "worker-2", "--format", "{{.CurrentState}}"])
        .await;
    let running = tasks.lines().filter(|state| state.starts_with("Running"));
    assert_eq!(
        running.count(),
        3,
        "the engine believes in tasks of a dead node: {tasks}"
    );
    let status = scene.status().await;
    assert_eq!(status["summary"], "1/4", "{status}");
    let agents = scene.agents().await;
    let lost = agents
        .lines()
        .filter(|agent| agent.contains("Failed") && agent.contains("worker-2"));
    assert_eq!(lost.count(), 3, "{agents}");
    let told = scene.told().await;
    assert!(
        told.contains("reviewer.1, reviewer.2, reviewer.3: node worker-2 does not answer"),
        "{told}"
    );

    scene.power_on("worker-1").await;
    scene.until_true("manager-1", 4, &["worker-2"]).await;
    scene.power_on("worker-2").await;
    scene.until_whole().await;
    scene.until_told_how_tasks_ended_on("worker-2").await;
    scene.until_true("manager-1", 4, &[]).await;
    let told = scene.told().await;
    assert!(
        !told.contains("AgentFailed"),
        "the node failed, not its agents: {told}"
    );
    assert_eq!(scene.status().await["restarts"], 0, "{told}");
    assert_eq!(
        services(scene.engine("manager-1"), "failing").await,
        declared,
        "the Swarm moves agents, not WHOOSH"
    );
}

#[tokio::test]
async fn agents_of_a_drained_worker_are_moved_and_stay_when_it_is_taken_back() {
    let scene = Scene::begin("manager-2", "draining").await;
    scene.apply(3, ON_WORKERS).await;
    let manager = scene.engine("manager-1");
    let declared = services(manager, "draining").await;

    manager
        .docker(&["node", "update", "--availability", "drain", "worker-1"])
        .await;
    scene.until_moved_from("worker-1").await;
    scene.until_true("manager-1", 4, &[]).await;
    let moved = scene.running(&[]).await;
    manager
        .docker(&["node", "update", "--availability", "active", "worker-1"])
        .await;
    scene.until_whole().await;
    scene.until_true("manager-1", 4, &[]).await;
    assert_eq!(scene.running(&[]).await, moved);
    assert_eq!(services(manager, "draining").await, declared);
}

#[tokio::test]
async fn workers_that_are_lost_and_back_again_and_again_leave_one_agent_a_slot() {
    let scene = Scene::begin("manager-2", "flapping").await;
    scene.apply(3, ON_WORKERS).await;
    let declared = services(scene.engine("manager-1"), "flapping").await;
    for worker in ["worker-1", "worker-2", "worker-1"] {
        let agents_there = scene.on(worker).await;
        scene.unplug(worker);
        scene.until_node("manager-1", worker, "Down").await;
        scene.until_true("manager-1", 4, &[worker]).await;
        assert_eq!(
            scene.on(worker).await,
            agents_there,
            "nobody told it to stop them"
        );
        scene.plug(worker);
        scene.until_whole().await;
        scene.until_moved_from(worker).await;
        scene.until_true("manager-1", 4, &[]).await;
    }
    assert_eq!(scene.status().await["restarts"], 0);
    assert_eq!(
        services(scene.engine("manager-1"), "flapping").await,
        declared,
        "the Swarm moves agents, not WHOOSH"
    );
}

#[tokio::test]
async fn a_worker_that_comes_back_with_its_old_containers_has_them_stopped() {
    let scene = Scene::begin("manager-2", "returning").await;
    scene.apply(3, ON_WORKERS).await;
    let declared = services(scene.engine("manager-1"), "returning").await;
    scene.unplug("worker-1");
    scene.until_node("manager-1", "worker-1", "Down").await;
    scene.until_true("manager-1", 4, &["worker-1"]).await;
    let twice = scene.running(&[]).await;
    assert!(twice.values().any(|nodes| nodes.len() == 2), "{twice:?}");
    assert_eq!(scene.status().await["summary"], "4/4");

    scene.plug("worker-1");
    scene.until_whole().await;
    scene.until_moved_from("worker-1").await;
    scene.until_true("manager-1", 4, &[]).await;
    assert_eq!(services(scene.engine("manager-1"), "returning").await, declared);
}

#[tokio::test]
async fn agents_of_a_removed_worker_are_moved() {
    let mut scene = Scene::begin("manager-2", "removing").await;
    scene.apply(3, ON_WORKERS).await;
    let declared = services(scene.engine("manager-1"), "removing").await;
    scene.power_off("worker-1");
    scene.until_node("manager-1", "worker-1", "Down").await;
    scene
        .engine("manager-1")
        .docker(&["node", "rm", "--force", "worker-1"])
        .await;
    scene.until_true("manager-1", 4, &["worker-1"]).await;

    scene.power_on("worker-1").await;
    scene
        .engine("worker-1")
        .docker(&["swarm", "leave", "--force"])
        .await;
    scene.join("worker-1", "manager-1").await;
    scene.until_whole().await;
    scene.until_true("manager-1", 4, &[]).await;
    assert_eq!(services(scene.engine("manager-1"), "removing").await, declared);
}
