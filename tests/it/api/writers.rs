//! Many writers at once.

use futures::future::join_all;
use serde_json::json;

use super::{TEAMS, at, server, team};

const WRITERS: usize = 50;

#[tokio::test]
async fn fifty_patches_at_once_all_count() {
    let server = server().await;
    server.create("payments").await;
    let patches = (0..WRITERS).map(|writer| {
        let patch = json!({"metadata": {"labels": {format!("writer-{writer}"): "was-here"}}});
        let server = &server;
        async move { server.patch(&at("payments"), &patch).await.ok(200) }
    });
    let answers = join_all(patches).await;
    let team = server.get(&at("payments")).await.ok(200);
    assert_eq!(team["metadata"]["labels"].as_object().unwrap().len(), WRITERS);
    let mut revisions: Vec<&str> = answers
        .iter()
        .map(|answer| answer["metadata"]["resourceVersion"].as_str().unwrap())
        .collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(
        revisions.len(),
        WRITERS,
        "each answer is the writer's own revision"
    );
}

#[tokio::test]
async fn fifty_that_read_and_put_lose_nothing() {
    let server = server().await;
    server.create("payments").await;
    let writers = (0..WRITERS).map(|writer| {
        let server = &server;
        async move {
            loop {
                let mut team = server.get(&at("payments")).await.ok(200);
                team["metadata"]["labels"][format!("writer-{writer}")] = json!("was-here");
                let answer = server.put(&at("payments"), &team).await;
                if answer.code == 200 {
                    return;
                }
                answer.refused(409, "Conflict");
            }
        }
    });
    join_all(writers).await;
    let team = server.get(&at("payments")).await.ok(200);
    assert_eq!(team["metadata"]["labels"].as_object().unwrap().len(), WRITERS);
}

#[tokio::test]
async fn of_fifty_creations_one_succeeds() {
    let server = server().await;
    let creations = (0..WRITERS).map(|_| {
        let server = &server;
        async move { server.post(TEAMS, &team("payments")).await.code }
    });
    let codes = join_all(creations).await;
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1, "{codes:?}");
    assert_eq!(
        codes.iter().filter(|code| **code == 409).count(),
        WRITERS - 1,
        "{codes:?}"
    );
}
