//! Bearers that do not count, or not for that.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{House, head};
use crate::api::network::{TOKENS, token};
use crate::api::wire::{codes, say};
use crate::api::{MERGE_PATCH, PATIENCE, TEAMS, answer, at, team};
use crate::harness::jwt::{self, HOUR, Issuer, claims};

#[tokio::test]
async fn who_guesses_learns_nothing_and_is_stopped() {
    let house = House::new().await;
    let good = house.jwt("view");
    let revoked = token(
        &house.server,
        &json!({"name": "gone", "role": "admin", "namespaces": null}),
    )
    .await;
    house.server.delete(&format!("{TOKENS}/gone")).await.ok(200);
    let lapsed = json!({"name": "lapsed", "role": "admin", "namespaces": null, "lifetimeSeconds": 0});
    let lapsed = token(&house.server, &lapsed).await;
    let mut late = claims("eve", "admin");
    late["exp"] = json!(jwt::now() - HOUR);
    let late = house.issuer.sign(&late);

    let mut answers = BTreeSet::new();
    for bearer in [
        "whoosh_",
        "whoosh_0000000000000000000000000000000000000000000000000000000000000000",
        &revoked,
        &lapsed,
        &late,
        "a.b.c",
        "",
    ] {
        let told = say(&house.door, &format!("{}\r\n", head("GET", TEAMS, bearer))).await;
        let lines = told.split("\r\n").filter(|line| !line.starts_with("date:"));
        answers.insert(lines.collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let told = answers.first().unwrap();
    assert!(told.starts_with("HTTP/1.1 401 Unauthorized\n"), "{told}");
    assert!(told.contains("\"message\":\"Unauthorized\""), "{told}");

    // Guesses at full speed, until there were too many; a good bearer of the same address is held up with them.
    let guess = "GET /apis HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a.b.c\r\n\r\n".repeat(500);
    let last = head("GET", "/apis", &good);
    let guessing = async {
        loop {
            let told = codes(&say(&house.door, &format!("{guess}{last}\r\n")).await);
            assert!(
                told.iter().all(|code| matches!(code, 200 | 401 | 429)),
                "{told:?}"
            );
            if told.contains(&429) {
                return;
            }
        }
    };
    timeout(PATIENCE * 2, guessing)
        .await
        .expect("too many guesses are stopped");
}

#[tokio::test]
async fn strangers_learn_that_something_fails_and_not_what() {
    let house = House::new().await;
    for bearer in ["", "a.b.c", "whoosh_0"] {
        let told = house.door.get("/readyz?verbose", bearer).await;
        assert_eq!(told.code, 503, "{told:?}");
        assert!(
            told.text.contains("[-]docker failed: reason withheld\n"),
            "{told:?}"
        );
        assert!(!told.text.contains("/nowhere"), "{told:?}");
    }
    let known = house.door.get("/readyz", &house.narrow("view").await).await;
    assert!(known.text.contains("/nowhere/docker.sock"), "{known:?}");

    let flood = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500);
    let last = head("GET", "/livez", "");
    let asking =
        async { while !codes(&say(&house.door, &format!("{flood}{last}\r\n")).await).contains(&429) {} };
    timeout(PATIENCE * 2, asking)
        .await
        .expect("too many questions are stopped");
}

#[tokio::test]
async fn one_name_in_many_jwts_is_one_caller() {
    let house = House::new().await;
    // Each of its JWTs is another, and all are hers.
    let asked = |count: u64| {
        let mut claims = claims("eve", "view");
        claims["jti"] = json!(count);
        let jwt = house.issuer.sign(&claims);
        format!("GET /apis HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {jwt}\r\n\r\n")
    };
    let other = head("GET", "/apis", &house.jwt("view"));
    let asking = async {
        loop {
            let many: String = (0..500).map(asked).collect();
            let told = codes(&say(&house.door, &format!("{many}{other}\r\n")).await);
            let (others, hers) = told.split_last().unwrap();
            if hers.contains(&429) {
                return *others;
            }
        }
    };
    let others = timeout(PATIENCE * 2, asking)
        .await
        .expect("too many requests are stopped");
    assert_eq!(others, 200, "nobody else is held up");
}

#[tokio::test]
async fn a_jwt_that_does_not_count_opens_nothing() {
    let house = House::new().await;
    let with = |name: &str, value: Value| {
        let mut claims = claims("eve", "admin");
        claims[name] = value;
        claims
    };
    let good = claims("eve", "admin");
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT"});
    let signed = house.issuer.sign(&good);
    let signature = signed.rsplit_once('.').unwrap().1;
    let stranger = Issuer::new();
    let own_key = json!({
        "alg": "EdDSA",
        "kid": "../../../../dev/null",
        "jku": "https://evil.example/keys",
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    });
    for (what, jwt) in [
        (
            "expired",
            house.issuer.sign(&with("exp", json!(jwt::now() - HOUR))),
        ),
        ("early", house.issuer.sign(&with("nbf", json!(jwt::now() + HOUR)))),
        ("for ever", house.issuer.sign(&with("exp", Value::Null))),
        (
            "of another issuer",
            house.issuer.sign(&with("iss", json!("https://evil.example"))),
        ),
        (
            "for another audience",
            house.issuer.sign(&with("aud", json!("cluster"))),
        ),
        (
            "of a role that there is not",
            house.issuer.sign(&with("role", json!("root"))),
        ),
        ("of nobody", house.issuer.sign(&with("sub", json!("")))),
        (
            "without a signature",
            format!("{}.", jwt::unsigned(&header("none"), &good)),
        ),
        (
            "without an algorithm",
            format!("{}.{signature}", jwt::unsigned(&header("none"), &good)),
        ),
        (
            "with another algorithm",
            house.issuer.sign_as(&header("RS256"), &good),
        ),
        ("with the public key as a secret", house.issuer.forge(&good)),
        ("with a key of a stranger", stranger.sign(&good)),
        ("with a key of its own", stranger.sign_as(&own_key, &good)),
        ("with claims of another", {
            let claims = jwt::unsigned(&header("EdDSA"), &with("sub", json!("root")));
            format!("{claims}.{signature}")
        }),
    ] {
        for path in [TEAMS, "/apis", "/metrics", TOKENS] {
            let told = house.door.get(path, &jwt).await;
            assert_eq!(told.code, 401, "{what} {path}: {}", told.text);
            assert_eq!(told.refused(401, "Unauthorized"), "Unauthorized", "{what}");
        }
    }
    house.door.get(TEAMS, &signed).await.ok(200);
}

#[tokio::test]
async fn who_may_look_changes_nothing() {
    let house = House::new().await;
    let tokens = [house.narrow("view").await, house.jwt("view")];
    let whole = house.server.get(&at("payments")).await.ok(200);
    let labels = json!({"metadata": {"labels": {"mine": "yes"}}});
    let roles = json!({"spec": {"roles": [{"name": "coordinator", "replicas": 9}]}});
    let below = |subresource: &str| format!("{}/{subresource}", at("payments"));
    let applied = format!("{}?fieldManager=eve&force=true", at("payments"));
    let dry = format!("{}?dryRun=All", at("payments"));
    for (method, path, media, body) in [
        (Method::PATCH, at("payments"), MERGE_PATCH, labels.clone()),
        (Method::PATCH, at("payments"), MERGE_PATCH, roles.clone()),
        (
            Method::PATCH,
            at("payments"),
            "application/json-patch+json",
            json!([{"op": "add", "path": "/metadata/labels", "value": {"mine": "yes"}}]),
        ),
        (
            Method::PATCH,
            applied,
            "application/apply-patch+yaml",
            team("payments"),
        ),
        (Method::PATCH, dry, MERGE_PATCH, labels),
        (Method::PUT, at("payments"), "application/json", whole.clone()),
        (
            Method::PATCH,
            below("status"),
            MERGE_PATCH,
            json!({"status": {"state": "Ready"}}),
        ),
        (Method::PUT, below("status"), "application/json", whole.clone()),
        (
            Method::PATCH,
            below("scale"),
            MERGE_PATCH,
            json!({"spec": {"replicas": 9}}),
        ),
        (
            Method::PUT,
            below("scale"),
            "application/json",
            json!({"spec": {"replicas": 9}}),
        ),
        (Method::POST, below("plan"), "application/json", roles),
        (Method::POST, TEAMS.to_owned(), "application/json", team("new")),
        (Method::DELETE, at("payments"), "application/json", json!({})),
        (Method::DELETE, TEAMS.to_owned(), "application/json", json!({})),
    ] {
        for token in &tokens {
            let request = house.door.request(method.clone(), &path, token);
            let request = request.header("content-type", media).body(body.to_string());
            let refused = answer(request).await.refused(403, "Forbidden");
            assert!(refused.contains(":view\" cannot "), "{method} {path}: {refused}");
        }
    }
    assert_eq!(house.server.get(&at("payments")).await.ok(200), whole);
    house.is_untouched().await;
}
