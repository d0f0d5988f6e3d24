//! A forge that is told what came of commits.

use std::time::Duration;

use serde_json::json;

use super::stage::{Stage, git, team};
use crate::harness::eventually::eventually;
use crate::harness::git::bridge::{Bridge, Manner, Told};

const TOKEN: &str = "hunter2-of-the-forge";

/// Waits until the forge was told so much, and returns that: the path, the state and the answer of each.
async fn until_told(forge: &Bridge, count: usize) -> Vec<(String, String, u16)> {
    let told = eventually(Duration::from_secs(30), "the forge is told", async || {
        let told = forge.statuses();
        match told.len() >= count {
            true => Ok(told),
            false => Err(format!("{told:?}")),
        }
    });
    let short = |told: Told| {
        assert_eq!(told.authorization, format!("token {TOKEN}"));
        assert_eq!(told.body["context"], "whoosh/default/fleet");
        (
            told.path,
            told.body["state"].as_str().unwrap().to_owned(),
            told.code,
        )
    };
    told.await.into_iter().map(short).collect()
}

#[tokio::test]
async fn a_forge_is_told_what_came_of_each_commit_until_it_takes_it() {
    let mut stage = Stage::new().await;
    std::fs::create_dir(stage.folder().join("acme")).unwrap();
    std::os::unix::fs::symlink("../fleet.git", stage.folder().join("acme/fleet.git")).unwrap();
    let (forge, certificate) = Bridge::start_tls(stage.folder(), Manner::To("git", TOKEN)).await;
    stage.secret("ca.crt", &certificate);
    stage.secret("token", TOKEN);
    stage.repository.write("prod/a.yaml", &team("a"));
    let first = stage.repository.push("A team");
    forge.answer_statuses(&[500]);
    let source = |forge_is: &str| {
        json!({"url": forge.url("acme/fleet.git"), "secretRef": {"name": "fleet"},
               "commitStatus": {"forge": forge_is}})
    };
    stage.source(source("Gitea")).await;
    let one = |api: &str, commit: &str, state: &str, code: u16| {
        let path = format!("/api/{api}/repos/acme/fleet/statuses/{commit}");
        (path, state.to_owned(), code)
    };
    let mut expected = vec![
        one("v1", &first, "success", 500),
        one("v1", &first, "success", 201),
    ];
    assert_eq!(until_told(&forge, 2).await, expected);

    // A mistake turns its own commit red, and no other one.
    stage.source(source("GitHub")).await;
    stage
        .repository
        .write("prod/a.yaml", &team("a").replace("roles", "rolls"));
    let second = stage.repository.push("A mistake");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    expected.push(one("v3", &second, "failure", 201));
    assert_eq!(until_told(&forge, 3).await, expected);

    // Whoever leads next cannot know what was told.
    stage.operator.kill();
    stage.operator.start_again();
    stage.operator.until_ready().await;
    expected.push(one("v3", &second, "failure", 201));
    assert_eq!(until_told(&forge, 4).await, expected);

    // One that holds what is not even read is a mistake, too.
    let clone = stage.folder().join("clone");
    std::os::unix::fs::symlink("/etc/passwd", clone.join("prod/link.yaml")).unwrap();
    let link = stage.repository.push("A link");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    expected.push(one("v3", &link, "failure", 201));
    assert_eq!(until_told(&forge, 5).await, expected);
    git(&clone, &["rm", "--quiet", "prod/link.yaml"]);

    // One that does not want it is told once, and people are.
    forge.answer_statuses(&[403]);
    stage.repository.write("prod/a.yaml", &team("a"));
    let third = stage.repository.push("Mended");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    let told = stage.until_told("gitsource/fleet", "CommitStatusFailed").await;
    assert!(told.contains("403"), "{told}");
    expected.push(one("v3", &third, "success", 403));
    assert_eq!(until_told(&forge, 6).await, expected);
}
