//! Objects that a source declares, and leaves as they are because somebody pinned them.

use serde_json::{Value, json};

use super::stage::{Stage, team};
use crate::harness::eventually::eventually;

const UNPIN: &str = "chorus.services/pinned-";

/// A team of the roles that are named.
fn roles(name: &str, roles: &[&str]) -> String {
    let roles: String = roles.iter().map(|role| format!("  - name: {role}\n")).collect();
    team(name).replace("  - name: worker\n", &roles)
}

impl Stage {
    async fn roles(&self, name: &str) -> Vec<String> {
        let team = self.operator.get(&[&format!("team/{name}")]).await;
        let roles = team["spec"]["roles"].as_array().unwrap().iter();
        roles
            .map(|role| role["name"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn until_roles(&self, name: &str, expected: &[&str]) {
        let patience = std::time::Duration::from_secs(30);
        eventually(patience, "the roles are these", async || {
            let roles = self.roles(name).await;
            if roles == expected {
                Ok(())
            } else {
                Err(format!("{roles:?}"))
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_undone_stays_so_until_it_is_unpinned() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    repository.write("prod/a.yaml", &roles("a", &["worker", "helper"]));
    repository.write("prod/b.yaml", &team("b"));
    repository.push("Two teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 2 objects").await;
    repository.write("prod/a.yaml", &roles("a", &["worker"]));
    repository.push("No helper");
    assert_eq!(stage.reconcile(&[]).await.0, 0);
    assert_eq!(stage.roles("a").await, ["worker"]);

    let undone = stage.operator.whoosh(&["rollout", "undo", "team/a"]).await;
    let told = [
        "gitsource/fleet declares team/a, which is pinned now: it stays like this, whatever is committed."
            .to_owned(),
        format!(
            "commit this (`whoosh export team/a`) to {} at prod, then unpin it:",
            repository.url()
        ),
        format!("  whoosh annotate team/a {UNPIN}"),
    ];
    for told in told {
        assert!(undone.err.contains(&told), "{told}: {}", undone.err);
    }
    let out = undone.ok();
    assert!(out.starts_with("team/a rolled back to revision "), "{out}");
    stage
        .until_message("is applied: 2 objects, 1 of them pinned (team/a)")
        .await;
    assert_eq!(stage.roles("a").await, ["worker", "helper"]);
    let pin =
        stage.operator.get(&["team/a"]).await["metadata"]["annotations"]["chorus.services/pinned"].clone();
    let pin = pin.as_str().unwrap_or_default();
    assert!(
        pin.starts_with("revision ") && pin.contains(" by unix:uid="),
        "{pin}"
    );
    let exported = stage.operator.whoosh(&["export", "team/a"]).await.ok();
    assert!(
        exported.contains("helper") && !exported.contains("pinned"),
        "{exported}"
    );

    // Neither drift nor a commit changes what is pinned, and the rest of the commit is applied.
    let drift = r#"{"spec": {"project": "acme/a", "defaults": {"image": "other:dev"}}}"#;
    let patch = |what| ["patch", what, "--type", "merge", "-p", drift];
    stage.operator.whoosh(&patch("team/a")).await.ok();
    stage.operator.whoosh(&patch("team/b")).await.ok();
    stage.until_told("team/b", "PutBack").await;
    repository.write("prod/a.yaml", &roles("a", &["worker", "third"]));
    repository.write("prod/b.yaml", &roles("b", &["worker", "second"]));
    repository.push("More of both");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("1 of them pinned (team/a)"), "{said}");
    assert_eq!(stage.roles("b").await, ["worker", "second"]);
    assert_eq!(stage.roles("a").await, ["worker", "helper"]);
    let status = stage.status().await;
    assert_eq!(status["pinned"], json!(["team/default/a"]));
    assert_eq!(status["history"][0]["detail"], "1 configured, 1 pinned");
    let a = stage.operator.get(&["team/a"]).await;
    assert_eq!(a["spec"]["defaults"]["image"], "other:dev");

    stage.told_of_a_pin().await;
    let events = stage.events("gitsource/fleet").await;
    assert_eq!(events.matches(" Pinned ").count(), 1, "{events}");

    // Unpinned, it is as the commit has it: what was put back is gone, what others set since is theirs.
    stage.operator.whoosh(&["annotate", "team/a", UNPIN]).await.ok();
    stage.until_roles("a", &["worker", "third"]).await;
    stage.until_message("is applied: 2 objects").await;
    let a = stage.operator.get(&["team/a"]).await;
    assert_eq!(a["spec"]["defaults"]["image"], "chorus-agent:dev");
    assert_eq!(a["spec"]["project"], "acme/a");
    stage.until_told("gitsource/fleet", "Unpinned").await;
    let events = stage.events("team/a").await;
    assert!(!events.contains("PutBack"), "{events}");
    assert_eq!(stage.status().await["pinned"], Value::Null);
}

impl Stage {
    /// Everything that tells of the source says that the team `a` is pinned.
    async fn told_of_a_pin(&self) {
        for (command, told) in [
            (&["tree", "gitsource/fleet"][..], "team/a (pinned)"),
            (&["describe", "gitsource/fleet"], "Pinned: team/a"),
            (&["why", "gitsource/fleet"], "Pinned: team/a: left as they are"),
            (&["why", "team/a"], "it is pinned, and left as it is"),
        ] {
            let said = self.operator.whoosh(command).await.ok();
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(told), "{command:?}: {said}");
        }
    }
}

#[tokio::test]
async fn what_is_pinned_by_hand_is_judged_and_kept_when_it_leaves() {
    let stage = Stage::new().await;
    let repository = &stage.repository;
    for name in ["a", "b", "c"] {
        repository.write(&format!("prod/{name}.yaml"), &team(name));
    }
    repository.push("Three teams");
    stage.source(json!({})).await;
    stage.until_message("is applied: 3 objects").await;
    let pin = ["annotate", "team/a", "chorus.services/pinned=true"];
    stage.operator.whoosh(&pin).await.ok();
    stage.until_message("1 of them pinned (team/a)").await;

    repository.write("prod/a.yaml", &team("a").replace("roles", "rolls"));
    repository.push("A mistake in what is pinned");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("spec.rolls"), "{said}");

    repository.remove("prod/a.yaml");
    repository.remove("prod/b.yaml");
    repository.push("Only one is left");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(
        code == 0 && said.contains("is applied: 2 objects, 1 of them pinned (team/a)"),
        "{said}"
    );
    stage.until_teams(&["a", "c"]).await;
    stage.operator.whoosh(&["annotate", "team/a", UNPIN]).await.ok();
    stage.until_teams(&["c"]).await;

    let pinned = team("c").replace(
        "  name: c\n",
        "  name: c\n  annotations: {chorus.services/pinned: x}\n",
    );
    repository.write("prod/c.yaml", &pinned);
    repository.push("A pin that is committed");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("leave it out"), "{said}");
}
