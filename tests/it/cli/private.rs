//! `whoosh up` and `whoosh down`: a whole operator of one's own, on an engine of the test's.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::converge;
use crate::harness::docker::Engine;
use crate::harness::home::Home;
use crate::harness::operator::printed;

/// The JSON lines that an operator wrote to its log.
fn log_levels(home: &Path) -> Vec<Value> {
    let log = fs::read_to_string(home.join("log/operator.log")).unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["level"].clone();
    log.lines().map(line).collect()
}

#[tokio::test]
async fn what_up_was_told_reaches_the_operator_and_down() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let machine = Home::new();
    let (nats, docker) = (
        engine.nats().await,
        format!("unix://{}", engine.socket().display()),
    );
    let (nats_url, timeout) = (nats.url(), "--timeout=120s");
    let up = ["up", "--nats-url", &nats_url, "--docker-host", &docker, timeout];
    let loud = [&up[..], &["--log", "debug", "--log-format", "json"]].concat();
    machine.whoosh(&loud, "").await.ok();
    machine.entrust(&["postgres", "operator"]);
    assert!(log_levels(&machine.home).contains(&Value::from("DEBUG")));
    let again = machine.whoosh(&loud, "").await.ok();
    assert!(again.starts_with("The operator runs already.\n"), "{again}");

    let files = converge::team("private", 1, "");
    machine
        .whoosh(&["apply", "-f", "-", "--wait", timeout], &files)
        .await
        .ok();
    let before = converge::services(engine, "private").await;
    assert_eq!(before.len(), 2);

    machine.kill("postgres").await;
    let again = machine.whoosh(&loud, "").await.ok();
    assert!(again.starts_with("The operator runs already.\n"), "{again}");
    machine.entrust(&["postgres", "operator"]);

    let away = "unix:///nowhere/docker.sock";
    let down = machine
        .whoosh(&["down", "--docker-host", away, "--timeout=3s"], "")
        .await;
    assert_eq!(down.code, 1, "{down:?}");
    for told in [
        "The operator is not ready: the Docker engine at unix:///nowhere/docker.sock",
        "the agents are still there",
        "`whoosh down --keep`",
    ] {
        assert!(down.err.contains(told), "{told}: {}", down.err);
    }
    machine.whoosh(&loud, "").await.ok();
    machine.entrust(&["postgres", "operator"]);

    // The first has its turn alone, and the other one finds things as it left them.
    machine.kill("operator").await;
    let (down, keep) = (
        machine.start(&["down", timeout]),
        machine.start(&["down", "--keep"]),
    );
    let (down, keep) = tokio::join!(printed(down), printed(keep));
    let down = down.ok();
    assert!(down.ends_with(" are gone.\n"), "{down}");
    assert!(
        ["Stopped. ", "Nothing is up: "]
            .iter()
            .any(|told| keep.out.starts_with(told)),
        "{keep:?}"
    );
    assert_eq!(keep.code, 0);
    assert_eq!(converge::services(engine, "private").await, []);
    assert!(!machine.home.exists());
}

#[tokio::test]
async fn a_home_with_a_path_that_is_too_long_is_refused_at_once() {
    let engine = Engine::shared().await;
    let mut machine = Home::new();
    machine.home.push("x".repeat(80));
    let docker = format!("unix://{}", engine.socket().display());
    let printed = machine.whoosh(&["up", "--docker-host", &docker], "").await;
    assert_eq!(printed.code, 1);
    assert!(
        printed.err.contains("at most 80; set WHOOSH_HOME"),
        "{}",
        printed.err
    );
    assert!(!machine.home.exists());
}
