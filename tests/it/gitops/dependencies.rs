//! Sources that wait for others.

use serde_json::{Value, json};

use super::stage::{Stage, team};

/// Declares the source `base`, of the folder of that name.
async fn base(stage: &Stage, more: Value) {
    let mut spec = json!({"url": stage.repository.url(), "ref": {"branch": "main"}, "path": "base",
                          "interval": "1h", "retryInterval": "1h"});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let source = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource",
                        "metadata": {"name": "base"}, "spec": spec});
    stage.operator.apply(&source.to_string(), &[]).await.ok();
}

/// The conditions of a status that hold, and the reasons.
fn holding(status: &Value) -> Vec<String> {
    let conditions = status["conditions"].as_array().unwrap().iter();
    let holding = conditions.filter(|condition| condition["status"] == "True");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    holding
        .map(|condition| format!("{} {}", text(&condition["type"]), text(&condition["reason"])))
        .collect()
}

#[tokio::test]
async fn a_source_waits_for_others_and_goes_on_as_soon_as_they_are_ready() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("base/b.yaml", &team("b").replace("roles", "rolls"));
    repository.push("Two folders, one with a mistake");
    stage.source(json!({"dependsOn": [{"name": "base"}]})).await;
    let status = stage
        .until_message("waits for gitsource/base (is not there)")
        .await;
    assert_eq!(holding(&status), ["Reconciling DependencyNotReady"]);

    base(&stage, json!({})).await;
    stage
        .until_message("waits for gitsource/base (is not ready: RevisionRefused)")
        .await;
    assert!(stage.teams().await.is_empty());
    let (code, said) = stage.reconcile(&["--timeout", "1s"]).await;
    let waits =
        "timed out waiting until gitsource/fleet is looked at: it waits for gitsource/base (is not ready";
    assert!(code == 1 && said.contains(waits), "{said}");

    // Nobody asks for the one that waits, and it would not look by itself for an hour.
    repository.write("base/b.yaml", &team("b"));
    repository.push("Mended");
    let reconcile = ["reconcile", "gitsource/base", "--wait"];
    stage.operator.whoosh(&reconcile).await.ok();
    let status = stage.until_message("is applied: 1 object").await;
    assert_eq!(holding(&status), ["Ready RevisionApplied"]);
    stage.until_teams(&["a", "b"]).await;

    // One that is told something else is not ready before that is applied.
    base(&stage, json!({"path": "none"})).await;
    repository.write("prod/c.yaml", &team("c"));
    repository.push("A third");
    let refused = stage.operator.whoosh(&reconcile).await;
    assert_eq!(refused.code, 1, "{}", refused.out);
    let (code, said) = stage.reconcile(&["--timeout", "1s"]).await;
    assert!(
        code == 1 && said.contains("it waits for gitsource/base"),
        "{said}"
    );
    assert_eq!(stage.teams().await, ["a", "b"]);
    base(&stage, json!({})).await;
    // The look that was asked for is still to be taken, and is waited for.
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");
}

#[tokio::test]
async fn whoever_is_asked_to_look_has_those_look_that_it_waits_for() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("base/b.yaml", &team("b").replace("roles", "rolls"));
    repository.push("A mistake below another");
    base(&stage, json!({})).await;
    stage.source(json!({"dependsOn": [{"name": "base"}]})).await;
    stage.until_message("is not ready: RevisionRefused").await;
    repository.write("base/b.yaml", &team("b"));
    repository.push("Mended");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 1 object"), "{said}");
}

#[tokio::test]
async fn sources_that_wait_for_each_other_say_so() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.write("base/b.yaml", &team("b"));
    stage.repository.push("Two folders");
    base(
        &stage,
        json!({"dependsOn": [{"name": "fleet", "namespace": "default"}]}),
    )
    .await;
    stage.source(json!({"dependsOn": [{"name": "base"}]})).await;
    let status = stage
        .until_message("waits for itself: fleet -> base -> fleet")
        .await;
    assert_eq!(holding(&status), ["Stalled DependencyLoop"]);
    let wait = ["wait", "gitsource/base", "--for=condition=Ready", "--timeout=30s"];
    let told = stage.operator.whoosh(&wait).await;
    assert_eq!(told.code, 1, "{}", told.out);
    assert!(told.err.contains("base -> fleet -> base"), "{}", told.err);
    assert!(stage.teams().await.is_empty());

    base(&stage, json!({})).await;
    stage.until_message("is applied: 1 object").await;
    stage.until_teams(&["a", "b"]).await;
}

#[tokio::test]
async fn a_commit_goes_from_one_source_to_the_next() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("base/b.yaml", &team("b"));
    repository.push("Two folders");
    base(&stage, json!({})).await;
    stage.source(json!({"dependsOn": [{"name": "base"}]})).await;
    stage.until_message("is applied: 1 object").await;

    // The one that is ready has not seen it yet, and would not look for an hour.
    repository.write("prod/c.yaml", &team("c"));
    let second = repository.push("A second commit");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");
    let last = |status: &Value| {
        let last = &status["history"][0];
        let text = |field: &str| last[field].as_str().unwrap().to_owned();
        (text("revision"), text("time"))
    };
    let base = stage.operator.get(&["gitsource/base"]).await;
    let (first_of, then_of) = (last(&base["status"]), last(&stage.status().await));
    assert_eq!((&first_of.0, &then_of.0), (&second, &second));
    assert!(first_of.1 <= then_of.1, "{first_of:?} {then_of:?}");
    let told = stage.events("gitsource/fleet").await;
    assert!(told.contains("has not applied the same commit yet"), "{told}");
}
