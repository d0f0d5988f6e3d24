//! Events: repeats are counted, the newest comes last.

use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType, MAX_EVENTS};

use super::store;

fn event(namespace: &str, reason: &str, message: &str) -> EventRecord {
    EventRecord {
        regarding: Key::new(Kind::Team, namespace, "a"),
        uid: "uid-of-a".to_owned(),
        type_: EventType::Warning,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn told(events: &[Event]) -> Vec<(&str, i32)> {
    let told = events.iter();
    told.map(|event| (event.reason.as_deref().unwrap(), event.count.unwrap()))
        .collect()
}

#[tokio::test]
async fn a_repeated_event_is_counted_and_moves_to_the_end() {
    let (_database, store) = store().await;
    for (reason, message) in [
        ("CrashLoop", "exit code 1"),
        ("Scheduled", "on node1"),
        ("CrashLoop", "exit code 1"),
        ("CrashLoop", "exit code 2"),
        ("CrashLoop", "exit code 1"),
    ] {
        store
            .record_event(event("default", reason, message))
            .await
            .unwrap();
    }
    let events = store.list_events(None).await.unwrap();
    assert_eq!(
        told(&events),
        [("Scheduled", 1), ("CrashLoop", 1), ("CrashLoop", 3)]
    );

    let Event {
        metadata,
        involved_object: about,
        first_timestamp,
        last_timestamp,
        type_,
        message,
        ..
    } = &events[2];
    assert_eq!(message.as_deref(), Some("exit code 1"));
    assert_eq!(type_.as_deref(), Some("Warning"));
    assert!(first_timestamp < last_timestamp);
    assert_eq!(metadata.namespace.as_deref(), Some("default"));
    assert_ne!(metadata.name, events[1].metadata.name);
    assert_eq!(about.kind.as_deref(), Some("Team"));
    assert_eq!(about.name.as_deref(), Some("a"));
    assert_eq!(about.uid.as_deref(), Some("uid-of-a"));
}

#[tokio::test]
async fn events_are_listed_by_namespace_and_expire() {
    let (_database, store) = store().await;
    store.record_event(event("default", "One", "m")).await.unwrap();
    let mut other = event("prod", "Two", "m");
    other.uid = "uid-of-another".to_owned();
    store.record_event(other).await.unwrap();

    assert_eq!(
        told(&store.list_events(Some("prod")).await.unwrap()),
        [("Two", 1)]
    );
    assert_eq!(store.expire_events(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.expire_events(Duration::ZERO).await.unwrap(), 2);
    assert_eq!(store.list_events(None).await.unwrap(), []);
}

#[tokio::test]
async fn of_too_many_events_the_newest_are_listed() {
    let (database, store) = store().await;
    let many = format!(
        "INSERT INTO events (kind, namespace, name, regarding_uid, type, reason, message)
         SELECT 'Team', 'default', 'a', 'uid-of-a', 'Normal', 'Many', number::text
         FROM generate_series(1, {MAX_EVENTS}) AS number"
    );
    store.record_event(event("default", "Oldest", "m")).await.unwrap();
    database.query(&many).await.unwrap();
    store.record_event(event("default", "Newest", "m")).await.unwrap();
    let events = store.list_events(None).await.unwrap();
    assert_eq!(i64::try_from(events.len()), Ok(MAX_EVENTS));
    let reasons: Vec<&str> = told(&events).into_iter().map(|(reason, _)| reason).collect();
    assert!(!reasons.contains(&"Oldest"));
    assert_eq!(reasons.last(), Some(&"Newest"));
}

#[tokio::test]
async fn whatever_an_engine_says_can_be_told() {
    let (_database, store) = store().await;
    let long = "ä".repeat(5000);
    for message in [long.as_str(), "a\0b", ""] {
        store
            .record_event(event("default", "Said", message))
            .await
            .unwrap();
        store
            .record_event(event("default", "Said", message))
            .await
            .unwrap();
    }
    let events = store.list_events(None).await.unwrap();
    assert_eq!(told(&events), [("Said", 2); 3]);
    assert_eq!(events[0].message.as_deref(), Some(&*"ä".repeat(1024)));
    assert_eq!(events[1].message.as_deref(), Some("ab"));
}
