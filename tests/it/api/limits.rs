//! What one client may cost the others, and how the server ends.

use std::time::Instant;

use futures::future::join_all;
use reqwest::Method;
use whoosh::api::{MAX_BODY, Socket};

use super::{PATIENCE, TEAMS, answer, at, client, server};

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
