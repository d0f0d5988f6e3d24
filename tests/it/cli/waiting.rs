//! Waiting: for what comes, for what goes, and not for what cannot come.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Office, printed, team};

/// Far longer than anything here takes, and far shorter than the timeouts that must not be waited out.
const SOON: Duration = Duration::from_secs(20);

fn status(generation: i64, ready: &str, stalled: &str) -> Value {
    let condition = |type_: &str, status: &str, reason: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "reviewer 2: no node has a GPU",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    json!({
        "observedGeneration": generation,
        "summary": "1/2",
        "conditions": [condition("Ready", ready, "AgentsStarting"), condition("Stalled", stalled, "NothingFits")],
    })
}

#[tokio::test]
async fn a_condition_is_waited_for() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    office.set_status("pay", status(1, "False", "False")).await;
    let mut waiting = office.desk.start(&[
        "wait",
        "team/pay",
        "--for=condition=Ready",
        "--for=jsonpath={.status.summary}=1/2",
        "--timeout=-1s",
    ]);
    let mut progress = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let line = progress.next_line().await.unwrap().unwrap();
    assert_eq!(
        line,
        "team/pay: 1/2 ready; Ready is False (AgentsStarting): reviewer 2: no node has a GPU"
    );
    // Ready, but of a generation that is over: that is not yet it.
    office.apply(&team("pay", "      replicas: 2\n"), &[]).await.ok();
    let line = progress.next_line().await.unwrap().unwrap();
    assert!(
        line.ends_with("the operator has not looked at generation 2 yet"),
        "{line}"
    );
    office.set_status("pay", status(1, "True", "False")).await;
    office.set_status("pay", status(2, "True", "False")).await;
    let waited = printed(waiting).await;
    assert_eq!(
        (waited.out.as_str(), waited.code),
        ("team/pay condition met\n", 0)
    );
}

#[tokio::test]
async fn what_stays_stalled_is_not_waited_out() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    office.set_status("pay", status(1, "False", "True")).await;
    let started = Instant::now();
    let waited = office
        .whoosh(&["wait", "team/pay", "--for=condition=Ready", "--timeout=10m"])
        .await;
    assert_eq!(waited.code, 1);
    assert!(
        waited
            .err
            .ends_with("error: team/pay: Stalled (NothingFits): reviewer 2: no node has a GPU\n"),
        "{}",
        waited.err
    );
    assert!(started.elapsed() < SOON);
    let missing = office
        .whoosh(&["wait", "team/nobody", "--for=condition=Ready"])
        .await;
    assert_eq!(
        (missing.err.as_str(), missing.code),
        ("error: team/nobody: it does not exist\n", 1)
    );
    let none = office
        .whoosh(&["wait", "teams", "-l", "no=body", "--for=delete"])
        .await;
    assert_eq!(none.code, 1);
}

#[tokio::test]
async fn what_was_stalled_and_recovers_is_waited_for() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    office.set_status("pay", status(1, "False", "True")).await;
    let mut waiting = office
        .desk
        .start(&["wait", "team/pay", "--for=condition=Ready", "--timeout=10m"]);
    let mut progress = BufReader::new(waiting.stderr.take().unwrap()).lines();
    progress.next_line().await.unwrap();
    office.set_status("pay", status(1, "True", "False")).await;
    assert_eq!(printed(waiting).await.ok(), "team/pay condition met\n");
}

#[tokio::test]
async fn an_operator_that_restarts_is_waited_for() {
    let mut office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    let mut waiting = office
        .desk
        .start(&["wait", "team/pay", "--for=condition=Ready", "--timeout=10m"]);
    let mut progress = BufReader::new(waiting.stderr.take().unwrap()).lines();
    progress.next_line().await.unwrap();
    office.close().await;
    office.set_status("pay", status(1, "True", "False")).await;
    office.reopen();
    assert_eq!(printed(waiting).await.ok(), "team/pay condition met\n");
}

#[tokio::test]
async fn time_runs_out_with_the_reason() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    office.set_status("pay", status(1, "False", "False")).await;
    let looked = office
        .whoosh(&["wait", "team/pay", "--for=condition=Ready", "--timeout=0"])
        .await;
    assert_eq!(looked.code, 1);
    assert!(
        looked.err.ends_with(
            "error: timed out waiting for condition Ready of team/pay: Ready is False (AgentsStarting): reviewer 2: \
             no node has a GPU\n"
        ),
        "{}",
        looked.err
    );
    let met = office
        .whoosh(&["wait", "team/pay", "--for=create", "--timeout=0"])
        .await;
    assert_eq!(met.ok(), "team/pay condition met\n");
}

#[tokio::test]
async fn a_deletion_ends_when_the_object_is_gone() {
    let office = Office::open().await;
    office
        .apply(&(team("pay", "") + &team("bill", "")), &[])
        .await
        .ok();
    let mut deleting = office.desk.start(&["delete", "team", "pay", "bill"]);
    let mut progress = BufReader::new(deleting.stderr.take().unwrap()).lines();
    let mut told = vec![
        progress.next_line().await.unwrap().unwrap(),
        progress.next_line().await.unwrap().unwrap(),
    ];
    told.sort();
    assert_eq!(
        told,
        [
            "team/bill: its agents are being stopped",
            "team/pay: its agents are being stopped"
        ]
    );
    office.remove("pay").await;
    office.remove("bill").await;
    let deleted = printed(deleting).await;
    assert_eq!(
        (deleted.out.as_str(), deleted.code),
        ("team \"pay\" deleted\nteam \"bill\" deleted\n", 0)
    );
    let again = office.whoosh(&["delete", "team", "pay"]).await;
    assert_eq!(
        (again.err.as_str(), again.code),
        ("error: team/pay not found in default namespace\n", 1)
    );
}

#[tokio::test]
async fn ctrl_c_ends_with_130() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    let mut waiting = office
        .desk
        .start(&["wait", "team/pay", "--for=condition=Ready", "--timeout=10m"]);
    let mut progress = BufReader::new(waiting.stderr.take().unwrap()).lines();
    progress.next_line().await.unwrap();
    let id = rustix::process::Pid::from_raw(waiting.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(waiting.wait().await.unwrap().code(), Some(130));
}
