//! What a source may do, and what it may let others do.

use serde_json::json;

use super::stage::{Stage, team};
use crate::harness::eventually::eventually;

const POLICY: &str = "apiVersion: chorus.services/v1
kind: Policy
metadata:
  name: small
  namespace: prod
spec:
  limits: {quota: {agents: 2}}
";

/// A team of a namespace.
fn team_in(namespace: &str, name: &str) -> String {
    team(name).replace(
        &format!("  name: {name}\n"),
        &format!("  name: {name}\n  namespace: {namespace}\n"),
    )
}

/// A source that reads another folder of the stage's repository.
fn child(stage: &Stage, more: &str) -> String {
    format!(
        "apiVersion: chorus.services/v1\nkind: GitSource\nmetadata:\n  name: child\nspec:\n  url: {}\n  ref: {{branch: \
         main}}\n  path: more\n  interval: 1h\n{more}",
        stage.repository.url()
    )
}

#[tokio::test]
async fn a_policy_that_goes_allows_nothing_of_the_commit_that_removes_it() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    let policy = POLICY.replace("limits: {quota: {agents: 2}}", "allow: {volumes: [data]}");
    let mounts = "image: chorus-agent:dev\n    mounts: [{type: volume, source: data, target: /data}]";
    repository.write("prod/policy.yaml", &policy);
    let powerful = |name: &str| team_in("prod", name).replace("image: chorus-agent:dev", mounts);
    repository.write("prod/b.yaml", &powerful("b"));
    repository.push("A team and what allows it");
    stage
        .source(json!({"impersonate": {"role": "admin", "namespaces": ["*"]}}))
        .await;
    stage.until_message("is applied: 2 objects").await;
    repository.remove("prod/policy.yaml");
    repository.write("prod/c.yaml", &powerful("c"));
    repository.push("Another, and nothing allows it");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("mounts the volume data"), "{said}");
    stage.operator.get(&["policy/small", "-n", "prod"]).await;
}

#[tokio::test]
async fn a_source_with_rights_elsewhere_declares_there_within_the_quotas_of_there() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("prod/b.yaml", &team_in("prod", "b"));
    repository.write("prod/policy.yaml", POLICY);
    repository.push("Two teams and a Policy");
    stage
        .source(json!({"impersonate": {"role": "admin", "namespaces": ["default", "prod"]}}))
        .await;
    let message = "a Policy is not for this source to declare, which has the role admin in default, prod";
    stage.until_message(message).await;
    stage
        .source(json!({"impersonate": {"role": "admin", "namespaces": ["*"]}}))
        .await;
    stage.until_message("is applied: 3 objects").await;
    let other = stage.operator.get(&["team/b", "-n", "prod"]).await;
    assert_eq!(other["metadata"]["namespace"], "prod");
    let history = stage
        .operator
        .whoosh(&["history", "team/b", "-n", "prod"])
        .await
        .ok();
    assert!(
        history.contains("system:whoosh:gitops:default/fleet"),
        "{history}"
    );

    let patience = std::time::Duration::from_secs(30);
    eventually(patience, "the tree has an agent there", async || {
        let tree = stage.operator.whoosh(&["tree", "gitsource/fleet"]).await.ok();
        match tree.contains("team/b in prod") && tree.contains("team.b.worker.1") {
            true => Ok(()),
            false => Err(tree),
        }
    })
    .await;
    let why = stage.operator.whoosh(&["why", "team/b", "-n", "prod"]).await.ok();
    assert!(why.contains("gitsource/fleet in default"), "{why}");

    // Each namespace has its quota, and what is too much is told of an object there.
    for name in ["c", "d"] {
        repository.write(&format!("prod/{name}.yaml"), &team_in("prod", name));
    }
    repository.push("Two more there");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("prod/c.yaml:6 (document 1, team/c)") && said.contains("would have 3 agents"),
        "{said}"
    );
    for name in ["c", "d"] {
        repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    repository.push("Two more here");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.teams().await, ["a", "c", "d"]);

    // What others do there is noticed, too.
    stage
        .operator
        .whoosh(&["delete", "team/b", "-n", "prod"])
        .await
        .ok();
    eventually(patience, "the team is back", async || {
        let printed = stage.operator.whoosh(&["get", "team/b", "-n", "prod"]).await;
        if printed.code == 0 {
            Ok(())
        } else {
            Err(printed.err)
        }
    })
    .await;
}

#[tokio::test]
async fn a_repository_does_not_choose_where_secrets_go() {
    let stage = Stage::new().await;
    let url = stage.repository.url();
    let named = child(&stage, "  secretRef: {name: fleet}\n");
    stage.repository.write(
        "prod/a.yaml",
        &named.replace(&url, "https://localhost:1/evil.git"),
    );
    stage
        .repository
        .push("A source of another server, with a secret of ours");
    stage.source(json!({})).await;
    let told = "spec.secretRef: goes to https://localhost:1, where system:whoosh:gitops:fleet";
    stage.until_message(told).await;
    stage.repository.write("prod/a.yaml", &named);
    stage.repository.push("One of a server that the operator names");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn all_goes_where_a_source_may_do_something_and_nobody_else_declares_it() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    let there = json!({"targetNamespace": "prod", "impersonate": {"namespaces": ["prod"]}});
    stage.source(there).await;
    stage.until_message("is applied: 1 object").await;
    assert!(stage.teams().await.is_empty());
    stage.operator.get(&["team/a", "-n", "prod"]).await;

    let rival = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource",
                       "metadata": {"name": "rival", "namespace": "prod"},
                       "spec": {"url": stage.repository.url(), "ref": {"branch": "main"}, "path": "prod"}});
    stage.operator.apply(&rival.to_string(), &[]).await.ok();
    let patience = std::time::Duration::from_secs(30);
    eventually(patience, "the rival is refused", async || {
        let rival = stage.operator.get(&["gitsource/rival", "-n", "prod"]).await;
        let message = rival["status"]["message"].as_str().unwrap_or_default().to_owned();
        match message.contains("is declared by gitsource/default/fleet already") {
            true => Ok(()),
            false => Err(message),
        }
    })
    .await;

    stage.source(json!({"impersonate": {"role": "view"}})).await;
    let message = "a Team is not for this source to declare, which has the role view in default";
    stage.until_message(message).await;
}

#[tokio::test]
async fn a_source_lets_others_do_no_more_than_it_may() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("more/b.yaml", &team("b"));
    let stronger = child(&stage, "  impersonate: {namespaces: [default, prod]}\n");
    repository.write("prod/child.yaml", &stronger);
    repository.push("A source with more rights");
    stage.source(json!({})).await;
    let status = stage.until_message("is not applied").await;
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains("prod/child.yaml:10 (document 1, gitsource/child): spec.impersonate: this source has the role edit")
            && message.contains("system:whoosh:gitops:fleet has the role edit in default"),
        "{message}"
    );

    repository.write("prod/child.yaml", &child(&stage, ""));
    repository.push("A source with the same rights");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    stage.until_teams(&["b"]).await;

    // Somebody makes it stronger: the first one steers it no longer.
    let more = json!({"spec": {"impersonate": {"role": "admin", "namespaces": ["*"]}}});
    let patch = [
        "patch",
        "gitsource/child",
        "--type",
        "merge",
        "-p",
        &more.to_string(),
    ]
    .map(str::to_owned);
    stage
        .operator
        .whoosh(&patch.each_ref().map(String::as_str))
        .await
        .ok();
    repository.write(
        "prod/child.yaml",
        &child(&stage, "").replace("path: more", "path: evil"),
    );
    repository.push("Another folder");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("this source has the role admin in all namespaces"),
        "{said}"
    );
    let stored = stage.operator.get(&["gitsource/child"]).await;
    assert_eq!(stored["spec"]["path"], "more");

    // None decides on itself.
    repository.write(
        "prod/child.yaml",
        &child(&stage, "").replace("name: child", "name: fleet"),
    );
    repository.push("Itself");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is this source itself"), "{said}");
}

#[tokio::test]
async fn who_compares_a_branch_is_told_what_its_source_may_not_do() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("other/b.yaml", &team("b"));
    repository.push("A team, and another elsewhere");
    stage.source(json!({})).await;
    stage.until_message("is applied: 1 object").await;
    let other = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "other"},
                       "spec": {"url": repository.url(), "ref": {"branch": "main"}, "path": "other"}});
    stage.operator.apply(&other.to_string(), &[]).await.ok();
    let wait = [
        "wait",
        "gitsource/other",
        "--for=condition=Ready",
        "--timeout=30s",
    ];
    stage.operator.whoosh(&wait).await.ok();

    repository.write(
        "prod/more.yaml",
        &(team_in("elsewhere", "x") + "---\n" + &POLICY.replace("prod", "default")),
    );
    repository.write("prod/b.yaml", &team("b"));
    repository.push("Too much");
    let diff = ["diff", "--git", &repository.url(), "--source=fleet"];
    let told = stage.operator.whoosh(&diff).await;
    assert_eq!(told.code, 2, "{told:?}");
    let (_, said) = stage.reconcile(&[]).await;
    for part in [
        "prod/b.yaml:4 (document 1, team/b): metadata.name: is declared by gitsource/other already",
        "this source may declare objects of default alone",
        "a Policy is not for this source to declare",
    ] {
        assert!(told.err.contains(part), "{part}: {}", told.err);
        assert!(said.contains(part), "{part}: {said}");
    }

    // What its owner gives up is taken at the next try, not at the next commit.
    repository.remove("prod/more.yaml");
    repository.push("Less");
    stage
        .source(json!({"interval": "1h", "retryInterval": "1s"}))
        .await;
    stage
        .until_message("is declared by gitsource/other already")
        .await;
    stage.operator.whoosh(&["delete", "gitsource/other"]).await.ok();
    stage.until_message("is applied: 2 objects").await;
    stage
        .operator
        .whoosh(&["annotate", "team/a", "chorus.services/pinned=by-hand"])
        .await
        .ok();
    repository.write("prod/a.yaml", &team("a").replace("worker", "reviewer"));
    repository.push("One that is pinned");
    let told = stage.operator.whoosh(&diff).await;
    assert_eq!((told.code, told.out.as_str()), (0, ""), "{told:?}");
    assert!(told.err.contains("team/a stays as it is"), "{told:?}");
}

#[tokio::test]
async fn what_would_be_deleted_at_once_is_not_made() {
    let stage = Stage::new().await;
    let owner = "  ownerReferences:\n  - {apiVersion: chorus.services/v1, kind: Team, name: boss, uid: u}\n";
    let lost = team("lost").replace("  name: lost\n", &format!("  name: lost\n{owner}"));
    stage.repository.write("prod/lost.yaml", &lost);
    stage
        .repository
        .push("A team that belongs to nobody who is there");
    stage.source(json!({})).await;
    stage
        .until_message(
            "metadata.ownerReferences[0]: is not there under this uid, and there is no other owner",
        )
        .await;
    stage.until_teams(&[]).await;
}
