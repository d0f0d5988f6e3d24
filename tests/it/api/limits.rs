//! What one client may cost the others, and how the server ends.

use std::time::Instant;

use futures::future::join_all;
use reqwest::Method;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use whoosh::api::{MAX_BODY, MAX_CONNECTIONS, MAX_REQUESTS, MAX_REQUESTS_OF_ONE, Socket};
use whoosh::resource::validate::DECLARED_MAX;

use super::network::{Door, TOKENS, token};
use super::{PATIENCE, Server, TEAMS, answer, at, client, server};
use crate::harness::eventually::eventually;

/// Both ends of many connections are in this process.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Sends a GET and returns its connection once the answer has begun.
async fn begin(server: &Server, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(&server.socket).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200", "{path}");
    stream
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    allow_many_files();
    let server = server().await;
    let watch = format!("{TEAMS}?watch=true");
    let mut watch = server.request(Method::GET, &watch).send().await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..3 * MAX_CONNECTIONS {
        idle.push(UnixStream::connect(&server.socket).await.unwrap());
    }
    let newcomer = client(&server.socket);
    let answered = newcomer.get(format!("http://localhost{TEAMS}"));
    let answered = tokio::time::timeout(PATIENCE, answered.send()).await;
    assert_eq!(answered.expect("an answer in time").unwrap().status(), 200);
    assert_eq!(
        idle[0].read(&mut [0]).await.unwrap(),
        0,
        "the longest idle was closed"
    );
    server.create("payments").await;
    let told = watch.chunk().await.unwrap().unwrap();
    assert!(
        String::from_utf8_lossy(&told).contains("payments"),
        "watches live on"
    );
}

#[tokio::test]
async fn who_watches_the_operator_is_answered_when_nobody_else_is() {
    allow_many_files();
    let server = server().await;
    let mut watches = Vec::new();
    for _ in 0..MAX_REQUESTS {
        watches.push(begin(&server, &format!("{TEAMS}?watch=true&resourceVersion=0")).await);
    }
    let refused = server.get(TEAMS).await;
    assert_eq!(refused.body["details"]["retryAfterSeconds"], 1);
    let refused = refused.refused(429, "TooManyRequests");
    assert!(refused.contains("end some of the watches"), "{refused}");
    for path in ["/healthz", "/livez"] {
        assert_eq!(server.get(path).await.text, "ok");
    }
    let ready = server.get("/readyz").await.text;
    assert!(ready.contains("[-]docker failed: "), "{ready}");
    let metrics = server.get("/metrics").await.text;
    let refusals = "whoosh_api_requests_total{verb=\"list\",resource=\"teams\",code=\"429\"} 1";
    assert!(metrics.contains(refusals), "{metrics}");
    let post = server.request(Method::POST, "/metrics");
    answer(post).await.refused(405, "MethodNotAllowed");

    watches.truncate(MAX_REQUESTS / 2);
    eventually(PATIENCE, "places are free again", async || {
        match server.get(TEAMS).await {
            answer if answer.code == 200 => Ok(()),
            answer => Err(answer.text),
        }
    })
    .await;
}

#[tokio::test]
async fn one_token_shuts_nobody_else_out() {
    allow_many_files();
    let server = server().await;
    let door = Door::of(&server).await;
    let wanted = |name: &str| json!({"name": name, "role": "agent", "namespaces": ["default"]});
    let greedy = token(&server, &wanted("greedy")).await;
    let modest = token(&server, &wanted("modest")).await;
    let path = format!("{TEAMS}?watch=true");
    let mut watches = Vec::new();
    for _ in 0..MAX_REQUESTS_OF_ONE {
        let watch = door.request(Method::GET, &path, &greedy).send().await.unwrap();
        assert_eq!(watch.status(), 200);
        watches.push(watch);
    }
    let refused = door.get(TEAMS, &greedy).await.refused(429, "TooManyRequests");
    assert!(
        refused.starts_with("token:greedy has 240 requests and watches under way"),
        "{refused}"
    );
    door.get(TEAMS, &modest).await.ok(200);
    server.delete(&format!("{TOKENS}/greedy")).await.ok(200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_not_read() {
    let server = server().await;
    let post = || {
        server
            .request(Method::POST, TEAMS)
            .header("content-type", "application/json")
    };
    let refused = answer(post().body(vec![b' '; MAX_BODY + 1])).await;
    assert!(refused.refused(413, "RequestEntityTooLarge").contains("3145728"));

    let chunks = (0..8).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let streamed = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    answer(post().body(streamed))
        .await
        .refused(413, "RequestEntityTooLarge");

    let padded = format!("{}{}", super::team("padded"), " ".repeat(MAX_BODY - 1000));
    answer(post().body(padded)).await.ok(201);
}

#[tokio::test]
async fn the_largest_object_has_a_status_and_can_be_deleted() {
    let server = server().await;
    let config = |name: &str, length: usize| json!({"name": name, "path": format!("/etc/{name}"), "data": "x".repeat(length)});
    let with = |mut team: Value, length: usize| {
        team["spec"]["defaults"]["configs"] = json!([config("a", DECLARED_MAX / 2), config("b", length)]);
        team
    };
    let made = server.post(TEAMS, &with(super::team("large"), 1)).await.ok(201);
    let mut declared = made.clone();
    declared["metadata"]["managedFields"].take();
    declared.as_object_mut().unwrap().remove("status");
    let room = DECLARED_MAX - declared.to_string().len();
    let refused = server.put(&at("large"), &with(made.clone(), room + 100)).await;
    assert!(refused.refused(422, "Invalid").contains("can be declared"));
    let full = server.put(&at("large"), &with(made, room)).await.ok(200);
    let status = json!({"status": {"state": "Ready", "message": "x".repeat(DECLARED_MAX)}});
    let status = server
        .patch(&format!("{}/status", at("large")), &status)
        .await
        .ok(200);
    assert_eq!(status["spec"], full["spec"]);
    let marked = server.delete(&at("large")).await.ok(200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let server = server().await;
    let many = (0..200).fold(server.request(Method::GET, TEAMS), |request, number| {
        request.header(format!("x-{number}"), "y")
    });
    assert_eq!(many.send().await.unwrap().status(), 431);
    let long = server
        .request(Method::GET, TEAMS)
        .header("x-long", "y".repeat(200_000));
    assert_eq!(long.send().await.unwrap().status(), 431);
    server.get(TEAMS).await.ok(200);
}

#[tokio::test]
async fn a_hundred_clients_are_served_at_once() {
    let server = server().await;
    server.create("payments").await;
    let clients = (0..100).map(|_| {
        let http = client(&server.socket);
        async move {
            let url = format!("http://localhost{}", at("payments"));
            http.get(url).send().await.unwrap().status().as_u16()
        }
    });
    let codes = join_all(clients).await;
    assert!(codes.iter().all(|code| *code == 200), "{codes:?}");
}

#[tokio::test]
async fn closing_ends_watches_and_frees_the_socket() {
    let server = server().await;
    let watch = format!("{TEAMS}?watch=true");
    let mut watch = server.request(Method::GET, &watch).send().await.unwrap();
    let busy = Socket::bind(&server.socket).unwrap_err().to_string();
    assert!(busy.contains("already running"), "{busy}");

    let started = Instant::now();
    server.closing.cancel();
    tokio::time::timeout(PATIENCE, server.serving)
        .await
        .unwrap()
        .unwrap();
    assert!(watch.chunk().await.unwrap().is_none());
    assert!(started.elapsed().as_secs() < 5, "nobody had to be cut");
    assert!(!server.socket.exists());
    Socket::bind(&server.socket).unwrap();
}

#[tokio::test]
async fn who_sends_too_much_is_told_so_and_not_cut_off() {
    let server = server().await;
    let body = vec![b' '; 4 * MAX_BODY];
    let mut stream = UnixStream::connect(&server.socket).await.unwrap();
    let head = format!(
        "POST {TEAMS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.expect("it is taken to its end");
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert!(told.contains("RequestEntityTooLarge"), "{told}");
}
