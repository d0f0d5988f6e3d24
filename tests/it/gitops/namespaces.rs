//! Where a source declares objects.

use serde_json::json;

use super::stage::{Stage, team};

#[tokio::test]
async fn a_target_namespace_is_where_everything_goes_whatever_manifests_say() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    let elsewhere = team("a").replace("  name: a\n", "  name: a\n  namespace: other\n");
    repository.write("prod/a.yaml", &elsewhere);
    repository.write("prod/b.yaml", &team("b"));
    repository.push("Two teams, one of another namespace");
    stage.source(json!({})).await;
    stage
        .until_message("prod/a.yaml:5 (document 1, team/a): metadata.namespace: is \"other\"")
        .await;
    stage.source(json!({"targetNamespace": "default"})).await;
    stage.until_message("is applied: 2 objects").await;
    assert_eq!(stage.teams().await, ["a", "b"]);

    // They are told at the lines where they stand.
    repository.write("prod/a.yaml", &elsewhere.replace("roles", "rolls"));
    repository.push("A mistake");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("prod/a.yaml:9 (document 1, team/a): spec.rolls"),
        "{said}"
    );
}

#[tokio::test]
async fn a_target_namespace_is_one_where_the_source_may_do_something() {
    let stage = Stage::new().await;
    let source = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "fleet"},
                        "spec": {"url": stage.repository.url(), "targetNamespace": "other"}});
    let refused = stage.operator.apply(&source.to_string(), &[]).await;
    assert_ne!(refused.code, 0);
    assert!(
        refused
            .err
            .contains("spec.targetNamespace: is \"other\", and this source may declare objects of default alone (spec.impersonate)"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn what_is_out_of_reach_is_left_as_it_is_and_named() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    let into = |namespace: &str| json!({"targetNamespace": namespace, "impersonate": {"role": "edit", "namespaces": [namespace]}});
    stage.source(into("one")).await;
    stage.until_message("is applied: 1 object").await;
    stage.source(into("two")).await;
    let told = "1 created, 1 no longer declared here and left as they are (team/a in one)";
    stage.until_told("gitsource/fleet", told).await;
    let left = stage.operator.get(&["team/a", "-n", "one"]).await;
    assert_eq!(left["metadata"]["deletionTimestamp"], json!(null));
}
