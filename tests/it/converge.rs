//! From YAML to containers, and from one YAML to the next.

use std::time::Duration;

use serde_json::Value;

use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;

/// A team of `replicas` reviewers in `namespace`, with `more` lines in its reviewer's agent block.
///
/// Its image's health check is off: a check a second in every container would keep the machine busy.
pub(crate) fn team(namespace: &str, replicas: u32, more: &str) -> String {
    format!(
        "apiVersion: chorus.services/v1
kind: Team
metadata: {{name: payments, namespace: {namespace}}}
spec:
  project: acme/payments
  network: {namespace}_net
  defaults:
    image: chorus-agent:test
    resources: {{limits: {{cpu: 500m, memory: 64Mi}}, requests: {{cpu: 5m, memory: 8Mi}}}}
    healthCheck: {{command: []}}
    stopGracePeriod: 3s
  roles:
    - {{name: coordinator}}
    - name: reviewer
      replicas: {replicas}
      agent:
        capabilities: [review]
        {more}
"
    )
}

/// Service name -> (id, version) of everything that the engine runs for a namespace.
pub(crate) async fn services(engine: &Engine, namespace: &str) -> Vec<(String, String, u64)> {
    let label = format!("label=chorus.services/namespace={namespace}");
    let ids = engine.docker(&["service", "ls", "-q", "--filter", &label]).await;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let all: Vec<&str> = ["service", "inspect"].iter().chain(&ids).copied().collect();
    let inspected: Vec<Value> = serde_json::from_str(&engine.docker(&all).await).unwrap();
    let mut found: Vec<_> = inspected
        .iter()
        .map(|service| {
            let name = service["Spec"]["Name"].as_str().unwrap().to_owned();
            let version = service["Version"]["Index"].as_u64().unwrap();
            (name, service["ID"].as_str().unwrap().to_owned(), version)
        })
        .collect();
    found.sort();
    found
}

fn names(services: &[(String, String, u64)]) -> Vec<&str> {
    services.iter().map(|(name, _, _)| name.as_str()).collect()
}

/// Checks that a plan says `wanted`, however its columns are aligned.
fn assert_planned(plan: &str, wanted: &str) {
    let says = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") == wanted;
    assert!(plan.lines().any(says), "{wanted:?} is not planned:\n{plan}");
}

#[tokio::test]
async fn a_team_is_applied_and_its_agents_run() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;

    let applied = operator
        .apply(&team("first", 2, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    assert!(applied.contains("team/payments created"), "{applied}");

    let live = services(engine, "first").await;
    assert_eq!(
        names(&live),
        [
            "team_first_payments_coordinator_1",
            "team_first_payments_reviewer_1",
            "team_first_payments_reviewer_2"
        ]
    );
    let status = &operator.get(&["team", "payments", "-n", "first"]).await["status"];
    assert_eq!(status["summary"], "3/3");
    assert_eq!(status["state"], "Ready");
    assert_eq!(status["observedGeneration"], 1);
    let agents = operator
        .whoosh(&["get", "agents", "-n", "first", "--no-headers"])
        .await
        .ok();
    assert_eq!(agents.lines().count(), 3, "{agents}");
    assert!(agents.lines().all(|line| line.contains("Ready")), "{agents}");

    let again = operator.apply(&team("first", 2, ""), &[]).await.ok();
    assert!(again.contains("team/payments unchanged"), "{again}");
    assert_eq!(
        services(engine, "first").await,
        live,
        "the engine was sent something"
    );
}

#[tokio::test]
async fn each_change_does_what_the_diff_said_and_no_more() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    operator
        .apply(&team("change", 1, ""), &["--wait", "--timeout", "120s"])
        .await
        .ok();
    let before = services(engine, "change").await;

    // More agents: those that run are left alone.
    let more = team("change", 2, "");
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &more).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    assert_planned(&diff.out, "+ service team_change_payments_reviewer_2");
    operator.apply(&more, &["--wait", "--timeout", "120s"]).await.ok();
    let grown = services(engine, "change").await;
    assert_eq!(grown.len(), 3);
    assert!(
        before.iter().all(|old| grown.contains(old)),
        "{before:?} {grown:?}"
    );

    // Another environment: the reviewers are replaced, the coordinator is left alone.
    let louder = team("change", 2, "env: [{name: RUST_LOG, value: debug}]");
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &louder).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    assert_planned(&diff.out, "+/- service team_change_payments_reviewer_1");
    assert!(diff.out.contains("RUST_LOG"), "{}", diff.out);
    operator
        .apply(&louder, &["--wait", "--timeout", "120s"])
        .await
        .ok();
    // Until the engine's own updater is done with a service, it moves its version.
    let reviewers = [
        "team_change_payments_reviewer_1",
        "team_change_payments_reviewer_2",
    ];
    eventually(
        Duration::from_secs(30),
        "the engine's updates are over",
        async || {
            let inspected = engine
                .docker(&[&["service", "inspect"], reviewers.as_slice()].concat())
                .await;
            match inspected.contains("\"updating\"") {
                true => Err(inspected),
                false => Ok(()),
            }
        },
    )
    .await;
    let changed = services(engine, "change").await;
    assert_eq!(changed[0], grown[0], "the coordinator was touched");
    assert!(
        changed[1].2 > grown[1].2 && changed[1].1 == grown[1].1,
        "{grown:?} {changed:?}"
    );

    // Fewer agents: the highest slot goes.
    let fewer = team("change", 1, "env: [{name: RUST_LOG, value: debug}]");
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &fewer).await;
    assert_planned(&diff.out, "- service team_change_payments_reviewer_2");
    operator
        .apply(&fewer, &["--wait", "--timeout", "120s"])
        .await
        .ok();
    assert_eq!(services(engine, "change").await, changed[..2]);

    // A label of the object concerns no agent.
    let labelled = fewer.replace("name: payments,", "name: payments, labels: {tier: gold},");
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &labelled).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    operator
        .apply(&labelled, &["--wait", "--timeout", "60s"])
        .await
        .ok();
    assert_eq!(services(engine, "change").await, changed[..2]);
    let diff = operator.whoosh_with(&["diff", "-f", "-"], &labelled).await;
    assert_eq!((diff.code, diff.out.as_str()), (0, ""), "{}", diff.err);
}

#[tokio::test]
async fn a_template_that_changes_is_waited_for_in_all_who_use_it() {
    let template = |level: &str| {
        format!(
            "apiVersion: chorus.services/v1
kind: AgentTemplate
metadata: {{name: small, namespace: template}}
spec:
  image: chorus-agent:test
  resources: {{limits: {{cpu: 500m, memory: 64Mi}}, requests: {{cpu: 5m, memory: 8Mi}}}}
  healthCheck: {{command: []}}
  stopGracePeriod: 3s
  env: [{{name: RUST_LOG, value: {level}}}]
"
        )
    };
    let team = "apiVersion: chorus.services/v1
kind: Team
metadata: {name: payments, namespace: template}
spec: {network: template_net, roles: [{name: reviewer, template: small}]}
";
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let both = format!("{}---\n{team}", template("info"));
    let patiently = ["--wait", "--timeout", "120s"];
    operator.apply(&both, &patiently).await.ok();
    let before = services(engine, "template").await;

    let applied = operator.apply(&template("debug"), &patiently).await.ok();
    assert_eq!(
        applied,
        "agenttemplate/small configured\nteam/payments condition met\n"
    );
    let after = services(engine, "template").await;
    assert!(
        after[0].1 == before[0].1 && after[0].2 > before[0].2,
        "{before:?} {after:?}"
    );
    let env = [
        "service",
        "inspect",
        "--format",
        "{{.Spec.TaskTemplate.ContainerSpec.Env}}",
    ];
    let env = engine.docker(&[env.as_slice(), &[&after[0].0]].concat()).await;
    assert!(env.contains("RUST_LOG=debug"), "{env}");
    let status = &operator.get(&["team", "payments", "-n", "template"]).await["status"];
    assert_eq!(status["updatedReplicas"], 1);
    assert_eq!(status["templates"][0]["observedGeneration"], 2);
}
