//! Repositories that ask who is there: what is said to them comes from files, and goes nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::stage::{Stage, team};
use crate::harness::git::bridge::{Bridge, Manner};
use crate::harness::git::sshd::{Sshd, strangers_key};

const WRONG: &str = "hunter2-of-nobody";
const FIRST: &str = "hunter2-of-the-first-day";
const SECOND: &str = "hunter2-of-the-second-day";

/// The reason of the source's condition `Ready`.
fn reason(status: &Value) -> &str {
    let conditions = status["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.unwrap()["reason"].as_str().unwrap()
}

/// Everything that is told of the source.
async fn told(stage: &Stage) -> String {
    let mut told = stage.operator.log();
    assert!(told.contains("TRACE"), "it says all it can");
    for arguments in [
        "get gitsource/fleet -o yaml",
        "describe gitsource/fleet",
        "why gitsource/fleet",
        "events",
        "history gitsource/fleet --all --diff",
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        told += &stage.operator.whoosh(&words).await.ok();
    }
    told
}

#[tokio::test]
async fn a_repository_by_https_is_told_who_asks_from_files_and_nobody_else_is() {
    let stage = Stage::with(&[("WHOOSH_LOG", "trace".to_owned())]).await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    let (server, certificate) = Bridge::start_tls(stage.folder(), Manner::To("ada", FIRST)).await;
    let source = json!({"url": server.url("fleet.git"), "secretRef": {"name": "fleet"}});
    stage.source(source).await;
    let status = stage.until_message("git-secrets/default/fleet/password").await;
    assert_eq!(
        (reason(&status), &status["ready"]),
        ("SecretNotFound", &json!("False"))
    );
    assert!(server.seen().is_empty(), "nobody was asked");

    stage.secret("ca.crt", &certificate);
    stage.secret("username", "ada\n");
    stage.secret("password", WRONG);
    let (code, said) = stage.reconcile(&[]).await;
    assert!(
        code == 1 && said.contains("the server refuses access: 401"),
        "{said}"
    );
    assert_eq!(reason(&stage.status().await), "FetchRefused");

    stage.secret("password", &format!("{FIRST}\n"));
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 1 object"), "{said}");

    server.behave(Manner::To("ada", SECOND));
    stage.repository.write("prod/b.yaml", &team("b"));
    stage.repository.push("Another");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("refuses access"), "{said}");
    stage.secret("password", "");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("password cannot be used"), "{said}");
    assert_eq!(reason(&stage.status().await), "SecretInvalid");
    stage.secret("password", SECOND);
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");

    // To be sent elsewhere is no reason to say there who one is.
    let (other, _) = Bridge::start_tls(stage.folder(), Manner::Well).await;
    let to_other = format!("Location: {}\r\n", other.url("fleet.git/info/refs"));
    server.behave(Manner::Redirecting(to_other));
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("redirects are not followed"), "{said}");
    other.until_open(0).await;
    assert!(other.seen().is_empty());

    let told = told(&stage).await;
    for password in [WRONG, FIRST, SECOND] {
        let basic = BASE64.encode(format!("ada:{password}"));
        assert!(!told.contains(password) && !told.contains(&basic));
    }
}

#[tokio::test]
async fn a_repository_by_ssh_takes_a_key_and_a_server_that_is_known() {
    let stage = Stage::with(&[("WHOOSH_LOG", "trace".to_owned())]).await;
    stage.repository.write("prod/a.yaml", &team("a"));
    stage.repository.push("A team");
    let server = Sshd::start().await;
    let url = server.url(&stage.folder().join("fleet.git"));
    stage
        .source(json!({"url": url, "secretRef": {"name": "fleet"}}))
        .await;
    stage.until_message("git-secrets/default/fleet/identity").await;

    stage.secret("identity", &strangers_key());
    let (code, said) = stage.reconcile(&[]).await;
    assert!(
        code == 1 && said.contains("git-secrets/default/fleet/known_hosts"),
        "{said}"
    );
    assert_eq!(reason(&stage.status().await), "SecretNotFound");

    stage.secret("known_hosts", &server.known_hosts_of_another());
    let (code, said) = stage.reconcile(&[]).await;
    assert!(
        code == 1 && said.contains("is not the one that known_hosts has"),
        "{said}"
    );

    stage.secret("known_hosts", &server.known_hosts());
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 1 && said.contains("Permission denied"), "{said}");
    assert_eq!(reason(&stage.status().await), "FetchRefused");

    stage.secret("identity", &server.identity());
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 1 object"), "{said}");
    stage.repository.write("prod/b.yaml", &team("b"));
    stage.repository.push("Another");
    let (code, said) = stage.reconcile(&[]).await;
    assert!(code == 0 && said.contains("is applied: 2 objects"), "{said}");

    let told = told(&stage).await;
    let key = server.identity();
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!told.contains(line));
    }
}

#[tokio::test]
async fn a_secret_is_of_the_sources_own_namespace() {
    let stage = Stage::new().await;
    stage.repository.push("Nothing");
    let source = json!({"url": "https://localhost:1/fleet.git", "secretRef": {"name": "fleet"}});
    stage.secret_of("other", "password", FIRST);
    stage.source(source).await;
    stage.until_message("git-secrets/default/fleet/password").await;
}
