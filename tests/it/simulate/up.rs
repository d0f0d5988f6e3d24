//! `whoosh up --simulate`, and what follows it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::converge;
use crate::harness::eventually::eventually;
use crate::harness::home::Home;

const STARTED: &[&str] = &["postgres", "nats", "swarm", "operator"];

/// The teams that the real kubectl finds with a configuration.
async fn kubectl(config: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("kubectl");
    command
        .args(["get", "teams", "--request-timeout=30s", "--kubeconfig"])
        .arg(config)
        .env("HOME", home.path());
    let printed = command.output().await;
    let printed = printed.expect("kubectl is missing: scripts/setup tests installs it");
    let errors = String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success(), "{errors}");
    String::from_utf8(printed.stdout).unwrap()
}

#[tokio::test]
async fn whoosh_can_be_tried_without_docker() {
    let machine = Home::new();
    let up = ["up", "--simulate", "--nodes", "5", "--timeout=120s"];
    let printed = machine.whoosh(&up, "").await.ok();
    machine.entrust(STARTED);
    assert!(
        printed.contains("the Swarm has 5 nodes on paper, and no container runs.\n"),
        "{printed}"
    );
    let files = converge::team("default", 9, "");
    let apply = ["apply", "-f", "-", "--wait", "--timeout=120s"];
    machine.whoosh(&apply, &files).await.ok();
    let agents = machine.whoosh(&["get", "agents"], "").await.ok();
    for node in 1..=5 {
        let name = format!("simulated-{node}");
        assert_eq!(agents.matches(&name).count(), 2, "{name}: {agents}");
    }
    let versions = machine.whoosh(&["version"], "").await.ok();
    assert!(
        versions.contains("Engine version: 20.10.24+simulated\n"),
        "{versions}"
    );

    // Secrets have their place.
    let source = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "fleet"},
                        "spec": {"url": "https://localhost:1/fleet.git", "secretRef": {"name": "fleet"}}});
    let apply = ["apply", "-f", "-"];
    machine.whoosh(&apply, &source.to_string()).await.ok();
    let secret = machine.home.join("git-secrets/default/fleet/password");
    eventually(Duration::from_secs(60), "a secret is missed", async || {
        let told = machine.whoosh(&["why", "gitsource/fleet"], "").await.ok();
        match told.contains(secret.to_str().unwrap()) {
            true => Ok(()),
            false => Err(told),
        }
    })
    .await;

    // A Swarm that died is there again, without what ran on it; the operator brings that back.
    machine.kill("swarm").await;
    let again = machine.whoosh(&up, "").await.ok();
    machine.entrust(STARTED);
    assert!(again.starts_with("The operator runs already.\n"), "{again}");
    let wait = ["wait", "team/payments", "--for=condition=Ready", "--timeout=120s"];
    machine.whoosh(&wait, "").await.ok();
    let as_before = machine.whoosh(&["up", "--simulate"], "").await.ok();
    assert!(as_before.contains("has 5 nodes on paper"), "{as_before}");

    // What kubectl is given is kept for as long as it opens the door, and what took its place is the only one that does.
    let kubeconfig = machine.home.join("kubeconfig");
    let given = fs::read_to_string(&kubeconfig).unwrap();
    assert!(
        as_before.contains(&format!("export KUBECONFIG={}", kubeconfig.display())),
        "{as_before}"
    );
    assert!(kubectl(&kubeconfig).await.contains("payments"));
    let made = machine
        .whoosh(&["kubeconfig", "--name", "ada", "--role", "view"], "")
        .await
        .ok();
    let of_prod = ["kubeconfig", "--name", "bob", "--for-namespace", "prod"];
    let of_prod = machine.whoosh(&of_prod, "").await.ok();
    assert!(of_prod.contains("namespace: prod\n"), "{of_prod}");
    // One that there is not keeps no other door open.
    let revoked = machine.whoosh(&["token", "revoke", "bobb", "bob"], "").await;
    assert!(
        revoked.code == 1 && revoked.out == "token/bob revoked\n" && revoked.err.contains("bobb"),
        "{revoked:?}"
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let of_ada = elsewhere.path().join("ada.kubeconfig");
    fs::write(&of_ada, made).unwrap();
    assert!(kubectl(&of_ada).await.contains("payments"));
    machine.whoosh(&["token", "revoke", "ada"], "").await.ok();
    machine.whoosh(&["up", "--simulate"], "").await.ok();
    assert_eq!(fs::read_to_string(&kubeconfig).unwrap(), given);
    let tokens = async || {
        let listed = machine.whoosh(&["token", "list", "-o", "json"], "").await.ok();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let names = listed["items"].as_array().unwrap().iter();
        names
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let [token] = &tokens().await[..] else {
        panic!("one token");
    };
    machine.whoosh(&["token", "revoke", token], "").await.ok();
    machine.whoosh(&["up", "--simulate"], "").await.ok();
    assert_ne!(fs::read_to_string(&kubeconfig).unwrap(), given);
    let [token] = &tokens().await[..] else {
        panic!("one token");
    };
    let path = kubeconfig.to_str().unwrap();
    let whoami = ["auth", "whoami", "--context", "whoosh", "--config", path];
    let whoami = machine.whoosh(&whoami, "").await.ok();
    assert!(whoami.contains(&format!("token:{token}")), "{whoami}");
    let elsewhere = fs::read_to_string(&kubeconfig).unwrap();
    fs::write(
        &kubeconfig,
        elsewhere.replace("https://127.0.0.1:", "https://127.0.0.2:"),
    )
    .unwrap();
    machine.whoosh(&["up", "--simulate"], "").await.ok();
    let now = tokens().await;
    assert!(now.len() == 1 && now[0] != *token, "{now:?}");

    let smaller = ["up", "--simulate", "--nodes", "1", "--timeout=120s"];
    let smaller = machine.whoosh(&smaller, "").await.ok();
    machine.entrust(STARTED);
    assert!(smaller.contains("has 1 node on paper"), "{smaller}");
    machine.whoosh(&wait, "").await.ok();

    let real = machine.whoosh(&["up"], "").await;
    assert_eq!(real.code, 1);
    assert!(
        real.err
            .contains("manages a simulated Swarm; `whoosh up --simulate` starts what is missing"),
        "{real:?}"
    );
    let kept = machine.whoosh(&["down", "--keep"], "").await.ok();
    assert!(kept.contains("`whoosh up --simulate` places it anew"), "{kept}");
    let down = machine.whoosh(&["down"], "").await.ok();
    assert!(down.ends_with(" are gone.\n"), "{down}");
    assert!(!machine.home.exists());
}

#[tokio::test]
async fn a_simulation_takes_no_database_and_no_nodes_of_a_real_swarm() {
    let machine = Home::new();
    for (arguments, told) in [
        (
            &["up", "--simulate", "--database-url", "postgres://db/whoosh"][..],
            "'--simulate' cannot be used with '--database-url",
        ),
        (&["up", "--nodes", "3"], "--simulate"),
        (&["up", "--simulate", "--nodes", "0"], "0 is not in 1..=1000"),
    ] {
        let printed = machine.whoosh(arguments, "").await;
        assert_eq!(printed.code, 2, "{printed:?}");
        assert!(printed.err.contains(told), "{printed:?}");
    }
}
