//! A forge that tells of a push: the repository is looked at, long before its interval is over.

use serde_json::json;

use super::stage::{Stage, team};
use crate::api::hooks::signed;
use crate::harness::http;

const SECRET: &str = "hunter2-of-the-forge";

#[tokio::test]
async fn a_push_that_a_forge_tells_of_is_applied() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    stage.secret("webhook", SECRET);
    stage.source(json!({"secretRef": {"name": "fleet"}})).await;
    stage.until_message("is applied: 1 object").await;

    stage.repository.write("prod/b.yaml", &team("b"));
    let pushed = stage.repository.push("Another");
    let described = stage.operator.whoosh(&["describe", "gitsource/fleet"]).await.ok();
    let line = described.lines().find_map(|line| line.strip_prefix("Webhook:"));
    let path = line.unwrap().split_whitespace().next().unwrap();
    let client = http().unix_socket(stage.operator.socket()).build().unwrap();
    let tell = async |secret: &str| {
        let body = json!({"ref": "refs/heads/main", "after": pushed}).to_string();
        let request = client
            .post(format!("http://whoosh{path}"))
            .header("X-Hub-Signature-256", format!("sha256={}", signed(secret, &body)))
            .body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(tell("another").await, 401);
    assert_eq!(tell(SECRET).await, 202);
    let status = stage.until_message("is applied: 2 objects").await;
    assert_eq!(status["appliedRevision"], pushed.as_str());
    assert!(!stage.operator.log().contains(SECRET));
}

#[tokio::test]
async fn a_source_is_set_up_by_one_command_that_takes_nothing_away() {
    let stage = Stage::with_teams(&["a"], json!({"wait": true, "interval": "2h"})).await;
    let url = stage.repository.url();
    let bootstrap = ["bootstrap", "git", "--url", &url, "--name=fleet", "--path=prod"];
    for _ in 0..2 {
        let done = stage.operator.whoosh(&bootstrap).await.ok();
        assert_eq!(done, "gitsource/fleet configured\n");
    }
    let source = stage.operator.get(&["gitsource/fleet"]).await;
    let spec = &source["spec"];
    assert_eq!(
        (&spec["wait"], &spec["interval"]),
        (&json!(true), &json!("2h")),
        "{spec}"
    );
    assert_eq!(spec["secretRef"]["name"], "fleet");
    stage.until_message("is applied: 1 object").await;

    // Two repositories may be called the same: the second one takes nothing of the first.
    let elsewhere = [
        "bootstrap",
        "git",
        "--url",
        "file:///elsewhere/fleet.git",
        "--prune",
    ];
    let refused = stage.operator.whoosh(&elsewhere).await;
    let told = format!("gitsource/fleet reads {url} already: choose another name with --name");
    assert!(refused.code == 2 && refused.err.contains(&told), "{refused:?}");

    let other = ["bootstrap", "git", "--url", &url, "--name=other", "--path=other"];
    for (more, expected) in [(&["--prune"][..], "created"), (&[], "configured")] {
        let done = stage.operator.whoosh(&[&other, more].concat()).await.ok();
        assert_eq!(done, format!("gitsource/other {expected}\n"));
        let source = stage.operator.get(&["gitsource/other"]).await;
        assert_eq!(source["spec"]["prune"], true, "{source}");
    }
}
