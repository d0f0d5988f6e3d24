//! Repositories that the operator keeps applied, from a commit to the objects and back.

mod credentials;
mod dependencies;
mod drift;
mod forge;
mod hanging;
mod hooks;
mod leaders;
mod namespaces;
mod pins;
mod rights;
mod stage;
mod substitute;

use serde_json::json;

use stage::{Stage, git, team};

#[tokio::test]
async fn what_is_committed_is_applied_and_what_is_removed_goes() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    for name in ["a", "b", "c", "d"] {
        repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    repository.write("prod/README.md", "no manifest");
    repository.write("elsewhere/e.yaml", &team("e"));
    let first = repository.push("Four teams");
    stage.source(json!({})).await;
    let status = stage.until_message("is applied: 4 objects").await;
    assert_eq!(stage.teams().await, ["a", "b", "c", "d"]);
    assert_eq!(status["appliedRevision"], first.as_str());
    assert_eq!(status["revision"], format!("main@{}", &first[..7]));
    assert_eq!(status["history"][0]["detail"], "4 created");
    assert_eq!(status["history"][0]["author"], "Ada <ada@example.org>");

    repository.remove("prod/d.yaml");
    repository.write("prod/a.yaml", &team("a").replace("worker", "coordinator"));
    let second = repository.push("One less");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        said,
        format!("gitsource/fleet: main@{} is applied: 3 objects\n", &second[..7])
    );
    stage.until_teams(&["a", "b", "c"]).await;
    let status = stage.status().await;
    assert_eq!(status["history"][0]["detail"], "1 configured, 1 deleted");
    let team = stage.operator.get(&["team/a"]).await;
    assert_eq!(team["spec"]["roles"][0]["name"], "coordinator");
    assert_eq!(
        team["metadata"]["managedFields"].as_array().map(Vec::len),
        None,
        "they are not shown"
    );
    stage
        .until_told("gitsource/fleet", "\"One less\": 1 configured, 1 deleted")
        .await;
    let history = stage.operator.whoosh(&["history", "team/a"]).await.ok();
    assert!(history.contains("system:whoosh:gitops:fleet"), "{history}");

    git(
        &stage.folder().join("clone"),
        &["push", "--quiet", "origin", "HEAD~1:refs/heads/before"],
    );
    let url = |reference: &str| format!("{}@{reference}", stage.repository.url());
    let diff = async |reference: &str| {
        stage
            .operator
            .whoosh(&["diff", "--git", &url(reference), "--path=prod"])
            .await
    };
    assert_eq!(diff("main").await.code, 0, "it is applied");
    let before = diff("before").await;
    assert_eq!(before.code, 1, "{before:?}");
    assert!(before.out.contains("+++ proposed/team/d"), "{}", before.out);
    // What a branch lacks is deleted once it is applied, and said to be.
    let clone = stage.folder().join("clone");
    for step in [
        &["checkout", "--quiet", "-b", "fewer"][..],
        &["rm", "--quiet", "prod/b.yaml"],
        &["commit", "--quiet", "--message", "Fewer"],
        &["push", "--quiet", "origin", "fewer"],
        &["checkout", "--quiet", "main"],
    ] {
        git(&clone, step);
    }
    let of_source = ["diff", "--git", &url("fewer")];
    let fewer = stage.operator.whoosh(&of_source).await;
    assert_eq!(fewer.code, 1, "{fewer:?}");
    assert!(fewer.err.contains("As gitsource/fleet applies it"), "{fewer:?}");
    assert!(
        fewer.out.contains("--- live/team/b")
            && fewer.out.contains("-  name: b")
            && !fewer.out.contains("team/a"),
        "{}",
        fewer.out
    );
    let nowhere = diff("nowhere").await;
    assert!(
        nowhere.code == 2 && nowhere.err.contains("has no branch \"nowhere\""),
        "{nowhere:?}"
    );

    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = words(&stage.operator.whoosh(&["why", "team/a"]).await.ok());
    let (second, first) = (&second[..12], &first[..12]);
    let applied = format!(
        "Declared by: gitsource/fleet, of which main@{} is applied",
        &second[..7]
    );
    assert!(why.contains(&applied), "{why}");
    let ada = "by Ada <ada@example.org>";
    assert!(why.contains(&format!("{second} {ada}: One less")), "{why}");
    let why = words(&stage.operator.whoosh(&["why", "team/b"]).await.ok());
    assert!(why.contains(&format!("{first} {ada}: Four teams")), "{why}");
    let tree = words(&stage.operator.whoosh(&["tree", "gitsource/fleet"]).await.ok());
    assert!(
        tree.contains(&format!("gitsource/fleet main@{} Ready ├─ team/a ", &second[..7])),
        "{tree}"
    );
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_writes_nothing() {
    let stage = Stage::with_teams(&["a"], json!({"interval": "5s"})).await;
    stage.until_healthy(1).await;
    let revision = |source: serde_json::Value| source["metadata"]["resourceVersion"].clone();
    let before = revision(stage.operator.get(&["gitsource/fleet"]).await);
    // The next look is one that somebody asks for: what it wrote is the answer to that, and nothing else.
    let looks = || async {
        let metrics = stage.operator.log();
        metrics.matches("looked at a repository").count()
    };
    let seen = looks().await;
    crate::harness::eventually::eventually(
        std::time::Duration::from_secs(30),
        "two more looks",
        async || {
            let now = looks().await;
            if now >= seen + 2 {
                Ok(())
            } else {
                Err(format!("{now} looks"))
            }
        },
    )
    .await;
    assert_eq!(revision(stage.operator.get(&["gitsource/fleet"]).await), before);
}

#[tokio::test]
async fn a_commit_with_one_bad_object_changes_nothing_and_says_where() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write("prod/b.yaml", &team("b"));
    let good = repository.push("Two teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 2 objects").await;

    repository.write("prod/a.yaml", &team("a").replace("worker", "coordinator"));
    repository.write("prod/b.yaml", &team("b").replace("roles", "rolls"));
    repository.write("prod/c.yaml", "a: [1\n");
    repository.push("A mistake");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains(&format!("(main@{} stays applied)", &good[..7])),
        "{said}"
    );
    assert!(said.contains("prod/c.yaml:"), "{said}");
    let team_a = stage.operator.get(&["team/a"]).await;
    assert_eq!(
        team_a["spec"]["roles"][0]["name"], "worker",
        "nothing of it is applied"
    );

    repository.remove("prod/c.yaml");
    repository.push("Half of it mended");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("prod/b.yaml:8 (document 1, team/b): spec.rolls"),
        "{said}"
    );
    let why = stage.operator.whoosh(&["why", "gitsource/fleet"]).await.ok();
    assert!(
        why.contains("Stalled (RevisionRefused)") && why.contains("spec.rolls"),
        "{why}"
    );

    repository.write("prod/b.yaml", &team("b"));
    let mended = repository.push("Mended");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!((code, said.contains(&mended[..7])), (0, true), "{said}");
    let team_a = stage.operator.get(&["team/a"]).await;
    assert_eq!(team_a["spec"]["roles"][0]["name"], "coordinator");
    let status = stage.status().await;
    let results: Vec<&str> = status["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|application| application["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["Applied", "Refused", "Refused", "Applied"]);
}

#[tokio::test]
async fn a_commit_that_removes_too_much_waits_for_a_word_that_names_it() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    for name in ["a", "b", "c", "d"] {
        repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    repository.push("Four teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 4 objects").await;

    repository.remove("prod/c.yaml");
    repository.remove("prod/d.yaml");
    let half = repository.push("Half of them");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("2 of the 4 objects of this source would be deleted (team/c, team/d)"),
        "{said}"
    );
    assert!(said.contains(&format!("--allow-prune {}", &half[..12])), "{said}");
    assert_eq!(stage.teams().await.len(), 4);
    let url = repository.url();
    let diff = stage.operator.whoosh(&["diff", "--git", &url]).await;
    assert!(
        diff.out.contains("live/team/c") && diff.out.contains("live/team/d"),
        "{diff:?}"
    );
    let told = format!(
        "will not apply this until somebody runs `whoosh reconcile gitsource/fleet -n default --allow-prune {}`: 2 of",
        &half[..12]
    );
    assert!(diff.code == 1 && diff.err.contains(&told), "{diff:?}");
    let (code, said) = stage.reconcile(&["--allow-prune", "0123456789ab"]).await;
    assert_eq!(code, 1, "a word for another commit: {said}");
    let (code, said) = stage.reconcile(&["--allow-prune", &half[..12]]).await;
    assert_eq!(code, 0, "{said}");
    stage.until_teams(&["a", "b"]).await;

    // The word was for what the commit came to then, and not for what a slip in the spec makes of it.
    stage.source(json!({"ignore": ["*"]})).await;
    let status = stage.until_message("declares nothing").await;
    assert_eq!(status["conditions"][0]["reason"], "PruneGuarded", "{status}");
    let source = stage.operator.get(&["gitsource/fleet"]).await;
    assert_eq!(
        source["metadata"]["annotations"]["chorus.services/allow-prune"],
        json!(null)
    );
    stage.until_teams(&["a", "b"]).await;
    stage.source(json!({})).await;
    stage.until_message("is applied: 2 objects").await;

    repository.remove("prod/a.yaml");
    repository.remove("prod/b.yaml");
    repository.write("prod/README.md", "nothing is left");
    repository.push("None");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("declares nothing, and all 2 objects"), "{said}");
    stage.until_teams(&["a", "b"]).await;

    // Git keeps no empty folder: the last file takes the path along.
    repository.remove("prod/README.md");
    let nothing = repository.push("Not even the folder");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 1, "{said}");
    let told =
        "the path \"prod\" is not in main: there is no \"prod\", and it declares nothing, and all 2 objects";
    assert!(
        said.contains(told) && said.contains(&format!("--allow-prune {}", &nothing[..12])),
        "{said}"
    );
    let url = repository.url();
    let diff = stage.operator.whoosh(&["diff", "--git", &url]).await;
    assert!(
        diff.code == 1 && diff.err.contains("there is no \"prod\"") && diff.out.contains("live/team/a"),
        "{diff:?}"
    );
    assert!(
        diff.err.contains(&format!("--allow-prune {}`", &nothing[..12])),
        "{diff:?}"
    );
    stage.until_teams(&["a", "b"]).await;
    let (code, said) = stage.reconcile(&["--allow-prune", &nothing]).await;
    assert_eq!(code, 0, "{said}");
    stage.until_teams(&[]).await;
    // That holds from now on.
    repository.push("Still not there");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    stage.source(json!({"interval": "2h"})).await;
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn what_says_that_it_stays_is_kept_and_remembered() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    for name in ["a", "b", "c", "d"] {
        repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    let kept = team("kept").replace(
        "  name: kept\n",
        "  name: kept\n  annotations: {chorus.services/prune: disabled}\n",
    );
    repository.write("prod/kept.yaml", &kept);
    repository.push("Five teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 5 objects").await;
    repository.remove("prod/kept.yaml");
    repository.push("Without it");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.teams().await, ["a", "b", "c", "d", "kept"]);
    let status = stage.status().await;
    assert_eq!(status["history"][0]["detail"], "1 kept that left the repository");
    assert_eq!(status["inventory"].as_array().map(Vec::len), Some(5));
    assert_eq!(status["kept"], json!(["team/default/kept"]));
    let told = status["message"].as_str().unwrap();
    let (_, command) = told
        .split_once("until `whoosh reconcile gitsource/fleet ")
        .unwrap();
    let lift: Vec<&str> = command.trim_end_matches('`').split(' ').collect();
    let (code, said) = stage.reconcile(&lift).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.teams().await, ["a", "b", "c", "d"]);
    let status = stage.status().await;
    assert_eq!(status["history"][0]["detail"], "1 deleted");
    assert_eq!(status.get("kept"), None);
}

#[tokio::test]
async fn a_source_may_do_no_more_than_somebody_who_edits_its_namespace() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    let policy = "apiVersion: chorus.services/v1\nkind: Policy\nmetadata:\n  name: mine\nspec:\n  allow:\n    \
                  dockerSocket: true\n";
    repository.write("prod/policy.yaml", policy);
    repository.write(
        "prod/other.yaml",
        &team("a").replace("  name: a\n", "  name: a\n  namespace: other\n"),
    );
    repository.push("Too much");
    stage.source(json!({})).await;
    let status = stage.until_message("is not applied").await;
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains("a Policy is not for this source to declare, which has the role edit in default"),
        "{message}"
    );
    assert!(
        message.contains("is \"other\", and this source may declare objects of default alone"),
        "{message}"
    );

    let elsewhere = json!({"url": "file:///etc/fleet.git"});
    stage.source(elsewhere).await;
    let status = stage.until_message("may not fetch").await;
    assert_eq!(status["conditions"][2]["status"], "True", "{status}");
}

#[tokio::test]
async fn a_suspended_source_leaves_everything_as_it_is() {
    let stage = Stage::with_teams(&["a"], json!({})).await;
    stage
        .source(json!({"suspend": true, "suspension": {"by": "ada", "reason": "audit"}}))
        .await;
    stage.until_message("suspended by ada: audit").await;
    stage.repository.write("prod/b.yaml", &team("b"));
    stage.repository.push("Another");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("suspended by ada"), "{said}");
    assert_eq!(stage.teams().await, ["a"]);

    let whoosh = |arguments: &'static [&'static str]| stage.operator.whoosh(arguments);
    let suspend = whoosh(&["suspend", "gitsource/fleet", "--for=1h"]).await.ok();
    assert!(
        suspend.starts_with("gitsource/fleet suspended until 20"),
        "{suspend}"
    );
    let status = stage.until_message("suspended by unix:uid=").await;
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains(" until 20") && !message.contains("audit"),
        "{message}"
    );
    assert_eq!(stage.teams().await, ["a"]);
    let resume = whoosh(&["resume", "gitsource/fleet"]).await.ok();
    assert_eq!(resume, "gitsource/fleet resumed\n");
    stage.until_message("is applied: 2 objects").await;
    stage.until_told("gitsource/fleet", "Resumed").await;

    // One whose time is over leaves nothing behind: to suspend it again is a change.
    whoosh(&["suspend", "gitsource/fleet", "--for=1s"]).await.ok();
    stage.until_message("suspended by").await;
    stage.until_message("is applied: 2 objects").await;
    let source = stage.operator.get(&["gitsource/fleet"]).await;
    assert_eq!(source["spec"].get("suspend"), None, "{source}");
    assert_eq!(source["spec"].get("suspension"), None, "{source}");
    let again = r#"{"spec": {"suspend": true}}"#;
    let patch = ["patch", "gitsource/fleet", "--type", "merge", "-p", again];
    stage.operator.whoosh(&patch).await.ok();
    stage.until_message("suspended").await;

    // Who declares it ends it.
    let past = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "fleet"}, "spec": {
        "url": stage.repository.url(), "suspend": true, "suspension": {"until": "2026-01-01T00:00:00Z"}}});
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    stage.operator.whoosh_with(&apply, &past.to_string()).await.ok();
    stage.until_message("is applied: 2 objects").await;
    let source = stage.operator.get(&["gitsource/fleet"]).await;
    assert_eq!(source["spec"]["suspend"], true, "{source}");
}

#[tokio::test]
async fn a_source_that_waits_is_ready_when_its_teams_are() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &team("a"));
    repository.write(
        "prod/b.yaml",
        &team("b").replace(
            "  roles",
            "    placement: {constraints: [node.labels.nowhere==true]}\n  roles",
        ),
    );
    repository.push("Two teams, and no node for one of them");
    stage.source(json!({"wait": true})).await;
    let status = stage
        .until_message("; 1 of 2 objects are not ready: team/b is ")
        .await;
    assert_eq!(status["ready"], "False");
    assert_eq!(status["health"]["ready"], 1, "{status}");
    assert_eq!(status["health"]["notReady"][0]["object"], "team/default/b");
    let waited = stage.reconcile(&["--timeout", "0"]).await;
    assert!(
        waited.0 == 1 && waited.1.contains("timed out waiting until gitsource/fleet is "),
        "{waited:?}"
    );

    repository.write("prod/b.yaml", &team("b"));
    repository.push("Mended");
    let (code, said) = stage.reconcile(&["--timeout", "2m"]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");
    let status = stage.status().await;
    assert_eq!(status["health"], json!({"ready": 2, "total": 2}));
    let ready = stage.operator.get(&["team/b"]).await["status"]["state"].clone();
    assert_eq!(ready, "Ready");
}

#[tokio::test]
async fn what_a_repository_must_not_hold_is_refused_with_its_place() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    let clone = stage.folder().join("clone");
    std::os::unix::fs::symlink("/etc/passwd", clone.join("prod/link.yaml")).unwrap();
    let link = stage.repository.push("A link");
    stage.source(json!({})).await;
    let status = stage
        .until_message("\"prod/link.yaml\" is not read: it is a symbolic link")
        .await;
    assert_eq!(status["ready"], "False");
    // The commit is tried, and that is told like any other try.
    assert_eq!(status["attemptedRevision"], link.as_str());
    let told = &status["history"][0];
    assert_eq!(
        (&told["result"], &told["message"]),
        (&json!("Refused"), &json!("A link")),
        "{status}"
    );
    assert_eq!(status["conditions"][0]["reason"], "ContentRefused", "{status}");
    assert!(stage.teams().await.is_empty());
    git(&clone, &["rm", "--quiet", "prod/link.yaml"]);
    stage.repository.push("Without it");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn what_people_declared_before_is_the_repositorys_once_that_says_it() {
    let stage = Stage::new().await;
    let two = team("a").replace(
        "  roles:",
        "  task: {title: t, description: d}\n  roles:\n  - name: second\n    agent: {image: second:dev}",
    );
    stage.operator.apply(&two, &[]).await.ok();
    stage.repository.write("prod/a.yaml", &two);
    stage.repository.push("As it is");
    stage.source(json!({})).await;
    stage.until_message("is applied").await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("Less");
    let (code, said) = stage.reconcile(&[]).await;
    assert_eq!(code, 0, "{said}");
    let spec = stage.operator.get(&["team/a"]).await["spec"].clone();
    assert_eq!(spec.get("task"), None, "{spec}");
    assert_eq!(spec["roles"].as_array().map(Vec::len), Some(1), "{spec}");
}

#[tokio::test]
async fn a_source_that_is_touched_all_the_time_is_applied_all_the_same() {
    let stage = Stage::new().await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    let touched = async {
        for count in 0.. {
            let label = format!("touched={count}");
            let label = ["label", "gitsource/fleet", &label, "--overwrite"];
            stage.operator.whoosh(&label).await;
        }
    };
    let applied = async {
        stage.source(json!({})).await;
        stage.until_message("is applied: 1 object").await;
        stage.repository.write("prod/b.yaml", &team("b"));
        stage.repository.push("Another");
        let (code, said) = stage.reconcile(&[]).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(stage.teams().await, ["a", "b"]);
    };
    tokio::select! {
        () = touched => {}
        () = applied => {}
    }
}
