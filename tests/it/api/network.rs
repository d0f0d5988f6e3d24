//! The API over the network: TLS, tokens, and who may do what.

use std::net::SocketAddr;

use futures::future::join_all;
use jiff::civil::date;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use whoosh::api::{self, Authority, SecurePort};

use super::{Answer, PATIENCE, Server, TEAMS, answer, at, server, team};
use crate::harness::jwt::{self, Issuer, claims};

pub(super) const TOKENS: &str = "/apis/chorus.services/v1/tokens";

/// The network side of a server.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    /// What its certificate is signed by.
    pub(super) certificate: String,
    http: reqwest::Client,
}

impl Door {
    pub(super) async fn of(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let today = date(2026, 1, 1);
        let authority = Authority::open(folder.path(), today).unwrap();
        let config = authority.serve_as(&["localhost".to_owned()], today).unwrap();
        let port = SecurePort::bind("127.0.0.1:0".parse().unwrap(), config)
            .await
            .unwrap();
        let address = port.address();
        tokio::spawn(port.serve(api::router(server.api.clone()), server.closing.clone()));
        let trusted = reqwest::Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .build()
            .unwrap();
        Self {
            address,
            certificate: authority.certificate().to_owned(),
            http,
        }
    }

    pub(super) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = format!("https://localhost:{}{path}", self.address.port());
        let request = self.http.request(method, url).timeout(PATIENCE);
        match token {
            "" => request,
            token => request.bearer_auth(token),
        }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        answer(self.request(Method::GET, path, token)).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path, token).json(body)).await
    }
}

/// A new token.
pub(super) async fn token(server: &Server, wanted: &Value) -> String {
    let made = server.post(TOKENS, wanted).await.ok(201);
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_that_counts() {
    let server = server().await;
    let door = Door::of(&server).await;
    let view = token(
        &server,
        &json!({"name": "view", "role": "view", "namespaces": null}),
    )
    .await;
    let brief = json!({"name": "brief", "role": "view", "namespaces": null, "lifetimeSeconds": 0});
    let brief = token(&server, &brief).await;
    let wrong = view.replace(&view[10..20], "0000000000");
    for (token, code) in [
        ("", 401),
        ("whoosh_", 401),
        (&*wrong, 401),
        (&*brief, 401),
        (&*view, 200),
    ] {
        for path in [TEAMS, "/apis", "/metrics", "/version", "/no/such/path"] {
            let expected = if code == 200 && path.starts_with("/no") {
                404
            } else {
                code
            };
            assert_eq!(door.get(path, token).await.code, expected, "{path} {token}");
        }
        assert_eq!(door.get("/livez", token).await.code, 200);
    }
    let refused = door.get(TEAMS, "").await.refused(401, "Unauthorized");
    assert_eq!(refused, "Unauthorized");

    server.delete(&format!("{TOKENS}/view")).await.ok(200);
    door.get(TEAMS, &view).await.refused(401, "Unauthorized");
}

#[tokio::test]
async fn each_role_does_what_it_may_where_it_may() {
    let server = server().await;
    server.create("payments").await;
    let door = Door::of(&server).await;
    let elsewhere = TEAMS.replace("default", "prod");
    let everywhere = "/apis/chorus.services/v1/teams";
    let status = format!("{}/status", at("payments"));
    let history = format!("{}/history", at("payments"));
    for (role, allowed) in [
        ("admin", "list list-prod list-all create status history tokens"),
        ("edit", "list list-prod list-all create history"),
        ("view", "list list-prod list-all history"),
        ("agent", "list list-prod list-all"),
    ] {
        let token = token(&server, &json!({"name": role, "role": role, "namespaces": null})).await;
        let patch = json!({"status": {"state": "Ready"}}).to_string();
        let requests = [
            ("list", door.request(Method::GET, TEAMS, &token)),
            ("list-prod", door.request(Method::GET, &elsewhere, &token)),
            ("list-all", door.request(Method::GET, everywhere, &token)),
            (
                "create",
                door.request(Method::POST, TEAMS, &token)
                    .json(&team(&format!("by-{role}"))),
            ),
            (
                "status",
                door.request(Method::PATCH, &status, &token)
                    .header("content-type", super::MERGE_PATCH)
                    .body(patch),
            ),
            ("history", door.request(Method::GET, &history, &token)),
            ("tokens", door.request(Method::GET, TOKENS, &token)),
        ];
        let mut done = Vec::new();
        for (what, request) in requests {
            match answer(request).await.code {
                200 | 201 => done.push(what),
                403 => {}
                code => panic!("{role} {what}: {code}"),
            }
        }
        assert_eq!(done.join(" "), allowed, "{role}");
    }

    let narrow = json!({"name": "narrow", "role": "edit", "namespaces": ["default"]});
    let narrow = token(&server, &narrow).await;
    door.get(TEAMS, &narrow).await.ok(200);
    assert_eq!(
        door.get(&elsewhere, &narrow).await.refused(403, "Forbidden"),
        "teams.chorus.services is forbidden: User \"token:narrow\" cannot list resource \"teams\" in API group \
         \"chorus.services\" in the namespace \"prod\""
    );
    let all = door.get(everywhere, &narrow).await.refused(403, "Forbidden");
    assert!(all.ends_with("at the cluster scope"), "{all}");
}

#[tokio::test]
async fn what_somebody_changed_is_known_by_their_name() {
    let server = server().await;
    let door = Door::of(&server).await;
    let token = token(
        &server,
        &json!({"name": "ci", "role": "edit", "namespaces": null}),
    )
    .await;
    let request = door.request(Method::POST, TEAMS, &token).json(&team("payments"));
    answer(request).await.ok(201);
    let history = server.get(&format!("{}/history", at("payments"))).await.ok(200);
    assert_eq!(history["items"][0]["actor"], "token:ci@127.0.0.1", "{history}");
    let listed = server.get(TOKENS).await;
    assert!(!listed.text.contains(&token), "a token is told once");
    let listed = listed.ok(200);
    assert_eq!(listed["items"][0]["name"], "ci");
    assert!(listed["items"][0]["lastUsed"].is_string(), "{listed}");
    let again = server
        .post(TOKENS, &json!({"name": "ci", "role": "view", "namespaces": null}))
        .await;
    assert_eq!(
        again.refused(409, "AlreadyExists"),
        "tokens \"ci\" already exists"
    );
    for (wanted, part) in [
        (
            json!({"name": "x", "role": "view", "namespaces": null, "lifetimeSeconds": 400_000_000_000_u64}),
            "lifetimeSeconds must be at most a hundred years",
        ),
        (
            json!({"name": "x", "role": "view", "namespaces": null, "lifetimeSeconds": u64::MAX}),
            "lifetimeSeconds must be at most a hundred years",
        ),
        (
            json!({"name": "x", "role": "root", "namespaces": null}),
            "unknown variant `root`",
        ),
        (
            json!({"name": "a/b", "role": "view", "namespaces": null}),
            "a token's name must be a DNS label",
        ),
        (
            json!({"name": "x", "role": "view", "namespaces": [""]}),
            "a token's namespace must be a DNS label",
        ),
    ] {
        let refused = server.post(TOKENS, &wanted).await.refused(400, "BadRequest");
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn who_made_and_who_revoked_a_token_is_kept() {
    let server = server().await;
    let door = Door::of(&server).await;
    let wanted = |name: &str| json!({"name": name, "role": "admin", "namespaces": null});
    let ada = token(&server, &wanted("ada")).await;
    door.post(TOKENS, &ada, &wanted("eve")).await.ok(201);
    let revoke = door.request(Method::DELETE, &format!("{TOKENS}/eve"), &ada);
    answer(revoke).await.ok(200);
    door.post(TOKENS, &ada, &wanted("eve")).await.ok(201);
    server.delete(&format!("{TOKENS}/ada")).await.ok(200);
    server
        .delete(&format!("{TOKENS}/ada"))
        .await
        .refused(404, "NotFound");

    let local = format!("unix:uid={}", rustix::process::getuid().as_raw());
    let listed = server.get(TOKENS).await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let listed = server.get(&format!("{TOKENS}?revoked=true")).await.ok(200);
    let told = |field: &str| -> Vec<Value> {
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|item| item[field].clone()).collect()
    };
    assert_eq!(told("name"), ["ada", "eve", "eve"]);
    let by_ada = "token:ada@127.0.0.1";
    assert_eq!(told("createdBy"), [local.as_str(), by_ada, by_ada]);
    assert_eq!(told("revokedBy"), [json!(local), json!(by_ada), Value::Null]);
    assert!(listed["items"][1]["revoked"].is_string(), "{listed}");
}

#[tokio::test]
async fn a_jwt_of_the_issuer_that_is_trusted_comes_in() {
    let mut server = server().await;
    let issuer = Issuer::new();
    let jwt = issuer.sign(&claims("ada", "edit"));
    let closed = Door::of(&server).await;
    closed.get(TEAMS, &jwt).await.refused(401, "Unauthorized");

    server.api.jwt = Some(issuer.trusted());
    let door = Door::of(&server).await;
    let request = door.request(Method::POST, TEAMS, &jwt).json(&team("payments"));
    answer(request).await.ok(201);
    let history = server.get(&format!("{}/history", at("payments"))).await.ok(200);
    assert_eq!(history["items"][0]["actor"], "jwt:ada@127.0.0.1", "{history}");
    let refused = door.get(TOKENS, &jwt).await.refused(403, "Forbidden");
    assert!(refused.contains("User \"jwt:ada\" cannot list"), "{refused}");

    let elsewhere = TEAMS.replace("default", "prod");
    let mut narrow = claims("bob", "view");
    narrow["namespaces"] = json!(["prod"]);
    let narrow = issuer.sign(&narrow);
    door.get(&elsewhere, &narrow).await.ok(200);
    door.get(TEAMS, &narrow).await.refused(403, "Forbidden");
    let mut nowhere = claims("eve", "admin");
    nowhere["namespaces"] = json!([]);
    let nowhere = issuer.sign(&nowhere);
    door.get("/apis", &nowhere).await.ok(200);
    for path in [TEAMS, &elsewhere, TOKENS, "/metrics"] {
        door.get(path, &nowhere).await.refused(403, "Forbidden");
    }

    // Tokens come in beside it, and what says that it is one is none of the issuer's.
    let token = token(
        &server,
        &json!({"name": "ada", "role": "view", "namespaces": null}),
    )
    .await;
    door.get(TEAMS, &token).await.ok(200);
    let disguised = format!("whoosh_{jwt}");
    door.get(TEAMS, &disguised).await.refused(401, "Unauthorized");
}

#[tokio::test]
async fn a_watch_ends_when_its_bearer_does_not_count_any_more() {
    let mut server = server().await;
    let issuer = Issuer::new();
    server.api.jwt = Some(issuer.trusted());
    let door = Door::of(&server).await;
    let wanted = |name: &str| json!({"name": name, "role": "view", "namespaces": null});
    let (kept, revoked) = (wanted("kept"), wanted("revoked"));
    let (kept, revoked) = (token(&server, &kept).await, token(&server, &revoked).await);
    let mut ending = claims("eve", "view");
    // It counts for as long as clocks may differ, of which a part is left.
    ending["exp"] = json!(jwt::now() - 15);
    let expiring = issuer.sign(&ending);
    let watch = async |bearer: &str| {
        let path = format!("{TEAMS}?watch=true");
        let request = door.request(Method::GET, &path, bearer).timeout(PATIENCE * 3);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
    };
    let mut kept = watch(&kept).await;
    let ended = [watch(&revoked).await, watch(&expiring).await].map(|mut watch| async move {
        let end = async { while watch.chunk().await.unwrap().is_some() {} };
        timeout(PATIENCE * 2, end).await.expect("the watch ends");
    });
    server.delete(&format!("{TOKENS}/revoked")).await.ok(200);
    join_all(ended).await;

    server.create("later").await;
    let mut told = String::new();
    while !told.contains("\"later\"") {
        let chunk = timeout(PATIENCE, kept.chunk()).await.expect("an event in time");
        told.push_str(&String::from_utf8_lossy(
            &chunk.unwrap().expect("the watch goes on"),
        ));
    }
}

#[tokio::test]
async fn nothing_is_said_without_tls() {
    let server = server().await;
    let door = Door::of(&server).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut told = Vec::new();
    // It may be cut before it is read.
    let _ = stream.read_to_end(&mut told).await;
    assert!(!String::from_utf8_lossy(&told).contains("HTTP"), "{told:?}");
}

#[tokio::test]
async fn nobody_acts_as_somebody_else() {
    let server = server().await;
    let door = Door::of(&server).await;
    let admin = token(
        &server,
        &json!({"name": "admin", "role": "admin", "namespaces": null}),
    )
    .await;
    for (header, value, named) in [
        ("Impersonate-User", "ada", "cannot impersonate resource \"users\""),
        ("impersonate-group", "viewers", "cannot impersonate"),
        ("Impersonate-Extra-Reason", "test", "cannot impersonate"),
    ] {
        let ask = |request: RequestBuilder| answer(request.header(header, value));
        let refused = ask(door.request(Method::GET, TEAMS, &admin)).await;
        let refused = refused.refused(403, "Forbidden");
        assert!(refused.contains(named), "{refused}");
        let local = ask(server.request(Method::POST, TEAMS).json(&team("payments"))).await;
        local.refused(403, "Forbidden");
    }
    assert_eq!(server.get(TEAMS).await.ok(200)["items"], json!([]));
}
