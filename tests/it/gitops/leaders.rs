//! What a new leader makes of sources that another one left.

use serde_json::json;

use super::stage::{Stage, team};

#[tokio::test]
async fn a_new_leader_knows_how_everything_is_before_it_tells() {
    let mut stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    stage.source(json!({})).await;
    stage.until_healthy(1).await;
    // What is said of one that rests needs no look at its repository.
    stage.source(json!({"suspend": true})).await;
    stage.until_message("suspended").await;
    let written = async |stage: &Stage| {
        let source = stage.operator.get(&["gitsource/fleet"]).await;
        source["metadata"]["resourceVersion"].clone()
    };
    let before = written(&stage).await;
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
