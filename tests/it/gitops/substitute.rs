//! Variables in a repository's manifests.

use serde_json::json;

use super::stage::{Stage, team};

const MANIFEST: &str = "apiVersion: chorus.services/v1
kind: Team
metadata:
  name: ${NAME:-payments}
  labels: {region: '${REGION:-none}'}
spec:
  replicas: ${COUNT:-1}
  task: {title: t, description: '${REGION:-none} costs $${PRICE}'}
  defaults: {image: chorus-agent:dev}
  roles: [{name: worker}]
---
apiVersion: chorus.services/v1
kind: Team
metadata:
  name: as-written
  annotations: {chorus.services/substitute: disabled}
spec:
  task: {title: t, description: '${REGION}'}
  defaults: {image: chorus-agent:dev}
  roles: [{name: worker}]
";

#[tokio::test]
async fn variables_have_the_values_of_the_source_and_undefined_ones_refuse_the_commit() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    let plain = team("a").replace(
        "spec:\n",
        "spec:\n  task: {title: t, description: 'costs ${PRICE}'}\n",
    );
    repository.write("prod/a.yaml", &plain);
    repository.push("No variable, unless the source says so");
    stage.source(json!({})).await;
    stage.until_message("is applied: 1 object").await;
    let description = async |name: &str| {
        let team = stage.operator.get(&[name]).await;
        team["spec"]["task"]["description"].as_str().unwrap().to_owned()
    };
    assert_eq!(description("team/a").await, "costs ${PRICE}");

    repository.remove("prod/a.yaml");
    repository.write("prod/b.yaml", MANIFEST);
    repository.push("Variables");
    let hostile = "west\", spec: {}\n# ${NAME}: [";
    stage
        .source(json!({"maxPrune": 100, "substitute": {"COUNT": "2", "REGION": "west"}}))
        .await;
    stage.until_message("is applied: 2 objects").await;
    let payments = stage.operator.get(&["team/payments"]).await;
    assert_eq!(payments["spec"]["replicas"], 2);
    assert_eq!(payments["metadata"]["labels"]["region"], "west");
    assert_eq!(description("team/payments").await, "west costs ${PRICE}");
    assert_eq!(description("team/as-written").await, "${REGION}");
    let url = stage.repository.url();
    let diff = stage.operator.whoosh(&["diff", "--git", &url]).await;
    assert_eq!(diff.code, 0, "read as its source reads it: {diff:?}");

    // Another value is applied without another commit, and cannot be more than a value.
    stage
        .source(json!({"maxPrune": 100, "substitute": {"COUNT": "2", "REGION": hostile}}))
        .await;
    let status = stage.until_message("is not applied").await;
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains("prod/b.yaml:5 (document 1, team/payments): metadata.labels.region: the value"),
        "{message}"
    );
    let labelled = MANIFEST.replace("  labels: {region: '${REGION:-none}'}\n", "");
    repository.write("prod/b.yaml", &labelled);
    repository.push("No label");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        description("team/payments").await,
        format!("{hostile} costs ${{PRICE}}")
    );

    let undefined = labelled.replace("${REGION:-none} costs", "${REGON} and ${TOWN} cost");
    repository.write("prod/b.yaml", &undefined);
    repository.push("A mistake");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    for told in [
        "prod/b.yaml:7 (document 1, team/payments): spec.task.description: ${REGON} is not defined (did you mean \"REGION\"?)",
        "prod/b.yaml:7 (document 1, team/payments): spec.task.description: ${TOWN} is not defined",
    ] {
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(
        description("team/payments").await,
        format!("{hostile} costs ${{PRICE}}"),
        "the last good commit stays"
    );
}

#[tokio::test]
async fn a_variable_has_a_name_that_manifests_can_say() {
    let stage = Stage::new().await;
    let source = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "fleet"},
                        "spec": {"url": stage.repository.url(), "substitute": {"A-B": "x", "1": "y", "GOOD_1": "z"}}});
    let refused = stage.operator.apply(&source.to_string(), &[]).await;
    assert_ne!(refused.code, 0);
    for name in ["A-B", "1"] {
        let told = format!("the name \"{name}\" must be letters, digits and \"_\"");
        assert!(refused.err.contains(&told), "{}", refused.err);
    }
    assert!(!refused.err.contains("GOOD_1"), "{}", refused.err);
    let explained = stage
        .operator
        .whoosh(&["explain", "gitsource.spec.substitute"])
        .await
        .ok();
    assert!(explained.contains("${NAME:-default}"), "{explained}");
}

#[tokio::test]
async fn values_of_a_secret_are_put_anew_when_they_change_and_are_never_told() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", MANIFEST);
    stage.repository.push("Variables");
    stage
        .source(json!({"substitute": {"NAME": "payments"}, "substituteFrom": {"name": "fleet"}}))
        .await;
    stage.until_message("git-secrets/default/fleet/variables").await;
    let values =
        |region: &str| format!("# What the repository does not say\nNAME=other\nCOUNT=3\nREGION={region}\n");
    stage.secret("variables", &values("west"));
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");
    let payments = stage.operator.get(&["team/payments"]).await;
    assert_eq!(payments["spec"]["replicas"], 3);
    assert_eq!(payments["metadata"]["labels"]["region"], "west");

    // Whoever compares a branch has to know them as well.
    let url = stage.repository.url();
    let diff = stage.operator.whoosh(&["diff", "--git", &url]).await;
    assert!(diff.code == 2 && diff.err.contains("--git-secret"), "{diff:?}");
    let folder = stage
        .folder()
        .join("git-secrets/default/fleet")
        .display()
        .to_string();
    let with_secret = ["diff", "--git", &url, "--git-secret", &folder];
    let diff = stage.operator.whoosh(&with_secret).await;
    assert_eq!(diff.code, 0, "{diff:?}");
    stage.secret("variables", &values("east"));
    let diff = stage.operator.whoosh(&with_secret).await;
    // Whoever may read the output of a pipeline is not told them.
    let told = diff.out.contains("+    region: ${REGION}") && !diff.out.contains("east");
    assert!(diff.code == 1 && told, "{diff:?}");

    // Other values are another application of the same commit, and nothing that others changed.
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    let payments = stage.operator.get(&["team/payments"]).await;
    assert_eq!(payments["metadata"]["labels"]["region"], "east");
    let history = stage.status().await["history"].clone();
    assert_eq!(history[0]["detail"], "1 configured", "{history}");
    assert_eq!(history[0]["revision"], history[1]["revision"], "{history}");
    let events = stage.operator.whoosh(&["events"]).await.ok();
    assert!(!events.contains("PutBack"), "{events}");

    // What somebody changes at the same time is.
    let other = r#"{"spec": {"replicas": 4}}"#;
    let suspend = ["suspend", "gitsource/fleet"];
    stage.operator.whoosh(&suspend).await.ok();
    let patch = ["patch", "team/payments", "--type", "merge", "-p", other];
    stage.operator.whoosh(&patch).await.ok();
    stage.secret("variables", &values("east").replace("COUNT=3", "COUNT=2"));
    stage.operator.whoosh(&["resume", "gitsource/fleet"]).await.ok();
    let told = stage.until_told("team/payments", "PutBack").await;
    assert!(told.contains("(patch)"), "{told}");

    stage.secret("variables", &values("hunter2 of the west"));
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("metadata.labels.region"), "{said}");
    assert!(said.contains("${REGION}") && !said.contains("hunter2"), "{said}");
    stage.secret("variables", "NAME=payments\nhunter2\n");
    let (code, said) = stage.reconcile(&[]).await;
    let told = "variables cannot be used: line 2 is not like NAME=value";
    assert!(
        code == 1 && said.contains(told) && !said.contains("hunter2"),
        "{said}"
    );
    let payments = stage.operator.get(&["team/payments"]).await;
    assert_eq!(
        payments["metadata"]["labels"]["region"], "east",
        "the last good one stays"
    );
}
