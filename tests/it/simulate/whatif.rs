//! `whoosh simulate`: what it foretells, and what then comes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::converge;
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::home::Home;
use crate::harness::operator::{Operator, Printed};

const PATIENCE: Duration = Duration::from_secs(60);

/// A team whose agents fill two thirds of three simulated nodes' processors, two agents a node.
fn large(reviewers: u32) -> String {
    format!(
        "apiVersion: chorus.services/v1
kind: Team
metadata: {{name: large}}
spec:
  defaults:
    image: chorus-agent:dev
    resources: {{limits: {{cpu: 24, memory: 1Gi}}, requests: {{cpu: 24, memory: 1Gi}}}}
  roles:
    - {{name: coordinator}}
    - {{name: reviewer, replicas: {reviewers}}}
"
    )
}

async fn up(machine: &Home, nodes: &str) {
    let up = ["up", "--simulate", "--nodes", nodes, "--timeout=120s"];
    machine.whoosh(&up, "").await.ok();
    machine.entrust(&["postgres", "nats", "swarm", "operator"]);
}

async fn apply(machine: &Home, files: &str) {
    let apply = ["apply", "-f", "-", "--wait", "--timeout=120s"];
    machine.whoosh(&apply, files).await.ok();
}

/// What is foretold, for machines.
fn outlook(printed: &Printed) -> Value {
    assert_eq!(printed.code, 1, "{printed:?}");
    serde_json::from_str(&printed.out).unwrap()
}

fn texts<'a>(all: &'a Value, field: &str) -> Vec<&'a str> {
    all.as_array()
        .unwrap()
        .iter()
        .map(|one| one[field].as_str().unwrap())
        .collect()
}

/// The agents with their node, or with the engine's words when they have none.
async fn agents(machine: &Home) -> BTreeMap<String, String> {
    let listed = machine.whoosh(&["get", "agents", "-o", "json"], "").await.ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let agents = listed["items"].as_array().unwrap().iter().map(|agent| {
        let (name, status) = (agent["metadata"]["name"].as_str().unwrap(), &agent["status"]);
        let place = status["node"].as_str().filter(|_| status["state"] == "Ready");
        let place = place.or(status["error"].as_str()).unwrap_or_default();
        (name.to_owned(), place.to_owned())
    });
    agents.collect()
}

/// Drains a node of the simulated Swarm.
async fn drain(machine: &Home, node: &str) {
    let client = crate::harness::http();
    let client = client
        .unix_socket(machine.home.join("run/swarm.sock"))
        .build()
        .unwrap();
    let found = client
        .get(format!("http://docker/nodes/{node}"))
        .send()
        .await
        .unwrap();
    let found: Value = serde_json::from_slice(&found.bytes().await.unwrap()).unwrap();
    let mut spec = found["Spec"].clone();
    spec["Availability"] = json!("drain");
    let version = &found["Version"]["Index"];
    let update = client.post(format!("http://docker/nodes/{node}/update?version={version}"));
    let updated = update.body(spec.to_string()).send().await.unwrap();
    assert!(updated.status().is_success());
}

#[tokio::test]
async fn what_is_foretold_of_a_drained_node_comes() {
    let machine = Home::new();
    up(&machine, "3").await;
    apply(&machine, &large(5)).await;
    let before = agents(&machine).await;
    let leaving: Vec<&str> = before
        .iter()
        .filter(|(_, node)| *node == "simulated-2")
        .map(|(agent, _)| agent.as_str())
        .collect();
    assert_eq!(leaving.len(), 2, "{before:?}");

    let simulate = ["simulate", "--drain-node", "simulated-2", "-o", "json"];
    let spared = [&simulate[..], &["--add-node", "spare:cpus=64,memory=8Gi"]].concat();
    let spared = outlook(&machine.whoosh(&spared, "").await);
    assert_eq!(texts(&spared["moves"], "agent"), leaving);
    assert_eq!(texts(&spared["moves"], "to"), ["spare", "spare"]);
    assert_eq!(
        (&spared["stranded"], &spared["objects"]),
        (&json!([]), &json!([]))
    );

    let foretold = outlook(&machine.whoosh(&simulate, "").await);
    assert_eq!(texts(&foretold["stranded"], "agent"), leaving);
    assert_eq!(texts(&foretold["objects"], "object"), ["team/large"]);
    assert_eq!(texts(&foretold["objects"], "before"), ["6/6 Ready"]);
    assert_eq!(agents(&machine).await, before, "nothing has happened yet");

    drain(&machine, "simulated-2").await;
    let reasons = texts(&foretold["stranded"], "reason");
    eventually(PATIENCE, "what was foretold", async || {
        let now = agents(&machine).await;
        let is_so = leaving
            .iter()
            .zip(&reasons)
            .all(|(agent, reason)| now[*agent] == *reason);
        if is_so {
            Ok(())
        } else {
            Err(format!("{now:?} {reasons:?}"))
        }
    })
    .await;
    let team = machine.whoosh(&["get", "team", "large"], "").await.ok();
    let told = texts(&foretold["objects"], "after")[0].split_once(' ').unwrap();
    assert!(team.contains(told.0), "{team} {told:?}");
}

#[tokio::test]
async fn a_change_is_placed_on_paper_and_left_there() {
    let machine = Home::new();
    up(&machine, "3").await;
    let printed = machine.whoosh(&["simulate", "-f", "-"], &large(5)).await;
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.out.contains("6/6 Ready"), "{}", printed.out);
    assert!(
        printed.out.contains("Simulated: 6 agents are started"),
        "{}",
        printed.out
    );
    let nothing = machine.whoosh(&["get", "teams,agents"], "").await;
    assert_eq!(nothing.out, "", "{nothing:?}");

    apply(&machine, &large(1)).await;
    let larger = machine
        .whoosh(&["simulate", "-f", "-", "-o", "json"], &large(9))
        .await;
    let larger = outlook(&larger);
    assert_eq!(larger["moves"].as_array().unwrap().len(), 4);
    let reasons = texts(&larger["stranded"], "reason");
    assert_eq!(
        reasons,
        ["no suitable node (insufficient resources on 3 nodes)"; 4]
    );
    assert_eq!(larger["objects"][0]["before"], "2/2 Ready");
    let smaller = large(1).replace("{name: coordinator}", "{name: coordinator, replicas: 0}");
    let smaller = machine.whoosh(&["simulate", "-f", "-"], &smaller).await;
    assert!(smaller.out.contains("1 agent is removed"), "{smaller:?}");
    let template =
        "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: {name: base}\nspec: {model: ";
    let user = large(1).replace("replicas: 1}", "replicas: 1, template: base}");
    apply(&machine, &format!("{template} a}}\n---\n{user}")).await;
    let changed = format!("{template} b}}\n");
    let changed = machine
        .whoosh(&["simulate", "-f", "-", "-o", "json"], &changed)
        .await;
    let changed = outlook(&changed);
    assert_eq!(texts(&changed["moves"], "agent"), ["team.large.reviewer.1"]);
    assert_eq!(changed["objects"], json!([]), "the team is ready again");
    apply(&machine, &large(1)).await;
    let same = machine
        .whoosh(&["simulate", "-f", "-", "--add-node", "spare"], &large(1))
        .await;
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "Simulated: no agent moves.\n")
    );
}

#[tokio::test]
async fn managers_that_lose_their_quorum_replace_nothing() {
    let machine = Home::new();
    up(&machine, "4").await;
    apply(&machine, &large(3)).await;
    let one = machine
        .whoosh(&["simulate", "--fail-node", "simulated-1"], "")
        .await;
    assert_eq!(one.code, 1, "{one:?}");
    assert!(
        one.out.contains("2 of 3 managers answer, and 0 more may fail.\n"),
        "{}",
        one.out
    );
    assert!(one.out.contains("1 agent is started"), "{}", one.out);
    let early = ["simulate", "--fail-node", "simulated-1", "--for", "1s"];
    let early = machine.whoosh(&early, "").await;
    assert!(
        early
            .out
            .contains("still elect a leader when the simulation ends"),
        "{early:?}"
    );
    let two = [
        "simulate",
        "--fail-node",
        "simulated-1",
        "--fail-node",
        "simulated-3",
    ];
    let two = machine.whoosh(&two, "").await;
    assert_eq!(two.code, 1, "{two:?}");
    for told in [
        "The managers lose their quorum: 1 of 3 answer.",
        "never: nothing is replaced while the managers have no leader",
        "4/4 Ready   4/4 Unknown   the agents cannot be looked at: the Swarm has no leader",
        "Simulated: 2 agents are left without a container.\n",
    ] {
        assert!(two.out.contains(told), "{told}: {}", two.out);
    }
    let all = [
        "simulate",
        "--fail-node",
        "simulated-1",
        "--fail-node",
        "simulated-2",
        "-f",
        "-",
        "-o",
        "json",
    ];
    let all = outlook(&machine.whoosh(&all, &large(5)).await);
    let reasons = texts(&all["stranded"], "reason");
    let new = reasons
        .iter()
        .filter(|reason| reason.starts_with("nothing is started"));
    assert_eq!(new.count(), 2, "{all}");
}

#[tokio::test]
async fn what_has_no_room_today_is_no_news_of_tomorrow() {
    let machine = Home::new();
    up(&machine, "2").await;
    let huge = large(1).replace("memory: 1Gi", "memory: 900Gi");
    machine.whoosh(&["apply", "-f", "-"], &huge).await.ok();
    eventually(PATIENCE, "the team is stalled", async || {
        let team = machine.whoosh(&["get", "team", "large"], "").await.ok();
        if team.contains("Stalled") {
            Ok(())
        } else {
            Err(team)
        }
    })
    .await;
    for scenario in [["--add-node", "tiny:cpus=1"], ["--fail-node", "simulated-2"]] {
        let foretold = machine.whoosh(&[&["simulate"], &scenario[..]].concat(), "").await;
        assert_eq!(
            (foretold.code, foretold.out.as_str()),
            (0, "Simulated: no agent moves.\n"),
            "{foretold:?}"
        );
    }
    let early = ["simulate", "--fail-node", "simulated-2", "--for", "1s"];
    let early = machine.whoosh(&early, "").await;
    let told = "That simulated-2 is silent is not noticed when the simulation ends: it takes the managers about 15.0s; \
                watch for longer with --for.\nSimulated: no agent moves.\n";
    assert_eq!((early.code, early.out.as_str()), (0, told), "{early:?}");
}

#[tokio::test]
async fn a_scenario_that_cannot_be_is_explained() {
    let machine = Home::new();
    let unasked = machine.whoosh(&["simulate", "--fail-node", "a"], "").await;
    assert_eq!(unasked.code, 2, "1 would say that something moves: {unasked:?}");
    up(&machine, "2").await;
    for (arguments, told) in [
        (
            &["--drain-node", "simulatd-2"][..],
            "there is no node \"simulatd-2\" (did you mean \"simulated-2\"?); the nodes are simulated-1, simulated-2",
        ),
        (
            &["--add-node", "simulated-1"],
            "there is a node \"simulated-1\" already",
        ),
        (&[], "name it with --fail-node, --drain-node, --add-node or -f"),
        (&["--add-node", "x:cpu=4"], "\"cpu=4\" is not cpus="),
        (&["--add-node", "x:cpus=1,cpus=2"], "cpus is there twice"),
        (&["--add-node", "x:cpus=0"], "a node needs cpus of more than 0"),
    ] {
        let printed = machine.whoosh(&[&["simulate"], arguments].concat(), "").await;
        assert_eq!((printed.code, printed.out.as_str()), (2, ""), "{printed:?}");
        assert!(printed.err.contains(told), "{printed:?}");
    }
}

#[tokio::test]
async fn a_real_swarm_is_copied() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let operator = Operator::start(engine).await;
    let files = converge::team("whatif", 1, "");
    operator
        .whoosh_with(&["apply", "-f", "-", "--wait", "--timeout=120s"], &files)
        .await
        .ok();
    let before = converge::services(engine, "whatif").await;
    let node = engine.docker(&["node", "ls", "--format", "{{.Hostname}}"]).await;
    let drained = ["simulate", "--drain-node", node.trim(), "-o", "json"];
    let stranded = outlook(&operator.whoosh(&drained).await);
    assert_eq!(
        texts(&stranded["stranded"], "reason"),
        ["no suitable node (1 node not available for new tasks)"; 2]
    );
    let spared = [&drained[..], &["--add-node", "spare"]].concat();
    let spared = outlook(&operator.whoosh(&spared).await);
    assert_eq!(texts(&spared["moves"], "to"), ["spare", "spare"]);
    assert_eq!(
        spared["managers"],
        json!({"reachable": 1, "total": 1, "hasLeader": true})
    );
    assert_eq!(converge::services(engine, "whatif").await, before);
    operator
        .whoosh(&["delete", "team", "payments", "-n", "whatif"])
        .await
        .ok();
}
