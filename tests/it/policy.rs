//! Powers over a node: given by a Policy, taken with it, and never brought about without one.

use serde_json::Value;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::operator::Operator;
use crate::trouble::until_told;

/// Allows what [`HOST`] asks for.
fn policy(namespace: &str, folder: &str) -> String {
    format!(
        "apiVersion: chorus.services/v1
kind: Policy
metadata: {{name: builders, namespace: {namespace}}}
spec:
  allow:
    hostPaths: [{{path: {folder}}}]
    capabilities: [NET_RAW]
    sysctls: [net.ipv4.ping_group_range]
    hostPorts: [{{from: 18080, to: 18089}}]
"
    )
}

/// The block of an agent that asks for powers over its node.
fn host(folder: &str) -> String {
    format!(
        "mounts: [{{target: /models, type: bind, source: {folder}, readOnly: true}}]
        host: {{capabilities: [NET_RAW], sysctls: [{{name: net.ipv4.ping_group_range, value: 0 10}}], \
         ports: [{{port: 18081, target: 8080}}]}}"
    )
}

async fn inspected(engine: &Engine, service: &str) -> Value {
    let all: Value = serde_json::from_str(&engine.docker(&["service", "inspect", service]).await).unwrap();
    all[0]["Spec"].clone()
}

#[tokio::test]
async fn a_policy_gives_powers_and_takes_them() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let wanted = team("powers", 1, &host(folder));

    let refused = operator.apply(&wanted, &[]).await;
    assert_ne!(refused.code, 0);
    for part in ["18", "mounts", "NET_RAW", "nothing was changed"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(services(engine, "powers").await, []);

    // One file: the team is judged as if the Policy before it were there.
    let both = format!("{}---\n{wanted}", policy("powers", folder));
    let planned = operator.whoosh_with(&["diff", "-f", "-"], &both).await;
    assert_eq!(planned.code, 1, "{}", planned.err);
    operator.apply(&both, &["--wait", "--timeout", "120s"]).await.ok();
    let reviewer = "team_powers_payments_reviewer_1";
    let spec = inspected(engine, reviewer).await;
    let container = &spec["TaskTemplate"]["ContainerSpec"];
    assert_eq!(
        container["CapabilityAdd"],
        serde_json::json!(["CAP_NET_RAW"]),
        "{container}"
    );
    assert_eq!(
        container["Sysctls"]["net.ipv4.ping_group_range"], "0 10",
        "{container}"
    );
    assert_eq!(container["Mounts"][0]["Source"], folder, "{container}");
    let port = &spec["EndpointSpec"]["Ports"][0];
    assert_eq!(
        (&port["PublishedPort"], &port["PublishMode"]),
        (&18081.into(), &"host".into())
    );
    let again = operator.whoosh_with(&["diff", "-f", "-"], &both).await;
    assert_eq!(again.code, 0, "{}", again.out);

    // Without it, what runs is left as it is, and what is gone does not come back.
    operator
        .whoosh(&["delete", "policy", "builders", "-n", "powers"])
        .await
        .ok();
    until_told(
        &operator,
        "powers",
        "PolicyDenied",
        &["reviewer.1", "spec.allow.hostPaths"],
    )
    .await;
    assert_eq!(services(engine, "powers").await.len(), 2);
    engine.docker(&["service", "rm", reviewer]).await;
    engine
        .docker(&["service", "rm", "team_powers_payments_coordinator_1"])
        .await;
    crate::harness::eventually::eventually(
        std::time::Duration::from_secs(30),
        "what is allowed is back",
        async || match services(engine, "powers").await.as_slice() {
            [(name, ..)] if name.contains("coordinator") => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;

    // With it again, it is brought about at once.
    operator.apply(&both, &["--wait", "--timeout", "120s"]).await.ok();
    assert_eq!(services(engine, "powers").await.len(), 2);
}

#[tokio::test]
async fn a_network_of_others_is_joined_where_it_is_allowed() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    engine
        .docker(&[
            "network",
            "create",
            "--driver",
            "overlay",
            "--attachable",
            "foreign_net",
        ])
        .await;
    operator.apply(&team("foreign", 1, ""), &[]).await.ok();
    until_told(
        &operator,
        "foreign",
        "PolicyDenied",
        &["foreign_net", "spec.allow.foreignNetworks"],
    )
    .await;
    assert_eq!(services(engine, "foreign").await, []);

    let policy = "apiVersion: chorus.services/v1
kind: Policy
metadata: {name: net, namespace: foreign}
spec: {allow: {foreignNetworks: [foreign_*]}}
";
    operator.apply(policy, &[]).await.ok();
    let waited = [
        "wait",
        "team/payments",
        "-n",
        "foreign",
        "--for=condition=Ready",
        "--timeout=120s",
    ];
    operator.whoosh(&waited).await.ok();
    operator
        .whoosh(&["delete", "team", "payments", "-n", "foreign"])
        .await
        .ok();
    engine.docker(&["network", "inspect", "foreign_net"]).await;
    engine.docker(&["network", "rm", "foreign_net"]).await;
}

#[tokio::test]
async fn a_quota_holds_for_what_runs() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let quota = |agents: u32| {
        format!(
            "apiVersion: chorus.services/v1
kind: Policy
metadata: {{name: quota, namespace: runs}}
spec: {{limits: {{quota: {{agents: {agents}}}}}}}
"
        )
    };
    let up = team("runs", 2, "");
    operator.apply(&up, &["--wait", "--timeout", "120s"]).await.ok();

    // What is there already stays, and what goes does not come back: there would be three again.
    operator.apply(&quota(2), &[]).await.ok();
    let reviewer = "team_runs_payments_reviewer_1";
    engine.docker(&["service", "rm", reviewer]).await;
    until_told(
        &operator,
        "runs",
        "PolicyDenied",
        &["reviewer.1", "would have 3 agents", "\"quota\" is 2"],
    )
    .await;
    assert_eq!(services(engine, "runs").await.len(), 2);

    operator.apply(&quota(3), &[]).await.ok();
    operator.apply(&up, &["--wait", "--timeout", "120s"]).await.ok();
    assert_eq!(services(engine, "runs").await.len(), 3);
}
