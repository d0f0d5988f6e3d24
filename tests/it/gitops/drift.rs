//! What others change of what a source declares.

use std::time::Duration;

use serde_json::json;

use super::stage::{Stage, team};
use crate::harness::eventually::eventually;

/// Somebody gives the team `a` another image.
async fn other_image(stage: &Stage) {
    let image = r#"{"spec": {"defaults": {"image": "other:dev"}}}"#;
    let patch = ["patch", "team/a", "--type", "merge", "-p", image];
    stage.operator.whoosh(&patch).await.ok();
}

#[tokio::test]
async fn what_somebody_else_changes_is_put_back_and_both_are_named() {
    let stage = Stage::with_teams(&["a"], json!({})).await;
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
    let stage = Stage::with_teams(&["a"], json!({})).await;
    stage.until_healthy(1).await;
    let orphan = ["delete", "gitsource/fleet", "--cascade=orphan"];
    stage.operator.whoosh(&orphan).await.ok();
    assert_eq!(stage.teams().await, ["a"]);
    stage.source(json!({"wait": true})).await;
    let (code, said) = stage.reconcile(&["--timeout", "30s"]).await;
    assert_eq!(code, 0, "{said}");

    other_image(&stage).await;
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
    other_image(&stage).await;
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

async fn change(stage: &Stage) {
    other_image(stage).await;
    stage.operator.whoosh(&["delete", "team/b"]).await.ok();
}

async fn until_back(stage: &Stage) {
    let is_back = async || {
        let teams = stage.teams().await;
        let team = stage.operator.get(&["team/a"]).await;
        let image = &team["spec"]["defaults"]["image"];
        match *image == "chorus-agent:dev" && teams.starts_with(&["a".to_owned(), "b".to_owned()]) {
            true => Ok(()),
            false => Err(format!("{image} {teams:?}")),
        }
    };
    eventually(Duration::from_secs(30), "all is put back", is_back).await;
}

#[tokio::test]
async fn what_others_change_is_put_back_while_the_repository_is_away_or_its_newest_commit_is_held() {
    let mut stage = Stage::with_teams(&["a", "b"], json!({})).await;
    stage.repository.write("prod/c.yaml", "kind: Team\n");
    stage.repository.push("A mistake");
    let (code, _) = stage.reconcile(&[]).await;
    assert_eq!(code, 1);
    let held = stage.status().await;
    change(&stage).await;
    until_back(&stage).await;
    for team in ["team/a", "team/b"] {
        stage.until_told(team, "PutBack").await;
    }
    let status = stage.status().await;
    assert_eq!(status["message"], held["message"], "that is still to be mended");
    let history = stage.operator.whoosh(&["history", "team/a"]).await.ok();
    assert!(history.contains("apply main@"), "{history}");

    let url = stage.repository.url();
    let bare = url.strip_prefix("file://").unwrap();
    std::fs::rename(bare, format!("{bare}.away")).unwrap();
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("stays applied"), "{said}");
    change(&stage).await;
    until_back(&stage).await;

    // Nor does an operator that starts anew need it.
    stage.operator.kill();
    stage.operator.start_again();
    stage.operator.until_ready().await;
    change(&stage).await;
    until_back(&stage).await;
}

#[tokio::test]
async fn who_suspends_what_a_commit_says_of_is_told_who_puts_that_back() {
    let stage = Stage::new().await;
    let awake = team("a").replace("spec:", "spec:\n  suspend: false");
    stage.repository.write("prod/a.yaml", &awake);
    stage.repository.push("A team that works");
    stage.source(json!({})).await;
    stage.until_message("is applied: 1 object").await;
    let suspended = stage.operator.whoosh(&["suspend", "team/a"]).await;
    let told = "gitsource/fleet declares spec.suspend of team/a, and puts it back";
    assert!(
        suspended.code == 0 && suspended.err.contains(told),
        "{suspended:?}"
    );
    stage.until_told("team/a", "PutBack").await;
}

#[tokio::test]
async fn what_others_change_is_put_back_while_the_source_waits_for_another() {
    let stage = Stage::new().await;
    for name in ["a", "b"] {
        stage.repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    stage.repository.write("base/c.yaml", &team("c"));
    stage.repository.push("Three teams");
    let base = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "base"},
                      "spec": {"url": stage.repository.url(), "ref": {"branch": "main"}, "path": "base"}});
    stage.operator.apply(&base.to_string(), &[]).await.ok();
    stage.source(json!({"dependsOn": [{"name": "base"}]})).await;
    stage.until_message("is applied: 2 objects").await;
    stage.operator.whoosh(&["suspend", "gitsource/base"]).await.ok();
    let (code, said) = stage.reconcile(&["--timeout", "0"]).await;
    assert_eq!(code, 1, "{said}");
    let status = stage.until_message("waits for gitsource/base").await;
    change(&stage).await;
    until_back(&stage).await;
    stage.until_told("team/a", "PutBack").await;
    let asked = &stage.status().await["handledRequest"];
    assert_eq!(*asked, status["handledRequest"], "nobody has looked");
}
