//! Managers that are cut off, fail, or hand the lead over.

use serde_json::Value;

use super::scene::{MANAGERS, PATIENCE, Scene, assert_unchanged};
use crate::converge::services;
use crate::harness::eventually::eventually;

/// In an agent block, what makes every agent be replaced.
const LOUDER: &str = "env: [{name: RUST_LOG, value: debug}]";

#[tokio::test]
async fn a_leader_that_is_cut_off_is_told_and_loses_nothing() {
    let mut scene = Scene::begin_at_leader("cutoff").await;
    let (own, others) = scene.own_and_other_managers();
    scene.apply(3, "").await;
    let declared = services(scene.engine(others[0]), "cutoff").await;

    scene.unplug(own);
    scene.declare(4, "").await;
    scene
        .until("Ready", "Unknown", &["EngineUnavailable", "managers"])
        .await;
    let status = scene.status().await;
    assert_eq!(
        status["summary"], "4/5",
        "what was seen last still counts: {status}"
    );
    scene.assert_answers_without_agents().await;
    scene.until_node(others[0], own, "Down").await;
    assert_eq!(services(scene.engine(others[0]), "cutoff").await, declared);

    // Its agents were moved. The engine there may take minutes to show itself as a node again, unless it is restarted.
    scene.plug(own);
    scene.until("Ready", "True", &["5 agents"]).await;
    scene.engine_mut(own).kill().await;
    scene.engine_mut(own).start_daemon().await;
    scene.restart_stuck_workers().await;
    scene.until_whole().await;
    scene.until_true(others[0], 5, &[]).await;
    assert_unchanged(&declared, &services(scene.engine(others[0]), "cutoff").await);
}

#[tokio::test]
async fn a_lost_quorum_is_told_and_what_was_declared_meanwhile_is_carried_out_after() {
    let mut scene = Scene::begin_at_follower("quorum").await;
    let (own, others) = scene.own_and_other_managers();
    scene.apply(3, "").await;
    let declared = services(scene.engine(own), "quorum").await;

    for other in &others {
        scene.power_off(other);
    }
    scene.declare(4, "").await;
    scene
        .until("Ready", "Unknown", &["EngineUnavailable", "managers"])
        .await;
    assert_eq!(scene.status().await["summary"], "4/5");
    scene.assert_answers_without_agents().await;

    scene.power_on(others[0]).await;
    scene.until_true(own, 5, &[others[1]]).await;
    assert_unchanged(&declared, &services(scene.engine(own), "quorum").await);
    scene.power_on(others[1]).await;
    scene.until_whole().await;
    scene.until_true(others[1], 5, &[]).await;
}

#[tokio::test]
async fn a_leader_that_fails_in_the_middle_of_a_change_leaves_nothing_half_done() {
    let mut scene = Scene::begin_at_follower("failover").await;
    let (own, _) = scene.own_and_other_managers();
    let leader = scene.leader(own).await;
    scene.apply(5, "").await;
    let declared = services(scene.engine(own), "failover").await;

    scene.declare(5, LOUDER).await;
    until_begun(&scene, own).await;
    scene.power_off(&leader);
    let lost = MANAGERS.into_iter().find(|manager| *manager == leader).unwrap();
    until_carried_out(&scene, own).await;
    scene.until_true(own, 6, &[lost]).await;
    assert_kept(&declared, &services(scene.engine(own), "failover").await);
    scene.power_on(&leader).await;
    scene.until_whole().await;
    scene.until_true(own, 6, &[]).await;
}

#[tokio::test]
async fn a_leader_that_is_demoted_in_the_middle_of_a_change_leaves_nothing_half_done() {
    let scene = Scene::begin_at_follower("handover").await;
    let (own, _) = scene.own_and_other_managers();
    let leader = scene.leader(own).await;
    scene.apply(5, "").await;
    let declared = services(scene.engine(own), "handover").await;

    scene.declare(5, LOUDER).await;
    until_begun(&scene, own).await;
    scene.change_node(own, &["demote", &leader]).await;
    until_carried_out(&scene, own).await;
    scene.until_true(own, 6, &[]).await;
    assert_kept(&declared, &services(scene.engine(own), "handover").await);
    scene.change_node(own, &["promote", &leader]).await;
    scene.until_whole().await;
}

#[tokio::test]
async fn a_manager_that_becomes_a_worker_is_told_with_advice() {
    let scene = Scene::begin_at_follower("demoted").await;
    let (own, others) = scene.own_and_other_managers();
    scene.apply(1, "").await;
    let declared = services(scene.engine(own), "demoted").await;

    scene.change_node(others[0], &["demote", own]).await;
    scene.declare(2, "").await;
    let told = ["EngineUnavailable", "is a worker", "promote this node"];
    scene.until("Ready", "Unknown", &told).await;
    scene.assert_answers_without_agents().await;

    scene.change_node(others[0], &["promote", own]).await;
    scene.until_whole().await;
    scene.until_true(own, 3, &[]).await;
    assert_unchanged(&declared, &services(scene.engine(own), "demoted").await);
}

/// The services of before are there, each once and not made anew; those beside them have other names.
fn assert_kept(before: &[(String, String, u64)], now: &[(String, String, u64)]) {
    for (name, id, _) in before {
        let same: Vec<_> = now
            .iter()
            .filter(|(other, _, _)| other == name)
            .map(|(_, id, _)| id)
            .collect();
        assert_eq!(same, [id], "{name} in {now:?}");
    }
}

/// How many services run louder, and how many there are.
async fn louder(scene: &Scene, manager: &str) -> Result<(usize, usize), String> {
    let label = format!("label=chorus.services/namespace={}", scene.namespace);
    let manager = scene.engine(manager);
    let ids = manager
        .try_docker(&["service", "ls", "--quiet", "--filter", &label])
        .await?;
    let inspect: Vec<&str> = ["service", "inspect"]
        .into_iter()
        .chain(ids.split_whitespace())
        .collect();
    let all: Vec<Value> = serde_json::from_str(&manager.try_docker(&inspect).await?).unwrap();
    let is_louder = |service: &&Value| {
        service["Spec"]["TaskTemplate"]
            .to_string()
            .contains("RUST_LOG=debug")
    };
    Ok((all.iter().filter(is_louder).count(), all.len()))
}

/// Waits until some of the change is done, and makes sure that not all is.
async fn until_begun(scene: &Scene, manager: &str) {
    let (done, all) = eventually(PATIENCE, "the change has begun", async || {
        match louder(scene, manager).await? {
            (0, _) => Err("nothing is done yet".to_owned()),
            begun => Ok(begun),
        }
    })
    .await;
    assert!(
        done < all,
        "{done} of {all} are changed: the lead was to move before"
    );
}

/// Waits until all but the coordinator, whose agent block did not change, run louder.
async fn until_carried_out(scene: &Scene, manager: &str) {
    eventually(PATIENCE, "the change is carried out", async || {
        let (done, all) = louder(scene, manager).await?;
        if done == all - 1 {
            Ok(())
        } else {
            Err(format!("{done} of {all}"))
        }
    })
    .await;
}
