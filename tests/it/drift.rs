//! What somebody does to our services by hand is repaired, and told.

use std::time::Duration;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_is_changed_by_hand_is_put_back() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator
        .apply(&team("drift", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let reviewer = "team_drift_payments_reviewer_1";
    let declared = services(engine, "drift").await;

    engine.docker(&["service", "rm", reviewer]).await;
    eventually(PATIENCE, "the removed service is back", async || {
        let live = services(engine, "drift").await;
        let back = live.len() == 2 && live[1].1 != declared[1].1;
        if back { Ok(()) } else { Err(format!("{live:?}")) }
    })
    .await;

    engine
        .docker(&["service", "scale", "--detach", &format!("{reviewer}=3")])
        .await;
    until_inspected(engine, reviewer, "{{.Spec.Mode.Replicated.Replicas}}", "1").await;

    engine
        .docker(&[
            "service",
            "update",
            "--detach",
            "--env-add",
            "FOREIGN=1",
            reviewer,
        ])
        .await;
    eventually(PATIENCE, "the foreign variable is gone", async || {
        let env = engine
            .docker(&[
                "service",
                "inspect",
                "--format",
                "{{.Spec.TaskTemplate.ContainerSpec.Env}}",
                reviewer,
            ])
            .await;
        if env.contains("FOREIGN") { Err(env) } else { Ok(()) }
    })
    .await;

    let ready = operator.whoosh(&[
        "wait",
        "team/payments",
        "-n",
        "drift",
        "--for=condition=Ready",
        "--timeout=60s",
    ]);
    ready.await.ok();
    let container = engine
        .docker(&["ps", "-q", "--filter", &format!("name={reviewer}")])
        .await;
    engine.docker(&["rm", "-f", container.trim()]).await;
    eventually(PATIENCE, "another container runs", async || {
        let now = engine
            .docker(&["ps", "-q", "--filter", &format!("name={reviewer}")])
            .await;
        if now.trim().is_empty() || now == container {
            Err(now)
        } else {
            Ok(())
        }
    })
    .await;
    operator
        .whoosh(&[
            "wait",
            "team/payments",
            "-n",
            "drift",
            "--for=condition=Ready",
            "--timeout=60s",
        ])
        .await
        .ok();

    let events = operator
        .whoosh(&["events", "-n", "drift", "--for", "team/payments"])
        .await
        .ok();
    for told in ["DriftRepaired", reviewer] {
        assert!(events.contains(told), "{told} is not in\n{events}");
    }
}

#[tokio::test]
async fn a_foreign_service_of_the_same_name_is_left_alone_and_told() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let taken = "team_taken_payments_reviewer_1";
    let create = [
        "service",
        "create",
        "--detach",
        "--name",
        taken,
        "--endpoint-mode",
        "dnsrr",
        "chorus-agent:test",
    ];
    engine.docker(&create).await;
    let before = engine.docker(&["service", "inspect", taken]).await;

    operator.apply(&team("taken", 1, ""), &[]).await.ok();
    eventually(PATIENCE, "the conflict is told", async || {
        let team = operator.get(&["team", "payments", "-n", "taken"]).await;
        let conditions = team["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let stalled = conditions.iter().find(|condition| condition["type"] == "Stalled");
        match stalled {
            Some(stalled) if stalled["reason"] == "NameConflict" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(
        services(engine, "taken").await.len(),
        1,
        "the other agent runs all the same"
    );
    assert_eq!(engine.docker(&["service", "inspect", taken]).await, before);

    engine.docker(&["service", "rm", taken]).await;
    operator
        .whoosh(&[
            "wait",
            "team/payments",
            "-n",
            "taken",
            "--for=condition=Ready",
            "--timeout=90s",
        ])
        .await
        .ok();
}

async fn until_inspected(engine: &Engine, service: &str, format: &str, wanted: &str) {
    eventually(PATIENCE, &format!("{format} is {wanted}"), async || {
        let found = engine
            .docker(&["service", "inspect", "--format", format, service])
            .await;
        if found.trim() == wanted {
            Ok(())
        } else {
            Err(found)
        }
    })
    .await;
}
