//! Webhooks: who may have a repository looked at without a token, and what it gets them.

use std::fs;
use std::path::Path;

use reqwest::{Method, RequestBuilder};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use whoosh::files::Folder;
use whoosh::resource::names::{hex, hook_path};
use whoosh::resource::{Key, Kind};

use super::network::{Door, token};
use super::wire::{codes, say};
use super::{PATIENCE, Server, answer, server};
use crate::harness::eventually::eventually;

const SECRET: &str = "hunter2-of-the-forge";
const SOURCES: &str = "/apis/chorus.services/v1/namespaces/default/gitsources";
const BODY: &str = "{\"ref\": \"refs/heads/main\", \"not\": [json";
const MOST: usize = 1024 * 1024;

/// A server on the network with a source, `fleet`, whose secret says what webhooks are signed with; and others whose
/// secrets do not.
struct House {
    server: Server,
    door: Door,
    secrets: TempDir,
}

fn path(name: &str) -> String {
    hook_path(&Key::new(Kind::GitSource, "default", name))
}

/// What `secret` makes of the body, in hexadecimal.
pub(crate) fn signed(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, body.as_bytes()).as_ref())
}

fn write(folder: &Path, secret: &str, content: &str) {
    let folder = folder.join("default").join(secret);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("webhook"), content).unwrap();
}

impl House {
    async fn new() -> Self {
        let secrets = tempfile::tempdir().unwrap();
        let mut server = server().await;
        server.api.git_secrets = Some(Folder::new(secrets.path().to_owned()));
        let door = Door::of(&server).await;
        write(secrets.path(), "fleet", &format!("{SECRET}\n"));
        write(secrets.path(), "empty", "\n");
        for (name, secret) in [
            ("fleet", json!({"name": "fleet"})),
            ("open", Value::Null),
            ("unsigned", json!({"name": "none"})),
            ("empty", json!({"name": "empty"})),
        ] {
            let source = json!({
                "apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": name},
                "spec": {"url": "https://git.example/acme/fleet.git", "secretRef": secret},
            });
            server.post(SOURCES, &source).await.ok(201);
        }
        Self {
            server,
            door,
            secrets,
        }
    }

    fn hook(&self, name: &str, headers: &[(&str, &str)]) -> RequestBuilder {
        let request = self.door.request(Method::POST, &path(name), "");
        let with = |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
        headers.iter().fold(request, with).body(BODY)
    }

    /// The source, as it is now.
    async fn source(&self, name: &str) -> Value {
        self.server.get(&format!("{SOURCES}/{name}")).await.ok(200)
    }

    /// When somebody last asked for a look at `fleet`.
    async fn asked(&self) -> Value {
        self.source("fleet").await["metadata"]["annotations"]["chorus.services/reconcile-requested-at"]
            .clone()
    }
}

#[tokio::test]
async fn each_forge_has_a_repository_looked_at_once_for_each_delivery() {
    let house = House::new().await;
    let signature = signed(SECRET, BODY);
    let github = format!("sha256={signature}");
    let before = house.source("fleet").await;
    let mut last = house.asked().await;
    assert_eq!(last, Value::Null);
    for (proof, number) in [
        (("X-Hub-Signature-256", github.as_str()), "X-GitHub-Delivery"),
        (("X-Gitea-Signature", &signature), "X-Gitea-Delivery"),
        (("X-Forgejo-Signature", &signature), "X-Forgejo-Delivery"),
        (("X-Gitlab-Token", SECRET), "X-Gitlab-Event-UUID"),
    ] {
        for (delivery, is_new) in [("1", true), ("1", false), ("2", true)] {
            let delivery = format!("{number}-{delivery}");
            let told = answer(house.hook("fleet", &[proof, (number, &delivery)])).await;
            let told = told.ok(202);
            assert_eq!(told["status"], "Success");
            let asked = house.asked().await;
            assert_eq!(asked != last, is_new, "{proof:?} {delivery}: {told}");
            last = asked;
        }
    }
    // Without a number, each counts.
    answer(house.hook("fleet", &[("X-Gitlab-Token", SECRET)]))
        .await
        .ok(202);
    assert_ne!(house.asked().await, last);

    let after = house.source("fleet").await;
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    let history = house
        .server
        .get(&format!("{SOURCES}/fleet/history"))
        .await
        .ok(200);
    let told = history.to_string();
    assert!(told.contains("webhook@127.0.0.1"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[tokio::test]
async fn whoever_proves_nothing_is_told_the_same_whatever_there_is() {
    let house = House::new().await;
    let admin = json!({"name": "root", "role": "admin", "namespaces": null});
    let admin = token(&house.server, &admin).await;
    let right = signed(SECRET, BODY);
    let (wrong, of_nothing) = (signed("another", BODY), signed("", BODY));
    let before = house.source("fleet").await;
    let mut told = Vec::new();
    for (name, signature) in [
        ("fleet", &wrong),
        ("none", &right),
        ("open", &right),
        ("unsigned", &right),
        ("empty", &right),
        ("empty", &of_nothing),
        ("open", &of_nothing),
        ("..%2Ffleet", &right),
        ("%ff", &right),
        ("a%00b", &right),
    ] {
        let headers = [("X-Gitea-Signature", signature.as_str())];
        told.push(answer(house.hook(name, &headers)).await);
        told.push(answer(house.hook(name, &headers).bearer_auth(&admin)).await);
    }
    let empty = [("X-Gitlab-Token", "")];
    told.push(answer(house.hook("empty", &empty)).await);
    told.push(answer(house.hook("fleet", &empty)).await);
    told.push(answer(house.hook("fleet", &[])).await);
    let other = house.hook("fleet", &[("X-Gitea-Signature", &right)]).body("{}");
    told.push(answer(other).await);
    let texts: Vec<String> = told.iter().map(|answer| answer.text.clone()).collect();
    for answer in told {
        assert_eq!(answer.refused(401, "Unauthorized"), "Unauthorized");
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_eq!(house.source("fleet").await, before);

    // What is read at each delivery counts from the next one on.
    write(house.secrets.path(), "fleet", "another");
    let headers = [("X-Gitea-Signature", wrong.as_str())];
    answer(house.hook("fleet", &headers)).await.ok(202);
}

#[tokio::test]
async fn a_strangers_body_and_haste_have_an_end() {
    let house = House::new().await;
    for name in ["fleet", "none"] {
        let large = house.server.request(Method::POST, &path(name));
        answer(large.body(vec![b' '; MOST + 1]))
            .await
            .refused(413, "RequestEntityTooLarge");
    }
    let largest = " ".repeat(MOST);
    let signature = signed(SECRET, &largest);
    let headers = [("X-Gitea-Signature", signature.as_str())];
    answer(house.hook("fleet", &headers).body(largest)).await.ok(202);
    answer(house.door.request(Method::GET, &path("fleet"), ""))
        .await
        .refused(405, "MethodNotAllowed");

    // One after another, at full speed, until there were too many.
    let one = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n",
        path("fleet")
    );
    let many = format!("{one}\r\n").repeat(500) + &one + "connection: close\r\n\r\n";
    eventually(PATIENCE, "too many are stopped", async || {
        let told = codes(&say(&house.door, &many).await);
        assert!(told.iter().all(|code| matches!(code, 401 | 429)), "{told:?}");
        if told.contains(&429) {
            Ok(())
        } else {
            Err(told.len())
        }
    })
    .await;
}

#[tokio::test]
async fn a_delivery_for_a_source_that_is_suspended_writes_nothing() {
    let house = House::new().await;
    let suspend = async |value: bool| {
        let patch = json!({"spec": {"suspend": value}});
        let at = format!("{SOURCES}/fleet");
        house.server.patch(&at, &patch).await.ok(200);
    };
    suspend(true).await;
    let before = house.source("fleet").await;
    let headers = [("X-Gitlab-Token", SECRET), ("X-Gitlab-Event-UUID", "1")];
    let told = answer(house.hook("fleet", &headers)).await.ok(202);
    assert_eq!(told["message"], "the source is suspended, and nothing is done");
    assert_eq!(house.source("fleet").await, before);
    // A forge that delivers it again is heard.
    suspend(false).await;
    answer(house.hook("fleet", &headers)).await.ok(202);
    assert_ne!(house.asked().await, Value::Null);
}
