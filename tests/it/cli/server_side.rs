//! `whoosh apply --server-side`: the operator merges, and knows who owns which field.

use super::{Office, team};

#[tokio::test]
async fn who_applies_on_the_server_owns_what_they_name() {
    let office = Office::open().await;
    let two = team("payments", "      replicas: 2\n");
    let as_ci = ["--server-side", "--field-manager=ci"];
    let tried = office
        .apply(&two, &["--server-side", "--dry-run=server"])
        .await
        .ok();
    assert_eq!(tried, "team/payments serverside-applied (server dry run)\n");
    assert_eq!(office.stored("payments").await, None);
    assert_eq!(
        office.apply(&two, &as_ci).await.ok(),
        "team/payments serverside-applied\n"
    );

    let three = team("payments", "      replicas: 3\n");
    let refused = office
        .apply(&(three.clone() + &team("other", "")), &["--server-side"])
        .await;
    assert_eq!((refused.out.as_str(), refused.code), ("", 1));
    for part in [
        "standard input:8 (document 1, team/payments): .spec.roles[name=\"coordinator\"].replicas: conflict with \"ci\"",
        "--force-conflicts",
        "1 problem; nothing was changed",
    ] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(office.stored("other").await, None);
    office
        .apply(&three, &["--server-side", "--force-conflicts"])
        .await
        .ok();
    let spec = office.stored("payments").await.unwrap().spec;
    assert_eq!(spec["roles"][0]["replicas"], 3);

    let shown = office.whoosh(&["get", "team/payments", "-o", "yaml"]).await.ok();
    assert!(!shown.contains("managedFields"), "{shown}");
    let shown = office
        .whoosh(&["get", "team/payments", "-o", "yaml", "--show-managed-fields"])
        .await
        .ok();
    assert!(
        shown.contains("manager: whoosh") && shown.contains("operation: Apply"),
        "{shown}"
    );

    for wrong in [
        &["--server-side", "--dry-run"][..],
        &["--force-conflicts"],
        &["--server-side", "--prune", "-l", "a=b"],
    ] {
        let printed = office.apply(&two, wrong).await;
        assert_eq!(printed.code, 2, "{wrong:?}: {}", printed.err);
    }
}

/// A part of a team: what stands in its spec.
fn part(spec: &str) -> String {
    format!("apiVersion: chorus.services/v1\nkind: Team\nmetadata: {{name: payments}}\nspec:\n{spec}")
}

#[tokio::test]
async fn a_file_may_hold_a_part_of_an_object() {
    let office = Office::open().await;
    let as_ops = ["--server-side", "--field-manager=ops"];
    let nothing_yet = office.apply(&part("  replicas: 2\n"), &as_ops).await;
    assert_eq!(nothing_yet.code, 1);
    assert!(
        nothing_yet
            .err
            .contains("standard input:4 (document 1, team/payments): spec.roles: is required"),
        "{}",
        nothing_yet.err
    );
    let whole = team("payments", "    - name: aide\n");
    office
        .apply(&whole, &["--server-side", "--field-manager=ci"])
        .await
        .ok();
    let more = part("  roles:\n    - name: aide\n      replicas: 3\n");
    let applied = office.apply(&more, &as_ops).await.ok();
    assert_eq!(applied, "team/payments serverside-applied\n");
    let spec = office.stored("payments").await.unwrap().spec;
    assert_eq!(
        (&spec["roles"][1]["replicas"], &spec["defaults"]["image"]),
        (&3.into(), &"chorus-agent:dev".into())
    );

    // The operator speaks of the second role of the whole; in the file it is the first.
    let slip = part("  roles:\n    - name: aide\n      replicas: many\n      rpelicas: 1\n");
    let refused = office.apply(&slip, &as_ops).await;
    for line in [
        "standard input:7 (document 1, team/payments): spec.roles[0].replicas: must be a whole number, got a string\n",
        "standard input:8 (document 1, team/payments): spec.roles[0].rpelicas: unknown field (did you mean \"replicas\"?)\n",
        "error: 2 problems; nothing was changed\n",
    ] {
        assert!(refused.err.contains(line), "{line}{}", refused.err);
    }
    let nameless = office
        .apply("apiVersion: v1\nkind: Team\nmetadata: {}\n", &as_ops)
        .await;
    for line in [
        "standard input:1 (document 1): apiVersion: must be \"chorus.services/v1\", got \"v1\"\n",
        "standard input:3 (document 1): metadata.name: is required\n",
    ] {
        assert!(nameless.err.contains(line), "{line}{}", nameless.err);
    }
}

#[tokio::test]
async fn what_was_merged_here_before_is_taken_over() {
    let office = Office::open().await;
    let two = team("payments", "      replicas: 2\n");
    office.apply(&two, &[]).await.ok();
    office.whoosh(&["label", "team/payments", "tier=web"]).await.ok();
    let less = team("payments", "");
    let tried = office.apply(&less, &["--server-side", "--dry-run=server"]).await;
    assert_eq!((tried.code, tried.err.as_str()), (0, ""));
    assert_eq!(
        office.stored("payments").await.unwrap().spec["roles"][0]["replicas"],
        2
    );
    office.apply(&less, &["--server-side"]).await.ok();
    let stored = office.stored("payments").await.unwrap();
    assert_eq!(stored.spec["roles"][0].get("replicas"), None);
    assert_eq!(
        stored.metadata.labels.unwrap()["tier"],
        "web",
        "the file never said so"
    );
    assert_eq!(stored.metadata.annotations, None);
    let generation = stored.metadata.generation;
    office.apply(&less, &["--server-side"]).await.ok();
    assert_eq!(
        office.stored("payments").await.unwrap().metadata.generation,
        generation
    );
}

#[tokio::test]
async fn templates_that_come_along_are_rehearsed_with_their_users() {
    let office = Office::open().await;
    let template = |limit: &str| {
        format!(
            "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: {{name: small}}\nspec: {{resources: {{limits: \
             {{memory: {limit}}}}}}}\n---\n"
        )
    };
    let user = team(
        "pay",
        "      template: small\n      agent:\n        resources: {requests: {memory: 128Mi}}\n",
    );
    let tried = ["--server-side", "--dry-run=server"];
    let rehearsed = office.apply(&(user.clone() + &template("256Mi")), &tried).await;
    assert_eq!(
        (rehearsed.out.as_str(), rehearsed.err.as_str()),
        (
            "agenttemplate/small serverside-applied (server dry run)\nteam/pay serverside-applied (server dry run)\n",
            ""
        )
    );
    assert_eq!(office.stored("pay").await, None);

    let refused = office
        .apply(&(user.clone() + &template("64Mi")), &["--server-side"])
        .await;
    assert_eq!((refused.out.as_str(), refused.code), ("", 1));
    assert!(
        refused.err.contains(
            "standard input:10 (document 1, team/pay): spec.roles[0].agent.resources.requests.memory: must not be above"
        ),
        "{}",
        refused.err
    );
    let stored = office.whoosh(&["get", "agenttemplates", "-o", "name"]).await.ok();
    assert_eq!(stored, "", "nothing was stored");

    // A part that does not name the template: the live team does.
    office
        .apply(&(template("256Mi") + &user), &["--server-side"])
        .await
        .ok();
    let part = "apiVersion: chorus.services/v1\nkind: Team\nmetadata: {name: pay}\nspec: {project: a/b}\n";
    let as_ops = ["--server-side", "--field-manager=ops", "--force-conflicts"];
    let refused = office.apply(&(template("64Mi") + part), &as_ops).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("team/pay): spec.roles[0].agent.resources"),
        "{}",
        refused.err
    );
}

#[tokio::test]
async fn a_switch_may_have_a_value() {
    let office = Office::open().await;
    let off = ["--server-side=false", "--force-conflicts=false", "--wait=false"];
    assert_eq!(
        office.apply(&team("payments", ""), &off).await.ok(),
        "team/payments created\n"
    );
    let shown = [
        "get",
        "team/payments",
        "-o",
        "yaml",
        "--watch=false",
        "--show-managed-fields=true",
    ];
    assert!(office.whoosh(&shown).await.ok().contains("managedFields"));
    let wrong = office.whoosh(&["get", "teams", "--watch=perhaps"]).await;
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}
