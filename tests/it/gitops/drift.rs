//! What others change of what a source declares.

use std::time::Duration;

use serde_json::json;

use super::stage::{Stage, team};
use crate::harness::eventually::eventually;

#[tokio::test]
async fn what_somebody_else_changes_is_put_back_and_both_are_named() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    stage.source(json!({})).await;
    stage.until_message("is applied").await;
    // A field that the repository does not set is theirs who set it.
    stage
        .operator
        .whoosh(&["label", "team/a", "owner=ada"])
        .await
        .ok();
    let patch = json!({"spec": {"defaults": {"image": "other:dev"}, "project": "acme/a"}});
    stage
        .operator
        .whoosh(&["patch", "team/a", "--type", "merge", "-p", &patch.to_string()])
        .await
        .ok();
    let team = eventually(Duration::from_secs(30), "the image is put back", async || {
        let team = stage.operator.get(&["team/a"]).await;
        match team["spec"]["defaults"]["image"] == "chorus-agent:dev" {
            true => Ok(team),
            false => Err(team["spec"].to_string()),
        }
    })
    .await;
    assert_eq!(team["spec"]["project"], "acme/a");
    assert_eq!(team["metadata"]["labels"]["owner"], "ada");
    let told = stage.until_told("team/a", "PutBack").await;
    assert!(told.contains("was changed by unix:uid="), "{told}");
    assert!(told.contains("as gitsource/fleet declares it again"), "{told}");

    stage.operator.whoosh(&["delete", "team/a"]).await.ok();
    stage.until_teams(&["a"]).await;
    let told = stage.until_told("team/a", "(delete)").await;
    assert!(
        !told.contains("was changed by system:whoosh:controller"),
        "{told}"
    );
}

#[tokio::test]
async fn what_a_source_takes_over_as_it_is_is_watched_from_the_start() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    stage.source(json!({})).await;
    stage.until_message("is applied").await;
    stage.until_healthy(1).await;
    let orphan = ["delete", "gitsource/fleet", "--cascade=orphan"];
    stage.operator.whoosh(&orphan).await.ok();
    assert_eq!(stage.teams().await, ["a"]);
    stage.source(json!({"wait": true})).await;
    let (code, said) = stage.reconcile(&["--timeout", "30s"]).await;
    assert_eq!(code, 0, "{said}");

    let other = r#"{"spec": {"defaults": {"image": "other:dev"}}}"#;
    let patch = ["patch", "team/a", "--type", "merge", "-p", other];
    stage.operator.whoosh(&patch).await.ok();
    stage.until_told("team/a", "PutBack").await;
}

#[tokio::test]
async fn what_others_change_while_a_source_is_suspended_is_put_back_afterwards_and_told() {
    let stage = Stage::new().await;
    for name in ["a", "b", "c", "d"] {
        let labelled = team(name).replace("metadata:", "metadata:\n  labels: {tier: web}");
        stage.repository.write(&format!("prod/{name}.yaml"), &labelled);
    }
    stage.repository.push("Four teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 4 objects").await;
    let whoosh = |arguments: &'static [&'static str]| stage.operator.whoosh(arguments);
    whoosh(&["suspend", "gitsource/fleet"]).await.ok();
    stage.until_message("suspended by").await;
    let image = r#"{"spec": {"defaults": {"image": "other:dev"}}}"#;
    let patch = ["patch", "team/a", "--type", "merge", "-p", image];
    stage.operator.whoosh(&patch).await.ok();
    let unlabeled = whoosh(&["label", "team/b", "tier-"]).await.ok();
    assert_eq!(unlabeled, "team/b unlabeled\n");
    whoosh(&["delete", "team/c"]).await.ok();
    whoosh(&["label", "team/d", "owner=ada"]).await.ok();
    whoosh(&["resume", "gitsource/fleet"]).await.ok();
    stage.until_message("is applied: 4 objects").await;
    for (name, how) in [("a", "(patch)"), ("b", "(patch)"), ("c", "(delete)")] {
        let told = stage.until_told(&format!("team/{name}"), "PutBack").await;
        assert!(told.contains(how), "{name}: {told}");
    }
    let events = whoosh(&["events"]).await.ok();
    assert!(!events.contains("team/d was changed"), "{events}");
}
