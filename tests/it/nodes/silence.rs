//! Servers that go silent: their connections stay open, and nobody answers.
//!
//! Of NATS, only agents know: operators neither send nor hear anything there, so that its silence is none of theirs.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::scene::{PATIENCE, SOON, Scene, assert_unchanged};
use crate::converge::services;
use crate::harness::eventually::eventually;
use crate::harness::nodes::Turn;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

/// A statement may take long, so that a database that takes its time is not given up before.
const DATABASE_LIMIT: Duration = Duration::from_secs(25);

#[tokio::test]
async fn a_silent_engine_is_told_and_its_agents_run_on() {
    let scene = Scene::begin_at_follower("mute").await;
    let (own, others) = scene.own_and_other_managers();
    scene.apply(3, "").await;
    let declared = services(scene.engine(others[0]), "mute").await;

    scene.engine(own).pause();
    scene.declare(4, "").await;
    scene
        .until("Ready", "Unknown", &["EngineUnavailable", "did not answer"])
        .await;
    assert_eq!(scene.status().await["summary"], "4/5");
    scene.assert_answers_without_agents().await;

    scene.engine(own).resume();
    scene.until_whole().await;
    scene.until_true(others[0], 5, &[]).await;
    assert_unchanged(&declared, &services(scene.engine(others[0]), "mute").await);
}

#[tokio::test]
async fn a_silent_database_stops_the_operators_and_nothing_else() {
    let cluster = Turn::begin().await;
    let (hush, url) = database().await.hushed().await;
    let settings = [("WHOOSH_DATABASE_URL", url)];
    let operator = Operator::start_with(cluster.engine("manager-2"), &settings).await;
    let mut scene = Scene::of(cluster, operator, "manager-2", "hushed");
    let second = scene.operator.start_copy().await;
    scene.apply(2, "").await;
    let mut declared = services(scene.engine("manager-1"), "hushed").await;
    let before = scene.running(&[]).await;

    hush.silence();
    for operator in [&scene.operator, &second] {
        let health = timeout(SOON, operator.ready())
            .await
            .expect("the health is told soon");
        let health = health.unwrap_err();
        assert!(
            health.contains("postgres failed: the database does not answer in time"),
            "{health}"
        );
        let answer = timeout(DATABASE_LIMIT, operator.whoosh(&["get", "teams", "-A"])).await;
        let answer = answer.expect("whoever asks is answered");
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.err.contains("database"), "{answer:?}");
        eventually(PATIENCE, "nobody leads", async || {
            if operator.leads().await {
                Err("it leads")
            } else {
                Ok(())
            }
        })
        .await;
    }
    let reviewer = "team_hushed_payments_reviewer_1";
    scene
        .engine("manager-1")
        .docker(&["service", "rm", reviewer])
        .await;
    declared.retain(|(name, _, _)| name != reviewer);
    let running = scene.running(&[]).await;
    assert!(
        before
            .iter()
            .filter(|(name, _)| *name != reviewer)
            .all(|(name, on)| running.get(name) == Some(on))
    );

    let spoken = Timestamp::now();
    hush.speak();
    eventually(PATIENCE, "the service is made again", async || {
        let now = services(scene.engine("manager-1"), "hushed").await;
        if now.len() == 3 {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await;
    scene.until_true("manager-1", 3, &[]).await;
    assert_unchanged(&declared, &services(scene.engine("manager-1"), "hushed").await);
    let made = ["service", "inspect", "--format", "{{json .CreatedAt}}", reviewer];
    let made = scene.engine("manager-1").docker(&made).await;
    let made: Timestamp = serde_json::from_str(&made).unwrap();
    assert!(made > spoken, "made at {made}, in the silence until {spoken}");
    let leading = [scene.operator.leads().await, second.leads().await];
    assert!(leading[0] != leading[1], "{leading:?}");
}

#[tokio::test]
async fn a_silent_nats_costs_reports_and_nothing_else() {
    let cluster = Turn::begin().await;
    let nats = cluster.nats().await;
    let settings = [("WHOOSH_NATS_URL", nats.url())];
    let operator = Operator::start_with(cluster.engine("manager-2"), &settings).await;
    let scene = Scene::of(cluster, operator, "manager-2", "unheard");
    scene.apply(2, "").await;
    nats.until_agents_report(3).await;
    let before = scene.running(&[]).await;

    nats.pause();
    scene.apply(3, "").await;
    scene.until_true("manager-1", 4, &[]).await;
    let running = scene.running(&[]).await;
    assert!(
        before.iter().all(|(name, on)| running.get(name) == Some(on)),
        "{before:?} {running:?}"
    );
    nats.resume();
    nats.until_agents_report(4).await;
    assert_eq!(scene.running(&[]).await, running);
    assert_eq!(scene.status().await["restarts"], 0);
}
