//! What goes wrong is explained: in the conditions, with a reason for machines and advice for people.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;

const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until some condition of the team has `reason` and a message with every one of `words`.
pub(crate) async fn until_told(operator: &Operator, namespace: &str, reason: &str, words: &[&str]) {
    eventually(
        PATIENCE,
        &format!("{reason} is told with {words:?}"),
        async || {
            let team = operator.get(&["team", "payments", "-n", namespace]).await;
            let conditions = team["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let told = conditions.iter().any(|condition| {
                let message = condition["message"].as_str().unwrap_or_default();
                condition["reason"] == reason && words.iter().all(|word| message.contains(word))
            });
            if told {
                Ok(())
            } else {
                Err(Value::Array(conditions).to_string())
            }
        },
    )
    .await;
}

async fn applied(namespace: &str, more: &str) -> Operator {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator.apply(&team(namespace, 1, more), &[]).await.ok();
    operator
}

#[tokio::test]
async fn an_image_that_nobody_has() {
    let operator = applied("noimage", "image: nobody/has-this:1").await;
    until_told(
        &operator,
        "noimage",
        "ImageMissing",
        &["nobody/has-this:1", "reviewer"],
    )
    .await;
}

#[tokio::test]
async fn a_constraint_that_no_node_meets() {
    let operator = applied("nofit", "placement: {constraints: [node.labels.gpu==true]}").await;
    until_told(
        &operator,
        "nofit",
        "NothingFits",
        &["node.labels.gpu==true", "reviewer"],
    )
    .await;
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "nofit",
        "--for=condition=Ready",
        "--timeout=60s",
    ];
    let waited = operator.whoosh(&wait).await;
    assert_eq!(waited.code, 1, "{waited:?}");
    assert!(waited.err.contains("NothingFits"), "{}", waited.err);
}

#[tokio::test]
async fn a_container_that_ends_again_and_again() {
    let operator = applied("crashing", "args: [--no-such-flag]").await;
    until_told(&operator, "crashing", "CrashLoop", &["exit code 2", "reviewer"]).await;
}

#[tokio::test]
async fn a_container_that_is_never_healthy() {
    let check = "healthCheck: {command: [/chorus-agent, health, --port, \"1\"], interval: 1s, timeout: 1s, \
                 startPeriod: 0s, retries: 1}";
    let operator = applied("unhealthy", check).await;
    until_told(&operator, "unhealthy", "Unhealthy", &["reviewer"]).await;
}

#[tokio::test]
async fn a_template_that_comes_later() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let spec = team("later", 1, "").replace("- name: reviewer", "- name: reviewer\n      template: reviewr");
    let applied = operator.apply(&spec, &[]).await;
    assert!(
        applied.err.contains("Warning") && applied.err.contains("reviewr"),
        "{applied:?}"
    );
    until_told(&operator, "later", "TemplateNotFound", &["reviewr"]).await;
    eventually(PATIENCE, "the other role is not held up", async || {
        let live = services(engine, "later").await;
        match live.as_slice() {
            [(only, _, _)] if only == "team_later_payments_coordinator_1" => Ok(()),
            _ => Err(format!("{live:?}")),
        }
    })
    .await;

    let template = "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {name: reviewr, namespace: later}
spec: {model: \"llama3.1:8b\"}
";
    operator.apply(template, &[]).await.ok();
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "later",
        "--for=condition=Ready",
        "--timeout=90s",
    ];
    operator.whoosh(&wait).await.ok();
}

#[tokio::test]
async fn a_suspended_team_is_left_as_it_is() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator
        .apply(&team("paused", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let suspended = team("paused", 3, "").replace("spec:\n", "spec:\n  suspend: true\n");
    let applied = operator.apply(&suspended, &["--wait", "--timeout", "1s"]).await;
    assert!(
        applied
            .err
            .contains("team/payments is suspended: its agents are left as they are, and not waited for"),
        "{applied:?}"
    );
    applied.ok();
    until_told(&operator, "paused", "Suspended", &[]).await;
    engine
        .docker(&["service", "rm", "team_paused_payments_reviewer_1"])
        .await;
    // Another team's change is carried out after the removal was seen: what was to happen has happened.
    operator
        .apply(
            &team("paused", 1, "").replace("name: payments", "name: other"),
            &["--wait", "--timeout", "90s"],
        )
        .await
        .ok();
    let live = services(engine, "paused").await;
    assert!(
        live.iter()
            .all(|(name, _, _)| !name.starts_with("team_paused_payments_reviewer")),
        "{live:?}"
    );

    operator
        .apply(&team("paused", 1, ""), &["--wait", "--timeout", "90s"])
        .await
        .ok();
    assert_eq!(services(engine, "paused").await.len(), 4);
}

#[tokio::test]
async fn a_secret_reaches_the_agent_and_nothing_else() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator
        .apply(&team("secret", 1, "secrets: [{name: token}]"), &[])
        .await
        .ok();
    until_told(&operator, "secret", "SecretNotFound", &["token"]).await;

    std::fs::create_dir_all(operator.secrets().join("secret")).unwrap();
    let file = operator.secrets().join("secret/token");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    until_told(&operator, "secret", "SecretUnusable", &["no plain file"]).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(operator.secrets().join("secret/token"), "correct-horse-battery").unwrap();
    let wait = [
        "wait",
        "team/payments",
        "-n",
        "secret",
        "--for=condition=Ready",
        "--timeout=120s",
    ];
    let waited = operator.whoosh(&wait).await;
    if waited.code != 0 {
        // The wait fails fast on the old reason; the file is found by the next look.
        eventually(PATIENCE, "the secret is found", async || {
            let waited = operator.whoosh(&wait).await;
            if waited.code == 0 { Ok(()) } else { Err(waited.err) }
        })
        .await;
    }
    let told = [
        operator.log(),
        operator
            .whoosh(&["describe", "team", "payments", "-n", "secret"])
            .await
            .ok(),
        operator.whoosh(&["get", "all", "-A", "-o", "yaml"]).await.ok(),
        operator.whoosh(&["events", "-A"]).await.ok(),
    ];
    assert!(told.iter().all(|text| !text.contains("correct-horse-battery")));
}

#[tokio::test]
async fn a_lost_engine_is_told_after_a_moment_and_forgotten_when_it_is_back() {
    let mut engine = Engine::start().await;
    engine.load_agent_image().await;
    let mut operator = Operator::start(&engine).await;
    operator
        .apply(&team("lost", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let lost = Instant::now();
    engine.kill().await;
    // Well before anybody would look again by the clock alone.
    until_ready_because(&operator, "EngineUnavailable").await;
    assert!(
        lost.elapsed() >= Duration::from_secs(10),
        "{:?}: a restart takes longer",
        lost.elapsed()
    );
    engine.restart().await;
    until_ready_because(&operator, "AgentsReady").await;

    engine.kill().await;
    operator.kill();
    operator.start_again();
    until_ready_because(&operator, "EngineUnavailable").await;
    engine.restart().await;
    until_ready_because(&operator, "AgentsReady").await;
}

/// Waits until the team's `Ready` has this reason.
async fn until_ready_because(operator: &Operator, reason: &str) {
    eventually(Duration::from_secs(30), reason, async || {
        let team = operator
            .whoosh(&["get", "team", "payments", "-n", "lost", "-o", "json"])
            .await;
        let team: Value = serde_json::from_str(&team.out).map_err(|_| format!("{team:?}"))?;
        let mut conditions = team["status"]["conditions"].as_array().into_iter().flatten();
        match conditions.find(|condition| condition["type"] == "Ready") {
            Some(ready) if ready["reason"] == reason => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
