//! What is too much is refused at the door or explained, and never half done.

use std::fs;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use whoosh::sim::{Settings, Simulation};

use crate::converge::{services, team};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::eventually::eventually;
use crate::harness::http;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;
use crate::trouble::until_told;

const PATIENCE: Duration = Duration::from_secs(300);
const WAIT: [&str; 3] = ["--wait", "--timeout", "120s"];

async fn operator() -> (&'static Engine, Operator) {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    (engine, Operator::start(engine).await)
}

/// Makes a network that WHOOSH did not make, with this subnet, and lets the namespace's agents join it.
async fn make_network(engine: &Engine, operator: &Operator, namespace: &str, subnet: &str) {
    let name = format!("{namespace}_net");
    let make = [
        "network",
        "create",
        "--driver",
        "overlay",
        "--attachable",
        "--subnet",
        subnet,
        &name,
    ];
    engine.docker(&make).await;
    let policy = format!(
        "apiVersion: chorus.services/v1
kind: Policy
metadata: {{name: networks, namespace: {namespace}}}
spec: {{allow: {{foreignNetworks: [{name}]}}}}
"
    );
    operator.apply(&policy, &[]).await.ok();
}

/// The names of a namespace's services.
async fn names(engine: &Engine, namespace: &str) -> Vec<String> {
    let live = services(engine, namespace).await;
    live.into_iter().map(|(name, _, _)| name).collect()
}

#[tokio::test]
async fn a_network_takes_a_fleet_whole_or_not_at_all() {
    let (engine, operator) = operator().await;
    // Of 16 addresses, 13 are for containers, and the node takes one.
    make_network(engine, &operator, "narrow", "10.212.0.0/28").await;
    let told = [
        "network narrow_net has 12 addresses left and 13 agents need one",
        "none of them is started",
    ];
    let applied = operator.apply(&team("narrow", 12, ""), &[]).await;
    assert!(applied.err.contains(told[0]), "{applied:?}");
    until_told(&operator, "narrow", "NetworkFull", &told).await;
    assert_eq!(names(engine, "narrow").await, [""; 0]);

    operator.apply(&team("narrow", 1, ""), &WAIT).await.ok();
    operator.apply(&team("narrow", 12, ""), &[]).await.ok();
    let told = "network narrow_net has 10 addresses left and 11 agents need one";
    until_told(&operator, "narrow", "NetworkFull", &[told]).await;
    assert_eq!(names(engine, "narrow").await.len(), 2);

    // What others have counts by their tasks, and one for the service's own address.
    let theirs = "service create --detach --name narrow_theirs --network narrow_net --replicas 9 \
                  --constraint node.labels.none==such";
    let theirs: Vec<&str> = theirs.split_whitespace().chain([AGENT_IMAGE]).collect();
    engine.docker(&theirs).await;
    operator.apply(&team("narrow", 3, ""), &[]).await.ok();
    let told = "network narrow_net has 0 addresses left and 2 agents need one";
    until_told(&operator, "narrow", "NetworkFull", &[told]).await;
    engine.docker(&["service", "rm", "narrow_theirs"]).await;

    operator
        .whoosh(&["delete", "team/payments", "-n", "narrow"])
        .await
        .ok();
    engine.docker(&["network", "rm", "narrow_net"]).await;
}

#[tokio::test]
async fn an_agent_whose_address_others_took_is_told_of_the_full_network() {
    let (engine, operator) = operator().await;
    // Of 16 addresses, 13 are for containers: the node takes one, and the agents two.
    make_network(engine, &operator, "crammed", "10.213.0.0/28").await;
    operator.apply(&team("crammed", 1, ""), &WAIT).await.ok();
    let suspended = team("crammed", 1, "").replace("spec:\n", "spec:\n  suspend: true\n");
    operator.apply(&suspended, &[]).await.ok();
    until_told(&operator, "crammed", "Suspended", &[]).await;

    // While nobody looks after it, an agent goes, and others come for more than what is left.
    let away = "service scale --detach team_crammed_payments_reviewer_1=0";
    let away: Vec<&str> = away.split(' ').collect();
    engine.docker(&away).await;
    let states = async |service: &str| {
        let tasks = ["service", "ps", "--format", "{{.CurrentState}}", service];
        engine.docker(&tasks).await
    };
    eventually(PATIENCE, "the agent is gone", async || {
        let left = states("team_crammed_payments_reviewer_1").await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    let theirs = "service create --detach --name crammed_theirs --network crammed_net --endpoint-mode dnsrr \
                  --replicas 20 --constraint node.labels.none==such";
    let theirs: Vec<&str> = theirs.split_whitespace().chain([AGENT_IMAGE]).collect();
    engine.docker(&theirs).await;
    eventually(PATIENCE, "others have all addresses", async || {
        let theirs = states("crammed_theirs").await;
        match theirs.matches("Pending").count() {
            11 => Ok(()),
            _ => Err(theirs),
        }
    })
    .await;

    operator.apply(&team("crammed", 1, ""), &[]).await.ok();
    let told = [
        "reviewer.1: waits for an address, and network crammed_net has none left (it has 13 in all",
        "remove other services from it, or put some agents on another network",
    ];
    until_told(&operator, "crammed", "NetworkFull", &told).await;

    engine.docker(&["service", "rm", "crammed_theirs"]).await;
    let wait = "wait team/payments -n crammed --for=condition=Ready --timeout=120s";
    let wait: Vec<&str> = wait.split(' ').collect();
    eventually(PATIENCE, "the agent has an address", async || {
        // It fails fast while the old reason still stands.
        let waited = operator.whoosh(&wait).await;
        if waited.code == 0 { Ok(()) } else { Err(waited.err) }
    })
    .await;
    operator
        .whoosh(&["delete", "team/payments", "-n", "crammed"])
        .await
        .ok();
    engine.docker(&["network", "rm", "crammed_net"]).await;
}

/// A team as the API takes it, whose agents have seven variables of this letter.
fn large(letter: &str, kib: usize) -> Value {
    let variable = |number| json!({"name": format!("V{number}"), "value": letter.repeat(kib << 10)});
    let env: Vec<Value> = (0..7).map(variable).collect();
    let agent = json!({"image": AGENT_IMAGE, "healthCheck": {"command": []}, "env": env});
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": "payments"},
        "spec": {"network": "large_net", "roles": [{"name": "worker", "agent": agent}]},
    })
}

#[tokio::test]
async fn the_largest_agent_runs_and_changes_and_a_larger_one_is_refused() {
    let (engine, operator) = operator().await;
    // `apply` keeps what was applied in an annotation, which is a smaller limit.
    let client = http().unix_socket(operator.socket()).build().unwrap();
    let teams = "http://whoosh/apis/chorus.services/v1/namespaces/large/teams";
    let one = &format!("{teams}/payments");
    let send = async |request: RequestBuilder, team: Value| {
        let answer = request.json(&team).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let wait = "wait team/payments -n large --for=condition=Ready --timeout=120s";
    let wait: Vec<&str> = wait.split(' ').collect();
    assert_eq!(send(client.post(teams), large("a", 99)).await.0, 201);
    operator.whoosh(&wait).await.ok();
    let changed = async |letter, kib| {
        let stored = operator.get(&["team", "payments", "-n", "large"]).await;
        let mut team = large(letter, kib);
        team["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        team
    };
    // Status is written beside it.
    eventually(PATIENCE, "a change that is stored", async || {
        match send(client.put(one), changed("b", 99).await).await {
            (200, _) => Ok(()),
            (code, text) => Err(format!("{code}: {text}")),
        }
    })
    .await;
    operator.whoosh(&wait).await.ok();
    let before = services(engine, "large").await;

    let (status, text) = send(client.put(one), large("c", 101)).await;
    assert_eq!(status, 422, "{text}");
    assert!(
        text.contains("makes an agent with 708 KiB of text") && text.contains("the Swarm takes 700 KiB"),
        "{text}"
    );
    let stored = operator.get(&["team", "payments", "-n", "large"]).await;
    assert!(stored["spec"].to_string().contains("bbb"), "{stored}");
    assert_eq!(services(engine, "large").await, before);
}

#[tokio::test]
async fn the_largest_config_reaches_an_agent_and_a_larger_one_is_refused() {
    let (engine, operator) = operator().await;
    let client = http().unix_socket(operator.socket()).build().unwrap();
    let teams = "http://whoosh/apis/chorus.services/v1/namespaces/bigconfig/teams";
    let send = async |bytes: usize| {
        let mut team = large("a", 0);
        team["spec"]["network"] = json!("bigconfig_net");
        team["spec"]["roles"][0]["agent"]["configs"] =
            json!([{"name": "prompt", "path": "/prompt", "data": "x".repeat(bytes)}]);
        let answer = client.post(teams).json(&team).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = send(1000 << 10).await;
    assert_eq!(status, 422, "{text}");
    let told = "spec.roles[0].agent.configs[0].data: must be less than 1,000 KiB, got 1000 KiB";
    assert!(text.contains(told), "{text}");
    assert!(!text.contains("xxx"), "{text}");
    assert_eq!(names(engine, "bigconfig").await, [""; 0]);

    assert_eq!(send((1000 << 10) - 1).await.0, 201);
    let wait = "wait team/payments -n bigconfig --for=condition=Ready --timeout=120s";
    let wait: Vec<&str> = wait.split(' ').collect();
    operator.whoosh(&wait).await.ok();
}

#[tokio::test]
async fn a_secret_that_is_too_large_is_told_by_its_size() {
    let (engine, operator) = operator().await;
    let folder = operator.secrets().join("huge");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("token"), vec![b'x'; 500 << 10]).unwrap();
    let yaml = team("huge", 1, "secrets: [{name: token}]");
    let size = "secret \"token\" holds 512000 bytes; Swarm takes 1 to 511999";
    for more in [&["--dry-run=server"][..], &[]] {
        let applied = operator.apply(&yaml, more).await;
        assert!(
            applied.err.contains(&format!("SecretUnusable: {size}")),
            "{applied:?}"
        );
        applied.ok();
    }
    until_told(&operator, "huge", "SecretUnusable", &[size]).await;
    assert_eq!(names(engine, "huge").await, ["team_huge_payments_coordinator_1"]);

    fs::write(folder.join("token"), vec![b'x'; (500 << 10) - 1]).unwrap();
    operator.apply(&yaml, &WAIT).await.ok();
}

#[tokio::test]
async fn a_node_without_room_is_told_with_what_is_lacking() {
    let (_engine, operator) = operator().await;
    let more = "resources: {limits: {cpu: \"900\"}, requests: {cpu: \"900\"}}";
    operator.apply(&team("noroom", 1, more), &[]).await.ok();
    let told = ["reviewer", "insufficient resources on 1 node"];
    until_told(&operator, "noroom", "NothingFits", &told).await;
}

#[tokio::test]
async fn ten_thousand_agents_come_and_go_and_one_more_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let _simulation = Simulation::start(&socket, Settings::default().with_nodes(50)).unwrap();
    let operator = Operator::start_on(&socket, &database().await, &[("WHOOSH_LOG", "info".to_owned())]).await;
    let fleet = |replicas: u32| {
        format!(
            "apiVersion: chorus.services/v1
kind: Team
metadata: {{name: fleet}}
spec:
  defaults: {{image: agent:1, resources: {{requests: {{cpu: 1m, memory: 8Mi}}}}}}
  roles: [{{name: worker, replicas: {replicas}}}]
"
        )
    };
    let refused = operator.apply(&fleet(10_001), &[]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused
            .err
            .contains("spec.roles[0].replicas: must be between 0 and 10000"),
        "{refused:?}"
    );
    operator.apply(&fleet(10_000), &[]).await.ok();
    ready(&operator, 10_000).await;
    operator.apply(&fleet(1), &[]).await.ok();
    ready(&operator, 1).await;
}

async fn ready(operator: &Operator, agents: u32) {
    eventually(PATIENCE, &format!("{agents} agents are ready"), async || {
        let team: Value = operator.get(&["team", "fleet"]).await;
        let status = &team["status"];
        let observed = status["observedGeneration"] == team["metadata"]["generation"];
        if observed && status["readyReplicas"] == agents && status["replicas"] == agents {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })
    .await;
}
