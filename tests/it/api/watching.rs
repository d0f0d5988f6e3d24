//! Watches: nothing is lost, nothing is repeated, and selectors are kept to.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;
use whoosh::resource::{Key, Kind, Revision};
use whoosh::store::{EventRecord, EventType};

use super::{PATIENCE, Server, TEAMS, at, server, team};

/// A watch that is being read.
struct Watch {
    response: Response,
    read: Vec<u8>,
}

impl Watch {
    async fn start(server: &Server, query: &str) -> Self {
        Self::of(server, TEAMS, query).await
    }

    async fn of(server: &Server, collection: &str, query: &str) -> Self {
        let path = format!("{collection}?watch=true&{query}");
        let response = server.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        Self {
            response,
            read: Vec::new(),
        }
    }

    /// The next event; `None` when the server ended the watch.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let chunk = timeout(PATIENCE, self.response.chunk())
                .await
                .expect("an event in time");
            self.read.extend(chunk.unwrap()?);
        }
    }

    /// The next events, as `ADDED name@revision`.
    async fn told(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            let event = self.next().await.unwrap();
            let metadata = &event["object"]["metadata"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            told.push(format!(
                "{} {}@{}",
                text(&event["type"]),
                text(&metadata["name"]),
                text(&metadata["resourceVersion"])
            ));
        }
        told
    }
}

async fn label(server: &Server, name: &str, tier: &str) {
    let patch = json!({"metadata": {"labels": {"tier": tier}}});
    server.patch(&at(name), &patch).await.ok(200);
}

/// Asks for deletion and takes the finalizer off.
async fn remove(server: &Server, name: &str) {
    server.delete(&at(name)).await.ok(200);
    let released = json!({"metadata": {"finalizers": null}});
    server.patch(&at(name), &released).await.ok(200);
}

#[tokio::test]
async fn a_watch_starts_with_what_is_there_and_goes_on_with_what_changes() {
    let server = server().await;
    server.create("a").await;
    server.create("b").await;
    let mut watch = Watch::start(&server, "resourceVersion=0").await;
    assert_eq!(watch.told(2).await, ["ADDED a@1", "ADDED b@2"]);
    label(&server, "a", "web").await;
    server
        .post(&TEAMS.replace("default", "other"), &team("far"))
        .await
        .ok(201);
    remove(&server, "b").await;
    server.create("c").await;
    assert_eq!(
        watch.told(4).await,
        ["MODIFIED a@3", "MODIFIED b@5", "DELETED b@6", "ADDED c@7"]
    );
}

#[tokio::test]
async fn a_watch_resumes_without_loss_or_repetition() {
    let server = server().await;
    let list = server.get(TEAMS).await.ok(200);
    let mut cursor = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for round in 0..5 {
        for number in 0..3 {
            server.create(&format!("t{round}{number}")).await;
        }
        let mut watch = Watch::start(&server, &format!("resourceVersion={cursor}")).await;
        // Two of three are read before the connection is dropped; the third must come with the next watch.
        let count = if round == 4 { 15 - seen.len() } else { 2 };
        for _ in 0..count {
            let event = watch.next().await.unwrap();
            assert_eq!(event["type"], "ADDED");
            let metadata = &event["object"]["metadata"];
            cursor = metadata["resourceVersion"].as_str().unwrap().to_owned();
            seen.push(cursor.clone());
        }
    }
    let expected: Vec<String> = (1..=15).map(|revision: i64| revision.to_string()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_object_that_stops_matching_is_deleted_for_the_watcher() {
    let server = server().await;
    let mut web = team("a");
    web["metadata"]["labels"] = json!({"tier": "web"});
    server.post(TEAMS, &web).await.ok(201);
    server.create("b").await;
    let mut fresh = Watch::start(&server, "labelSelector=tier%3Dweb").await;
    let mut resumed = Watch::start(&server, "labelSelector=tier%3Dweb&resourceVersion=2").await;
    label(&server, "a", "db").await;
    label(&server, "a", "cache").await;
    label(&server, "b", "web").await;
    server
        .patch(&at("b"), &json!({"spec": {"project": "x"}}))
        .await
        .ok(200);
    label(&server, "a", "web").await;
    remove(&server, "a").await;
    let changes = [
        "DELETED a@3",
        "ADDED b@5",
        "MODIFIED b@6",
        "ADDED a@7",
        "MODIFIED a@8",
        "DELETED a@9",
    ];
    assert_eq!(fresh.told(1).await, ["ADDED a@1"]);
    assert_eq!(fresh.told(6).await, changes);
    assert_eq!(resumed.told(6).await, changes);
    let mut again = Watch::start(&server, "labelSelector=tier%3Dweb&resourceVersion=2").await;
    let left = again.next().await.unwrap();
    assert_eq!(
        left["object"]["metadata"]["labels"]["tier"], "web",
        "as it was: {left}"
    );
    assert_eq!(left["object"]["metadata"]["resourceVersion"], "3");

    let mut named = Watch::start(&server, "fieldSelector=metadata.name%3Db&resourceVersion=0").await;
    assert_eq!(named.told(1).await, ["ADDED b@6"]);
    server.create("c").await;
    label(&server, "b", "db").await;
    assert_eq!(named.told(1).await, ["MODIFIED b@11"]);
}

#[tokio::test]
async fn a_revision_that_is_not_kept_is_gone_before_anything_else() {
    let server = server().await;
    for name in ["a", "b", "c"] {
        server.create(name).await;
    }
    server.store.compact(Revision(3)).await.unwrap();
    for (revision, part) in [(1, "too old resource version"), (99, "ahead of the store")] {
        let mut watch = Watch::start(&server, &format!("resourceVersion={revision}")).await;
        let event = watch.next().await.unwrap();
        assert_eq!(event["type"], "ERROR", "{event}");
        let status = &event["object"];
        assert_eq!(
            (&status["code"], &status["reason"]),
            (&json!(410), &json!("Expired"))
        );
        let message = status["message"].as_str().unwrap();
        assert!(
            message.contains(part) && message.contains("list again"),
            "{message}"
        );
        assert_eq!(watch.next().await, None);
    }
    let mut kept = Watch::start(&server, "resourceVersion=3").await;
    server.create("d").await;
    assert_eq!(kept.told(1).await, ["ADDED d@4"]);
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_over_with_a_bookmark_to_go_on_from() {
    let server = server().await;
    server.create("a").await;
    let query = "timeoutSeconds=1&allowWatchBookmarks=true&fieldSelector=metadata.name%3Da";
    let mut watch = Watch::start(&server, query).await;
    assert_eq!(watch.told(1).await, ["ADDED a@1"]);
    server.create("b").await;
    let bookmark = watch.next().await.unwrap();
    let object =
        json!({"kind": "Team", "apiVersion": "chorus.services/v1", "metadata": {"resourceVersion": "2"}});
    assert_eq!(bookmark, json!({"type": "BOOKMARK", "object": object}));
    assert_eq!(watch.next().await, None);
}

async fn record(server: &Server, name: &str) {
    let event = EventRecord {
        regarding: Key::new(Kind::Team, "default", name),
        uid: format!("uid-{name}"),
        type_: EventType::Normal,
        reason: "Created".to_owned(),
        message: "Something happened".to_owned(),
    };
    server.store.record_event(event).await.unwrap();
}

#[tokio::test]
async fn a_watch_of_what_is_looked_at_goes_on_from_its_bookmarks() {
    let server = server().await;
    let events = "/api/v1/events";
    let query = "allowWatchBookmarks=true";
    let mut watch = Watch::of(&server, events, query).await;
    record(&server, "a").await;
    assert_eq!(watch.next().await.unwrap()["type"], "ADDED");
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    let place = &bookmark["object"]["metadata"]["resourceVersion"];
    let listed = server.get(events).await.ok(200);
    assert_eq!(listed["metadata"]["resourceVersion"], *place);

    let from = format!("{query}&resourceVersion={}", place.as_str().unwrap());
    let mut last = Watch::of(&server, events, &format!("{from}&timeoutSeconds=1")).await;
    assert_eq!(
        last.next().await.unwrap(),
        bookmark,
        "the last word is where to go on"
    );
    assert_eq!(last.next().await, None);
    let mut next = Watch::of(&server, events, &from).await;
    record(&server, "b").await;
    let told = next.next().await.unwrap();
    assert_eq!(
        (&told["type"], &told["object"]["involvedObject"]["name"]),
        (&json!("ADDED"), &json!("b"))
    );
}

#[tokio::test]
async fn a_watch_tells_when_the_present_state_is_complete() {
    let server = server().await;
    server.create("a").await;
    let initial = "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents";
    for from in ["", "&resourceVersion=0", "&resourceVersion=1"] {
        let mut watch = Watch::start(&server, &format!("{initial}=true{from}")).await;
        assert_eq!(watch.told(1).await, ["ADDED a@1"], "{from}");
        let end = watch.next().await.unwrap();
        assert_eq!(end["type"], "BOOKMARK", "{end}");
        let metadata = json!({"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}});
        assert_eq!(end["object"]["metadata"], metadata);
    }
    let ahead = server
        .get(&format!("{TEAMS}?watch=true&{initial}=true&resourceVersion=9"))
        .await;
    ahead.refused(504, "Timeout");

    let mut changes = Watch::start(&server, &format!("{initial}=false")).await;
    server.create("b").await;
    assert_eq!(changes.told(1).await, ["ADDED b@2"]);
}

#[tokio::test]
async fn a_watch_without_a_time_goes_on() {
    let server = server().await;
    let mut watch = Watch::start(&server, "timeoutSeconds=0").await;
    server.create("a").await;
    assert_eq!(watch.told(1).await, ["ADDED a@1"]);
    server.create("b").await;
    assert_eq!(watch.told(1).await, ["ADDED b@2"]);
}

#[tokio::test]
async fn a_change_reaches_a_hundred_watchers() {
    let server = server().await;
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(Watch::start(&server, "resourceVersion=0").await);
    }
    server.create("a").await;
    for watch in &mut watches {
        assert_eq!(watch.told(1).await, ["ADDED a@1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watchers_are_told_once_and_in_order_what_fifty_write_at_once() {
    const TURNS: usize = 4;
    let server = server().await;
    let watches = (0..100).map(|_| Watch::start(&server, "resourceVersion=0"));
    let mut watches = join_all(watches).await;
    let writers = (0..50).map(async |writer| {
        let name = format!("t{writer}");
        server.create(&name).await;
        for turn in 1..TURNS {
            label(&server, &name, &turn.to_string()).await;
        }
    });
    let told = watches.iter_mut().map(|watch| watch.told(50 * TURNS));
    let (_, told) = tokio::join!(join_all(writers), join_all(told));
    let revisions: Vec<usize> = told[0]
        .iter()
        .map(|event| event.rsplit('@').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(revisions, (1..=50 * TURNS).collect::<Vec<_>>());
    let others = told.iter().filter(|events| **events != told[0]);
    assert_eq!(others.count(), 0, "all are told the same");
}

#[tokio::test]
async fn a_watch_of_what_is_looked_at_goes_on_from_what_was_told_last() {
    let server = server().await;
    let events = "/api/v1/events";
    record(&server, "a").await;
    // As clients do that ask for no bookmarks: from the last object, again and again, whether or not anything happens meanwhile.
    let mut watch = Watch::of(&server, events, "timeoutSeconds=1").await;
    let a = watch.next().await.unwrap();
    assert_eq!(watch.next().await, None);
    let from = |told: &Value| {
        let revision = told["object"]["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned();
        format!("resourceVersion={revision}")
    };
    for _ in 0..2 {
        let quiet = format!("{}&timeoutSeconds=1", from(&a));
        assert_eq!(Watch::of(&server, events, &quiet).await.next().await, None);
    }
    record(&server, "b").await;
    let mut watch = Watch::of(&server, events, &from(&a)).await;
    let b = watch.next().await.unwrap();
    assert_eq!(b["object"]["involvedObject"]["name"], "b", "{b}");

    // From a list, too, although it is no more as it was.
    let listed = server.get(events).await.ok(200);
    server.store.expire_events(Duration::ZERO).await.unwrap();
    record(&server, "c").await;
    let revision = listed["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = Watch::of(&server, events, &format!("resourceVersion={revision}")).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = watch.next().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        told.push((
            text(&event["type"]),
            text(&event["object"]["involvedObject"]["name"]),
        ));
    }
    let expected = [("DELETED", "a"), ("DELETED", "b"), ("ADDED", "c")];
    assert_eq!(
        told,
        expected.map(|(word, name)| (word.to_owned(), name.to_owned()))
    );
    let gone = Watch::of(&server, events, "resourceVersion=12345")
        .await
        .next()
        .await
        .unwrap();
    assert_eq!(gone["object"]["reason"], "Expired", "{gone}");
}
