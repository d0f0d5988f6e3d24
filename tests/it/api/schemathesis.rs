//! schemathesis, which reads the OpenAPI documents and asks for everything that they describe, well and badly formed:
//! each answer is one that they tell of.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;
use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType};

use super::network::{Door, token};
use super::{Server, TEAMS, TEMPLATES, at, team, template};
use crate::harness::docker::Engine;
use crate::harness::operator::printed;
use crate::harness::postgres::database;

const STARTING: Duration = Duration::from_secs(60);

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Something of every kind, under the names that `schemathesis.toml` knows.
async fn furnish(server: &Server) {
    server.post(TEMPLATES, &template("reviewer")).await.ok(201);
    let mut payments = team("payments");
    payments["metadata"]["labels"] = json!({"tier": "web"});
    payments["spec"]["roles"][0]["template"] = json!("reviewer");
    server.post(TEAMS, &payments).await.ok(201);
    let status = json!({"status": {"state": "Ready", "replicas": 1, "readyReplicas": 1, "summary": "1/1"}});
    server
        .patch(&format!("{}/status", at("payments")), &status)
        .await
        .ok(200);
    let council = json!({
        "apiVersion": "chorus.services/v1", "kind": "Council", "metadata": {"name": "kickoff"},
        "spec": {"defaults": {"image": "chorus-agent:dev"}, "optionalRoles": ["security-lead"]},
    });
    server
        .post(&TEAMS.replace("teams", "councils"), &council)
        .await
        .ok(201);
    let key = Key::new(Kind::Team, "default", "payments");
    let event = EventRecord {
        uid: server.store.get(&key).await.unwrap().unwrap().uid().to_owned(),
        regarding: key,
        type_: EventType::Warning,
        reason: "NodeLost".to_owned(),
        message: "a node is gone".to_owned(),
    };
    server.store.record_event(event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_is_documented() {
    let engine = Engine::shared().await;
    let docker = format!("unix://{}", engine.socket().display());
    let server = Server::on(&database().await, &docker).await;
    timeout(STARTING, server.cache.ready()).await.unwrap();
    furnish(&server).await;
    let door = Door::of(&server).await;
    let token = token(
        &server,
        &json!({"name": "ada", "role": "admin", "namespaces": null}),
    )
    .await;
    let home = tempfile::tempdir().unwrap();
    let authority = home.path().join("ca.pem");
    std::fs::write(&authority, &door.certificate).unwrap();
    let origin = format!("https://localhost:{}", door.address.port());

    let index = server.get("/openapi/v3").await.ok(200);
    let mut undocumented = String::new();
    for group in index["paths"].as_object().unwrap().keys() {
        let document = format!("/openapi/v3/{group}");
        let walk = Command::new(here("target/schemathesis/bin/st"))
            .arg("--config-file")
            .arg(here("tests/it/api/schemathesis.toml"))
            .args(["run", "--no-color", "--url", &origin, "--tls-verify"])
            .arg(&authority)
            .arg(format!("{origin}{document}"))
            .env("WHOOSH_TOKEN", &token)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("schemathesis is missing: scripts/setup tests installs it");
        let walked = printed(walk).await;
        let paths = server.get(&document).await.ok(200)["paths"].clone();
        let items = paths.as_object().unwrap().values();
        let operations: usize = items.map(|item| item.as_object().unwrap().len()).sum();
        let is_whole = walked.out.contains(&format!("Tested: {operations}\n"));
        if walked.code != 0 || !is_whole {
            undocumented += &format!(
                "{group}, {operations} operations:\n{}{}\n",
                walked.out, walked.err
            );
        }
    }
    assert!(undocumented.is_empty(), "{undocumented}");
}
