//! Plans, agents and logs, in front of a real Swarm.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;
use whoosh::plan;
use whoosh::resource::lower::{self, Endpoints, Templates};
use whoosh::resource::policy::Rules;
use whoosh::resource::{Key, Kind};
use whoosh::swarm::{SecretsDir, Want};

use super::{PATIENCE, Server, TEAMS, TEMPLATES, at, names, template};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::eventually::eventually;
use crate::harness::postgres::database;

const STARTING: Duration = Duration::from_secs(60);

async fn server_on(engine: &Engine) -> Server {
    let docker = format!("unix://{}", engine.socket().display());
    let server = Server::on(&database().await, &docker).await;
    timeout(STARTING, server.cache.ready()).await.unwrap();
    server
}

/// A team of one small agent from the template `small`, on a network of its own.
fn team(name: &str) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": name},
        "spec": {"network": name, "roles": [{"name": "worker", "template": "small"}]},
    })
}

fn small() -> Value {
    let mut small = template("small");
    small["spec"] = json!({
        "image": AGENT_IMAGE,
        "resources": {"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "8Mi"}},
    });
    small
}

/// What a controller would do for a stored team, once.
async fn bring_about(server: &Server, name: &str) {
    let key = Key::new(Kind::Team, "default", name);
    let object = server.store.get(&key).await.unwrap().unwrap();
    let small = Key::new(Kind::AgentTemplate, "default", "small");
    let small = server.store.get(&small).await.unwrap().unwrap();
    let templates = Templates::from_iter(lower::template(&small));
    let workload = lower::lower(&object, &templates, &Endpoints::default(), &Rules::default()).unwrap();
    let observed = server.cache.observe(&Want::of(&workload)).await.unwrap();
    let instance = server.store.instance_id().await.unwrap();
    for action in plan::plan(&workload, &observed, &instance)
        .stages
        .into_iter()
        .flatten()
    {
        let swarm = server.cache.swarm();
        swarm
            .act(&action, &instance, &SecretsDir::default(), &Rules::default())
            .await
            .unwrap();
    }
    server.cache.invalidate(&key);
    server.cache.settling(&key, true);
}

fn changes(proposal: &Value) -> Vec<String> {
    let changes = proposal["preview"]["changes"].as_array().unwrap();
    let text = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    let told = |change: &Value| {
        ["action", "kind", "name"]
            .map(|field| text(change, field))
            .join(" ")
    };
    changes.iter().map(told).collect()
}

#[tokio::test]
async fn plans_agents_and_logs_tell_what_the_swarm_does() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let server = server_on(engine).await;
    let ready = server.get("/readyz?verbose").await;
    assert_eq!(
        ready.text,
        "[+]postgres ok\n[+]docker ok\n[+]observation ok\ncheck passed\n"
    );

    // Before anything is stored, a plan tells what is missing, and then what would be made.
    let plan = format!("{}/plan", at("api-team"));
    let waiting = server.post(&plan, &team("api-team")).await.ok(200);
    assert_eq!(waiting["preview"]["blocked"][0]["reason"], "TemplateNotFound");
    server.post(TEMPLATES, &small()).await.ok(201);
    let proposal = server.post(&plan, &team("api-team")).await.ok(200);
    let service = "team_default_api-team_worker_1";
    assert_eq!(
        changes(&proposal),
        [
            "create network api-team".to_owned(),
            format!("create service {service}")
        ]
    );
    assert_eq!(proposal.get("live"), None);
    assert_eq!(proposal["proposed"]["metadata"]["generation"], 1);
    server.get(&at("api-team")).await.refused(404, "NotFound");

    // What is declared and does not run yet is an agent that is missing.
    server.post(TEAMS, &team("api-team")).await.ok(201);
    let agents = TEAMS.replace("teams", "agents");
    let agent = format!("{agents}/team.api-team.worker.1");
    let missing = server.get(&agent).await.ok(200);
    assert_eq!(missing["status"]["state"], "Missing");
    let silent = server
        .get(&format!("{agent}/log"))
        .await
        .refused(400, "BadRequest");
    assert!(silent.contains("has no service in the Swarm yet"), "{silent}");

    // A watch tells how it comes to run.
    let watch = format!("{agents}?watch=true&labelSelector=chorus.services/name%3Dapi-team");
    let mut watch = server
        .request(Method::GET, &watch)
        .timeout(STARTING)
        .send()
        .await
        .unwrap();
    bring_about(&server, "api-team").await;
    let mut told = String::new();
    while !told.contains("\"state\":\"Ready\"") {
        let chunk = timeout(STARTING, watch.chunk()).await.unwrap().unwrap().unwrap();
        told += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(told.starts_with("{\"type\":\"ADDED\""), "{told}");
    assert!(told.contains("{\"type\":\"MODIFIED\""), "{told}");
    let listed = server.get(&agents).await.ok(200);
    let conditions = &listed["items"][0]["status"]["conditions"];
    assert_eq!(conditions[0]["type"], "Ready", "{listed}");
    let uid = |agent: &Value| agent["metadata"]["uid"].as_str().map(str::to_owned);
    let own = uid(&server.get(&agent).await.ok(200));
    assert!(
        own.is_some() && own == uid(&listed["items"][0]),
        "{own:?}: {listed}"
    );
    assert_eq!(names(&listed), ["team.api-team.worker.1"]);
    let owner = &listed["items"][0]["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["name"]),
        (&json!("Team"), &json!("api-team"))
    );

    // Then there is nothing to plan, and a template's plan names the agents that it would restart.
    let settled = server.get(&plan).await.ok(200);
    assert_eq!(changes(&settled), Vec::<String>::new());
    let mut other = small();
    other["spec"]["env"] = json!([{"name": "RUST_LOG", "value": "debug"}]);
    let restarts = server
        .post(&format!("{TEMPLATES}/small/plan"), &other)
        .await
        .ok(200);
    assert_eq!(changes(&restarts), [format!("replace service {service}")]);
    assert_eq!(restarts["preview"]["interrupted"], 1);
    assert_eq!(restarts["live"]["metadata"]["generation"], 1);

    // The agent's own words.
    let log = format!("{agent}/log?tailLines=1&timestamps=true");
    let line = eventually(PATIENCE, "the agent has logged something", async || {
        let answer = server.get(&log).await;
        if answer.code == 200 && !answer.text.is_empty() {
            Ok(answer.text)
        } else {
            Err(answer.text)
        }
    })
    .await;
    assert_eq!(line.lines().count(), 1, "{line}");
    let follow = format!("{agent}/log?follow=true");
    let mut follow = server.request(Method::GET, &follow).send().await.unwrap();
    assert_eq!(follow.status(), 200);
    assert!(
        timeout(PATIENCE, follow.chunk())
            .await
            .unwrap()
            .unwrap()
            .is_some()
    );

    engine.docker(&["service", "rm", service]).await;
}

#[tokio::test]
async fn what_stands_in_the_way_is_warned_of() {
    let engine = Engine::shared().await;
    let make = [
        "network",
        "create",
        "--driver",
        "overlay",
        "--attachable",
        "--subnet",
        "10.211.0.0/29",
        "tiny",
    ];
    engine.docker(&make).await;
    let server = server_on(engine).await;
    let mut crowd = team("crowd");
    crowd["spec"] = json!({
        "network": "tiny",
        "replicas": 20,
        "roles": [{"name": "worker", "agent": {"image": AGENT_IMAGE, "secrets": [{"name": "token"}]}}],
    });
    let dry = format!("{TEAMS}?dryRun=All");
    let warned = server.post(&dry, &crowd).await;
    assert_eq!(warned.code, 201);
    let [warning] = warned.warnings.as_slice() else {
        panic!("{:?}", warned.warnings)
    };
    assert!(warning.starts_with("299 - \"SecretUnusable: "), "{warning}");
    assert!(warning.contains("token"), "{warning}");

    crowd["spec"]["roles"][0]["agent"] = json!({"image": AGENT_IMAGE});
    let warned = server.post(&dry, &crowd).await;
    let [warning] = warned.warnings.as_slice() else {
        panic!("{:?}", warned.warnings)
    };
    assert!(warning.starts_with("299 - \"NetworkFull: "), "{warning}");
    assert!(warning.contains("tiny"), "{warning}");
    engine.docker(&["network", "rm", "tiny"]).await;
}
