//! The command line in front of a whole operator, whose agents run in a Swarm.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::converge;
use crate::harness::docker::Engine;
use crate::harness::operator::Operator;

const TEMPLATE: &str = "---
apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {name: careful, namespace: cli}
spec: {model: \"llama3.1:8b\"}
";

#[tokio::test]
async fn a_team_is_seen_from_its_plan_to_its_logs() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let whoosh = async |arguments: &[&str]| {
        let all: Vec<&str> = ["-n", "cli"].iter().chain(arguments).copied().collect();
        operator.whoosh(&all).await
    };
    let files = converge::team("cli", 2, "")
        .replace("- name: reviewer", "- name: reviewer\n      template: careful")
        + TEMPLATE;

    // The template comes along, so it is not missing.
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &files).await;
    assert_eq!((diff.code, diff.err.as_str()), (1, ""), "{}", diff.out);
    assert!(!diff.out.contains("TemplateNotFound"), "{}", diff.out);
    for slot in ["coordinator_1", "reviewer_1", "reviewer_2"] {
        assert!(
            diff.out
                .contains(&format!("+ service team_cli_payments_{slot}\n")),
            "{}",
            diff.out
        );
    }
    let diff = operator
        .whoosh_with(&["diff", "-f", "-", "-o", "json"], &files)
        .await;
    let plan: Value = serde_json::from_str(&diff.out).unwrap();
    assert_eq!(plan[1]["object"], "team/payments");
    assert_eq!(plan[1]["preview"]["interrupted"], 0);

    let applied = operator
        .apply(&files, &["--wait", "--timeout", "120s"])
        .await
        .ok();
    assert_eq!(
        applied,
        "agenttemplate/careful created\nteam/payments created\nteam/payments condition met\n"
    );

    let agents = whoosh(&[
        "get",
        "agents",
        "-o",
        "custom-columns=N:.metadata.name,S:.status.state,M:.spec.model",
    ]);
    assert_eq!(
        agents.await.ok(),
        "N                             S       M\n\
         team.payments.coordinator.1   Ready   <none>\n\
         team.payments.reviewer.1      Ready   llama3.1:8b\n\
         team.payments.reviewer.2      Ready   llama3.1:8b\n"
    );
    let tree = whoosh(&["tree", "team/payments"]).await.ok();
    assert!(tree.contains("\nteam/payments "), "{tree}");
    assert!(tree.contains("\n   └─ team.payments.reviewer.2 "), "{tree}");
    assert!(tree.contains(" team_cli_payments_reviewer_2\n"), "{tree}");
    let described = whoosh(&["describe", "team", "payments"]).await.ok();
    for line in [
        "\nAgents:        3 desired | 3 updated | 3 ready | 0 unavailable\n",
        "\n  reviewer      2/2     true\n",
        "\n  Ready         True     AgentsReady",
    ] {
        assert!(described.contains(line), "{line}{described}");
    }
    let why = whoosh(&["why", "agent/team.payments.reviewer.2"]).await.ok();
    let why: Vec<String> = why
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for start in [
        "State: Ready: its task is running on node ",
        "Asked by: role reviewer of team/payments, generation 1: number 2 of 2",
        "Template: agenttemplate/careful, generation 1",
        "Last change: team/payments: create by unix:uid=",
    ] {
        assert!(why.iter().any(|line| line.starts_with(start)), "{start}: {why:?}");
    }
    let why = whoosh(&["why", "team/payments", "-o", "json"]).await.ok();
    let why: Value = serde_json::from_str(&why).unwrap();
    assert_eq!(why["chain"][0]["says"], "Ready");
    assert_eq!(why["chain"][1]["topic"], "lastChange", "all is well: {why}");
    let logs = whoosh(&["logs", "team/payments", "--role", "reviewer", "--tail", "1"])
        .await
        .ok();
    let prefixes: Vec<&str> = logs
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(first, _)| first)
        .collect();
    assert_eq!(
        prefixes,
        ["[team.payments.reviewer.1]", "[team.payments.reviewer.2]"],
        "{logs}"
    );

    let mut following = operator.start_command(&["logs", "-n", "cli", "-f", "team/payments", "--tail=1"]);
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut until = async |wanted: &str| {
        let found = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                if line.starts_with(wanted) {
                    return line;
                }
            }
        };
        let found = timeout(Duration::from_secs(60), found).await;
        found.unwrap_or_else(|_| panic!("there is no line of {wanted}"))
    };
    let mut following_one = operator.start_command(&["logs", "-n", "cli", "-f", "team.payments.reviewer.2"]);
    let mut one = BufReader::new(following_one.stdout.take().unwrap()).lines();
    let line = one.next_line().await.unwrap().unwrap();
    assert!(line.starts_with('{') && line.contains("serving"), "{line}");
    let old = until("[team.payments.reviewer.1] ").await;
    whoosh(&["scale", "team/payments", "--role", "reviewer", "--replicas", "3"])
        .await
        .ok();
    until("[team.payments.reviewer.3] ").await;
    engine
        .docker(&["service", "rm", "team_cli_payments_reviewer_1"])
        .await;
    let mut new = until("[team.payments.reviewer.1] ").await;
    while !new.contains("serving") {
        assert_ne!(new, old, "a line was repeated");
        new = until("[team.payments.reviewer.1] ").await;
    }

    whoosh(&["scale", "team/payments", "--role", "reviewer", "--replicas", "1"])
        .await
        .ok();
    let gone = [
        "wait",
        "agent/team.payments.reviewer.2",
        "--for=delete",
        "--timeout=60s",
    ];
    whoosh(&gone).await.ok();
    whoosh(&["wait", "team/payments", "--for=condition=Ready", "--timeout=60s"])
        .await
        .ok();
    let deleted = operator
        .whoosh_with(&["delete", "-f", "-", "--timeout=90s"], &files)
        .await
        .ok();
    assert_eq!(
        deleted,
        "agenttemplate \"careful\" deleted\nteam \"payments\" deleted\n"
    );
    assert_eq!(converge::services(engine, "cli").await, []);
    for mut child in [following, following_one] {
        let ended = timeout(Duration::from_secs(60), child.wait()).await;
        assert!(
            ended.is_ok_and(|ended| ended.unwrap().success()),
            "its agents are gone, and the logs go on"
        );
    }
}
