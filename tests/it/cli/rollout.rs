//! Going back to what an object was, without a repository.

use serde_json::json;

use super::{Office, team};

/// The image that is declared.
async fn image(office: &Office) -> String {
    let team = office.stored("payments").await.unwrap();
    team.spec["defaults"]["image"].as_str().unwrap().to_owned()
}

/// The team, labelled after it was new, and then with another image; the revisions 1, 2 and 4.
async fn changed() -> Office {
    let office = Office::open().await;
    office.apply(&team("payments", ""), &[]).await.ok();
    office.whoosh(&["label", "team/payments", "tier=web"]).await.ok();
    office.set_status("payments", json!({"replicas": 0})).await;
    let other = r#"{"spec": {"defaults": {"image": "other:dev"}}}"#;
    office
        .whoosh(&["patch", "team/payments", "--type=merge", "-p", other])
        .await
        .ok();
    office
}

#[tokio::test]
async fn a_change_is_undone_and_so_is_that() {
    let office = changed().await;
    let undo = async |more: &[&str]| {
        let all = [&["rollout", "undo", "team/payments"], more].concat();
        office.whoosh(&all).await
    };
    for (mode, suffix) in [("client", "dry run"), ("server", "server dry run")] {
        let told = undo(&[&format!("--dry-run={mode}")]).await.ok();
        assert_eq!(
            told,
            format!("team/payments rolled back to revision 1 ({suffix})\n")
        );
        assert_eq!(image(&office).await, "other:dev");
    }
    let printed = undo(&[]).await;
    assert_eq!(printed.err, "", "no source declares it");
    assert_eq!(printed.ok(), "team/payments rolled back to revision 1\n");
    assert_eq!(image(&office).await, "chorus-agent:dev");
    let stored = office.stored("payments").await.unwrap();
    assert!(!stored.is_pinned());
    let labels = stored.metadata.labels.clone().unwrap();
    assert_eq!(labels["tier"], "web", "labels stay");
    assert_eq!(
        stored.status,
        Some(json!({"replicas": 0})),
        "and so does the status"
    );
    assert_eq!(undo(&[]).await.ok(), "team/payments rolled back to revision 4\n");
    assert_eq!(image(&office).await, "other:dev");

    let same = undo(&["--to-revision", "4"]).await.ok();
    assert_eq!(
        same,
        "team/payments skipped rollback (current spec already matches revision 4)\n"
    );
    assert_eq!(
        undo(&["--to-revision=2"]).await.ok(),
        "team/payments rolled back to revision 2\n"
    );
    assert_eq!(image(&office).await, "chorus-agent:dev");
    let unknown = undo(&["--to-revision=77"]).await;
    assert_eq!(
        (unknown.err.as_str(), unknown.code),
        (
            "error: unable to find revision 77 in the history of team/payments; `whoosh rollout history team/payments` lists \
             them\n",
            1
        )
    );
}

#[tokio::test]
async fn every_kind_goes_back() {
    let office = Office::open().await;
    for (kind, spec, change) in [
        ("AgentTemplate", json!({"image": "a:1"}), json!({"image": "a:2"})),
        (
            "Policy",
            json!({"allow": {"dockerSocket": true}}),
            json!({"allow": {"dockerSocket": false}}),
        ),
        (
            "Council",
            json!({"defaults": {"image": "a:1"}, "roles": [{"name": "product-manager"}]}),
            json!({"defaults": {"image": "a:2", "model": "m"}, "roles": [{"name": "product-manager"}, {"name": "quality-lead"}]}),
        ),
        (
            "GitSource",
            json!({"url": "file:///srv/fleet.git", "interval": "1m"}),
            json!({"suspend": true, "suspension": {"by": "ada"}, "interval": null}),
        ),
    ] {
        let object = json!({"apiVersion": "chorus.services/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        office.apply(&object.to_string(), &[]).await.ok();
        let what = format!("{}/x", kind.to_lowercase());
        let get = async || {
            let printed = office.whoosh(&["get", &what, "-o", "json"]).await.ok();
            let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
            object["spec"].clone()
        };
        let before = get().await;
        let patch = json!({"spec": change}).to_string();
        office
            .whoosh(&["patch", &what, "--type=merge", "-p", &patch])
            .await
            .ok();
        let after = get().await;
        assert_ne!(after, before, "{kind}");
        for expected in [before, after] {
            let told = office.whoosh(&["rollout", "undo", &what]).await.ok();
            assert!(
                told.starts_with(&format!("{what} rolled back to revision ")),
                "{told}"
            );
            assert_eq!(get().await, expected, "{kind}");
        }
    }
}

#[tokio::test]
async fn the_changes_of_the_spec_are_listed_alone() {
    let office = changed().await;
    let history = |more: &'static [&'static str]| {
        let all = [&["rollout", "history", "team/payments"], more].concat();
        let office = &office;
        async move { office.whoosh(&all).await.ok() }
    };
    let told = history(&[]).await;
    let rows: Vec<Vec<&str>> = told
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["REVISION", "GENERATION", "WHO", "WHAT", "AGE"]);
    let told: Vec<[&str; 3]> = rows[1..].iter().map(|row| [row[0], row[1], row[3]]).collect();
    assert_eq!(told, [["1", "1", "create"], ["4", "2", "patch"]]);
    let diff = history(&["--diff"]).await;
    assert!(diff.contains("+    image: other:dev"), "{diff}");
}

#[tokio::test]
async fn what_cannot_be_gone_back_to_is_told() {
    let office = Office::open().await;
    office.apply(&team("payments", ""), &[]).await.ok();
    office.whoosh(&["label", "team/payments", "tier=web"]).await.ok();
    for (what, told) in [
        (
            "team/payments",
            "team/payments has nothing to go back to: its history tells of no other spec",
        ),
        ("team/nobody", "\"nobody\" not found"),
        ("agent/x.y.1", "an Agent is made of what is declared"),
    ] {
        let refused = office.whoosh(&["rollout", "undo", what]).await;
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{what}");
        assert!(refused.err.contains(told), "{what}: {}", refused.err);
    }
}

#[tokio::test]
async fn a_rollout_is_waited_for() {
    let office = Office::open().await;
    office.apply(&team("payments", ""), &[]).await.ok();
    let status = ["rollout", "status", "team/payments", "--watch=false"];
    let early = office.whoosh(&status).await;
    assert_eq!((early.code, early.out.as_str()), (1, ""), "{}", early.err);
    let ready = json!({"observedGeneration": 1, "conditions": [
        {"type": "Ready", "status": "True", "reason": "AgentsReady", "message": "", "observedGeneration": 1,
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    let waiting = office
        .desk
        .start(&["rollout", "status", "team/payments", "--timeout=30s"]);
    office.set_status("payments", ready).await;
    let told = super::printed(waiting).await.ok();
    assert_eq!(told, "team/payments successfully rolled out\n");
    assert_eq!(office.whoosh(&status).await.code, 0);
    let policy = office.whoosh(&["rollout", "status", "policy/limits"]).await;
    assert!(
        policy.code == 1 && policy.err.contains("a Policy has no agents to wait for"),
        "{policy:?}"
    );
}
