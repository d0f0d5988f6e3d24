//! What a new leader makes of sources that another one left.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{Stage, team};
use crate::harness::eventually::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_new_leader_knows_how_everything_is_before_it_tells() {
    let mut stage = Stage::new().await;
    // Many that rest come first in a list, and take their time to be listed.
    let prompt = format!(
        "suspend: true\n  defaults:\n    systemPrompt: {}\n",
        "x".repeat(5000)
    );
    let resting = |number| team(&format!("a-{number:03}")).replace("defaults:\n", &prompt);
    let many: Vec<String> = (0..180).map(resting).collect();
    stage.repository.write("prod/many.yaml", &many.join("---\n"));
    stage.repository.write("prod/z.yaml", &team("z"));
    stage.repository.push("Many teams");
    stage.source(json!({})).await;
    stage.until_healthy(1).await;
    let is_seen = |team: &Value| team["status"]["observedGeneration"] == team["metadata"]["generation"];
    eventually(PATIENCE, "all teams are looked at", async || {
        let teams = stage.operator.get(&["teams"]).await;
        let open = teams["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|team| !is_seen(team))
            .count();
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;
    // What is said of one that rests needs no look at its repository.
    stage.source(json!({"suspend": true})).await;
    stage.until_message("suspended").await;
    let written = async |stage: &Stage| {
        let source = stage.operator.get(&["gitsource/fleet"]).await;
        source["metadata"]["resourceVersion"].clone()
    };
    // What is told of them is told at most once a second: until it was, it is not all told.
    let before = eventually(PATIENCE, "all is told", async || {
        let status = stage.status().await;
        let resting = |one: &Value| one["state"] == "Suspended";
        match status["health"]["notReady"]
            .as_array()
            .unwrap()
            .iter()
            .all(resting)
        {
            true => Ok(written(&stage).await),
            false => Err(status.to_string()),
        }
    })
    .await;
    stage.operator.kill();
    stage.operator.start_again();
    stage.operator.until_ready().await;

    // One that comes later is worked on later.
    let later = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "later"},
                       "spec": {"url": stage.repository.url(), "path": "prod", "suspend": true}});
    stage.operator.apply(&later.to_string(), &[]).await.ok();
    let wait = [
        "wait",
        "gitsource/later",
        "--for=condition=Suspended",
        "--timeout=30s",
    ];
    stage.operator.whoosh(&wait).await.ok();
    assert_eq!(written(&stage).await, before);
}
