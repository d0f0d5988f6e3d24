//! Applying, showing, scaling and deleting objects, in front of a real API and Postgres.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType};

use super::{Office, team};

#[tokio::test]
async fn applying_creates_configures_and_leaves_alone() {
    let office = Office::open().await;
    let template = "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {name: reviewer}
spec: {model: \"llama3.1:8b\"}
";
    // The template comes last in the file and goes first: nobody is warned that it is missing.
    let files = team("payments", "      template: reviewer\n") + template;
    let rehearsed = office.apply(&files, &["--dry-run=server"]).await;
    assert_eq!(
        rehearsed.out,
        "agenttemplate/reviewer created (server dry run)\nteam/payments created (server dry run)\n"
    );
    assert_eq!(office.stored("payments").await, None);
    let first = office.apply(&files, &[]).await;
    assert_eq!(first.err, "");
    assert_eq!(
        first.ok(),
        "agenttemplate/reviewer created\nteam/payments created\n"
    );

    let stored = office.stored("payments").await.unwrap();
    let again = office.apply(&files, &[]).await.ok();
    assert_eq!(
        again,
        "agenttemplate/reviewer unchanged\nteam/payments unchanged\n"
    );
    assert_eq!(
        office.stored("payments").await.unwrap(),
        stored,
        "something was written"
    );

    let printed = office.whoosh(&["get", "team/payments", "-o", "yaml"]).await.ok();
    assert_eq!(
        office.apply(&printed, &[]).await.ok(),
        "team/payments unchanged\n"
    );

    // What the file no longer says goes; what somebody else set stays.
    office
        .whoosh(&[
            "scale",
            "team/payments",
            "--role",
            "coordinator",
            "--replicas",
            "3",
        ])
        .await
        .ok();
    let changed = office.apply(&team("payments", ""), &[]).await.ok();
    assert_eq!(changed, "team/payments configured\n");
    let spec = office.stored("payments").await.unwrap().spec;
    assert_eq!(spec["roles"], json!([{"name": "coordinator", "replicas": 3}]));
}

#[tokio::test]
async fn what_is_being_deleted_is_not_changed() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    office.whoosh(&["delete", "team/pay", "--wait=false"]).await.ok();
    let refused = office.apply(&team("pay", "      replicas: 2\n"), &[]).await;
    assert_eq!(
        (refused.out.as_str(), refused.err.as_str(), refused.code),
        (
            "",
            "standard input:1 (document 1, team/pay): is being deleted; apply it again when it is gone\n\
             error: 1 problem; nothing was changed\n",
            1
        )
    );
}

#[tokio::test]
async fn pruning_takes_only_what_was_applied_before() {
    let office = Office::open().await;
    office.apply(&(team("a", "") + &team("b", "")), &[]).await.ok();
    let by_hand = json!({
        "apiVersion": "chorus.services/v1", "kind": "Team",
        "metadata": {"name": "by-hand", "labels": {"fleet": "test"}},
        "spec": {"defaults": {"image": "x"}, "roles": [{"name": "r"}]},
    });
    let http = office.http();
    let teams = "http://localhost/apis/chorus.services/v1/namespaces/default/teams";
    assert!(
        http.post(teams)
            .json(&by_hand)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let pruned = office
        .apply(&team("a", ""), &["--prune", "-l", "fleet=test"])
        .await
        .ok();
    assert_eq!(pruned, "team/a unchanged\nteam/b pruned\n");
    assert!(office.stored("b").await.unwrap().is_deleting());
    assert!(!office.stored("by-hand").await.unwrap().is_deleting());
}

#[tokio::test]
async fn objects_are_shown_in_every_form() {
    let office = Office::open().await;
    let nothing = office.whoosh(&["get", "teams"]).await;
    assert_eq!(
        (nothing.out.as_str(), nothing.err.as_str(), nothing.code),
        ("", "No resources found in default namespace.\n", 0)
    );
    office
        .apply(&(team("pay", "") + &team("bill", "      replicas: 2\n")), &[])
        .await
        .ok();
    office
        .set_status("pay", json!({"summary": "1/1", "state": "Ready", "replicas": 1}))
        .await;
    let check = async |arguments: &[&str], expected: &str| {
        let printed = office.whoosh(arguments).await.ok();
        assert_eq!(printed, expected, "{arguments:?}");
    };
    check(
        &[
            "get",
            "teams",
            "-o",
            "custom-columns=NAME:.metadata.name,READY:.status.summary",
        ],
        "NAME   READY\nbill   <none>\npay    1/1\n",
    )
    .await;
    check(&["get", "tm,cn", "-o", "name"], "team/bill\nteam/pay\n").await;
    check(&["get", "team", "pay", "-o", "jsonpath={.status.state}"], "Ready").await;
    check(
        &[
            "get",
            "teams",
            "-o",
            "jsonpath={range .items[*]}{.metadata.name} {end}",
        ],
        "bill pay ",
    )
    .await;
    check(
        &[
            "get",
            "teams",
            "--field-selector",
            "status.state=Ready",
            "-o",
            "name",
        ],
        "team/pay\n",
    )
    .await;
    check(&["get", "teams", "-l", "fleet!=test", "-A", "-o", "name"], "").await;
    let table = office.whoosh(&["get", "teams", "-A", "--show-labels"]).await.ok();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "NAMESPACE",
            "NAME",
            "READY",
            "STATUS",
            "GENERATION",
            "SUSPENDED",
            "AGE",
            "LABELS"
        ]
    );
    assert_eq!(rows[2][..6], ["default", "pay", "1/1", "Ready", "1", "false"]);
    assert_eq!(rows[2][7], "fleet=test");
    let one: Value =
        serde_json::from_str(&office.whoosh(&["get", "team/pay", "-o", "json"]).await.ok()).unwrap();
    assert_eq!(
        (&one["kind"], &one["metadata"]["name"]),
        (&json!("Team"), &json!("pay"))
    );

    let partly = office.whoosh(&["get", "teams,agents", "-o", "name"]).await;
    assert_eq!(
        (partly.out.as_str(), partly.code),
        ("team/bill\nteam/pay\n", 1),
        "{partly:?}"
    );
    assert!(partly.err.starts_with("error: "), "{}", partly.err);

    let missing = office
        .whoosh(&["get", "team", "pay", "nobody", "-o", "name"])
        .await;
    assert_eq!(
        (missing.out.as_str(), missing.err.as_str(), missing.code),
        (
            "team/pay\n",
            "error: team/nobody not found in default namespace\n",
            1
        )
    );
    let forgiven = office
        .whoosh(&["get", "team", "nobody", "--ignore-not-found"])
        .await;
    assert_eq!(
        (forgiven.out.as_str(), forgiven.err.as_str(), forgiven.code),
        ("", "", 0)
    );
}

#[tokio::test]
async fn changes_are_printed_as_they_come() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    let mut watching = office.desk.start(&[
        "get",
        "teams",
        "-w",
        "--output-watch-events",
        "-o",
        "custom-columns=N:.metadata.name,S:.status.state",
    ]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = async || lines.next_line().await.unwrap().unwrap();
    assert_eq!(next().await, "EVENT   N     S");
    assert_eq!(next().await, "ADDED   pay   <none>");
    office.set_status("pay", json!({"state": "Ready"})).await;
    assert_eq!(next().await, "MODIFIED   pay   Ready");
    office.apply(&team("bill", ""), &[]).await.ok();
    assert_eq!(next().await, "ADDED      bill   <none>");
    watching.kill().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure_to_speak_of() {
    let office = Office::open().await;
    let mut all = office.desk.command(&["explain", "team", "--recursive"]);
    let mut child = all.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}

#[tokio::test]
async fn events_and_descriptions_tell_the_story() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    let stored = office.stored("pay").await.unwrap();
    for (type_, reason, message) in [
        (EventType::Normal, "Created", "started"),
        (EventType::Warning, "CrashLoop", "ended \u{1b}[2J"),
        (EventType::Warning, "CrashLoop", "ended \u{1b}[2J"),
    ] {
        let event = EventRecord {
            regarding: Key::new(Kind::Team, "default", "pay"),
            uid: stored.uid().to_owned(),
            type_,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        office.store.record_event(event).await.unwrap();
    }
    let events = office
        .whoosh(&["events", "--for", "team/pay", "--types=Warning", "--no-headers"])
        .await
        .ok();
    assert!(
        events.contains("(x2 over ") && events.contains("team/pay"),
        "{events}"
    );
    assert!(
        events.ends_with("ended \\u{1b}[2J\n") && !events.contains("Created"),
        "{events}"
    );
    let names = office
        .whoosh(&["events", "--types=Warning", "-o", "name"])
        .await
        .ok();
    assert!(
        names.starts_with("event/pay.") && names.lines().count() == 1,
        "{names}"
    );
    let none = office.whoosh(&["events", "--for", "team/other"]).await;
    assert_eq!(
        (none.err.as_str(), none.code),
        ("No events found in default namespace.\n", 0)
    );

    let mut watching = office
        .desk
        .start(&["events", "-w", "--no-headers", "--types=Warning"]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = async || lines.next_line().await.unwrap().unwrap();
    assert!(next().await.contains("(x2 over "));
    let again = EventRecord {
        regarding: Key::new(Kind::Team, "default", "pay"),
        uid: stored.uid().to_owned(),
        type_: EventType::Warning,
        reason: "CrashLoop".to_owned(),
        message: "ended \u{1b}[2J".to_owned(),
    };
    office.store.record_event(again).await.unwrap();
    assert!(next().await.contains("(x3 over "));
    watching.kill().await.unwrap();

    let described = office.whoosh(&["describe", "team", "pay"]).await;
    assert!(
        described.err.starts_with("Warning: the agents cannot be shown: "),
        "{described:?}"
    );
    let text = described.ok();
    assert!(
        text.starts_with("Name:          pay\nNamespace:     default\n"),
        "{text}"
    );
    assert!(text.contains("\nEvents:\n  Type      Reason      Age"), "{text}");
    assert!(!text.contains("last-applied"), "{text}");
}

#[tokio::test]
async fn what_can_be_done_with_a_kind_is_the_operators_word() {
    let office = Office::open().await;
    let wide = office
        .whoosh(&["api-resources", "-o", "wide", "--no-headers"])
        .await
        .ok();
    let verbs: Vec<&str> = wide
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .collect();
    let all = "create,delete,deletecollection,get,list,patch,update,watch";
    assert_eq!(verbs, [all, all, all, all, all, "get,list,watch"]);
    let version = office.whoosh(&["version"]).await.ok();
    assert!(version.contains("\nServer version: v"), "{version}");
}

#[tokio::test]
async fn scaling_is_guarded() {
    let office = Office::open().await;
    office.apply(&team("pay", ""), &[]).await.ok();
    let scale = async |arguments: &[&str]| {
        let all: Vec<&str> = ["scale", "team", "pay"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        office.whoosh(&all).await
    };
    scale(&["--replicas", "2"]).await.ok();
    assert_eq!(office.stored("pay").await.unwrap().spec["replicas"], 2);
    let stale = scale(&[
        "--role",
        "coordinator",
        "--current-replicas",
        "1",
        "--replicas",
        "5",
    ])
    .await;
    assert_eq!(
        (stale.err.as_str(), stale.code),
        (
            "error: there are 2 agents declared, not 1; nothing was changed\n",
            1
        )
    );
    let wrong = scale(&["--role", "cordinator", "--replicas", "5"]).await;
    assert!(
        wrong.err.contains("did you mean \"coordinator\"?"),
        "{}",
        wrong.err
    );
    for number in ["10000000", "-1"] {
        let refused = scale(&["--current-replicas", "-1", "--replicas", number]).await;
        assert_eq!(refused.code, 1);
        let told = format!("spec.replicas: must be between 0 and 10000, got {number}\n");
        assert!(refused.err.ends_with(&told), "{}", refused.err);
    }
}

#[tokio::test]
async fn shells_are_given_live_names() {
    let office = Office::open().await;
    office
        .apply(&(team("pay", "") + &team("bill", "")), &[])
        .await
        .ok();
    let candidates = async |line: &[&str]| {
        let index = (line.len() - 1).to_string();
        let mut command = office.desk.command(&["--"]);
        command.args(line).envs([
            ("WHOOSH_COMPLETE", "bash"),
            ("_CLAP_COMPLETE_INDEX", &index),
            ("_CLAP_IFS", "\n"),
        ]);
        super::printed(command.spawn().unwrap()).await.ok()
    };
    assert_eq!(candidates(&["whoosh", "get", "team", "p"]).await, "pay");
    assert_eq!(
        candidates(&["whoosh", "describe", "tm/"]).await,
        "tm/bill\ntm/pay"
    );
    assert_eq!(candidates(&["whoosh", "get", "agentt"]).await, "agenttemplates");
    let away = candidates(&["whoosh", "--socket", "/nowhere", "get", "team", ""]).await;
    assert!(!away.contains("pay"), "{away}");
}
