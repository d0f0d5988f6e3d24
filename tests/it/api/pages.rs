//! Lists that are given in parts, all of one moment.

use serde_json::{Value, json};

use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType};

use super::{Server, TEMPLATES, names, server};

const EVENTS: &str = "/api/v1/namespaces/default/events";

/// All parts of a list, with `meanwhile` between the first and the second.
async fn parts(server: &Server, list: &str, meanwhile: impl AsyncFnOnce()) -> Vec<Value> {
    let mut parts = vec![server.get(list).await.ok(200)];
    meanwhile().await;
    while let Some(next) = parts
        .last()
        .and_then(|part| part["metadata"]["continue"].as_str())
    {
        let next = format!("{list}&continue={next}");
        parts.push(server.get(&next).await.ok(200));
    }
    parts
}

/// What nothing holds once it is deleted.
async fn create(server: &Server, name: &str) {
    let template = json!({
        "apiVersion": "chorus.services/v1", "kind": "AgentTemplate", "metadata": {"name": name}, "spec": {},
    });
    server.post(TEMPLATES, &template).await.ok(201);
}

fn at(name: &str) -> String {
    format!("{TEMPLATES}/{name}")
}

async fn five() -> Server {
    let server = server().await;
    for name in ["a", "b", "c", "d", "e"] {
        create(&server, name).await;
    }
    server
}

#[tokio::test]
async fn the_parts_of_a_list_are_of_one_moment() {
    let server = five().await;
    let parts = parts(&server, &format!("{TEMPLATES}?limit=2"), async || {
        server.delete(&at("c")).await.ok(200);
        server
            .patch(&at("d"), &json!({"metadata": {"labels": {"tier": "web"}}}))
            .await
            .ok(200);
        create(&server, "bb").await;
        create(&server, "f").await;
        server.delete(&at("a")).await.ok(200);
    })
    .await;
    let named: Vec<Vec<&str>> = parts.iter().map(|part| names(part)).collect();
    assert_eq!(named, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    assert!(
        parts
            .iter()
            .all(|part| part["metadata"]["resourceVersion"] == "5"),
        "{parts:?}"
    );
    let d = &parts[1]["items"][1];
    assert_eq!(
        (&d["metadata"]["labels"], &d["metadata"]["resourceVersion"]),
        (&Value::Null, &json!("4"))
    );
    let now = server.get(TEMPLATES).await.ok(200);
    assert_eq!(names(&now), ["b", "bb", "d", "e", "f"]);
}

#[tokio::test]
async fn what_is_selected_is_counted_and_not_what_is_read() {
    let server = five().await;
    for name in ["b", "e"] {
        server
            .patch(&at(name), &json!({"metadata": {"labels": {"tier": "web"}}}))
            .await
            .ok(200);
    }
    let list = format!("{TEMPLATES}?limit=1&labelSelector=tier%3Dweb");
    let parts = parts(&server, &list, async || {}).await;
    let named: Vec<Vec<&str>> = parts.iter().map(|part| names(part)).collect();
    assert_eq!(named, [["b"], ["e"]]);
}

#[tokio::test]
async fn a_moment_of_the_past_can_be_listed_as_long_as_it_is_known() {
    let server = five().await;
    server.delete(&at("b")).await.ok(200);
    let exact = |revision: i64| format!("{TEMPLATES}?resourceVersionMatch=Exact&resourceVersion={revision}");
    assert_eq!(names(&server.get(&exact(3)).await.ok(200)), ["a", "b", "c"]);
    assert_eq!(names(&server.get(&exact(6)).await.ok(200)), ["a", "c", "d", "e"]);
    server.get(&exact(7)).await.refused(504, "Timeout");
    let begun = server.get(&format!("{TEMPLATES}?limit=1")).await.ok(200);
    let next = begun["metadata"]["continue"].as_str().unwrap();
    server.delete(&at("c")).await.ok(200);
    server
        .store
        .compact(server.store.revision().await.unwrap())
        .await
        .unwrap();
    create(&server, "g").await;
    for path in [exact(3), format!("{TEMPLATES}?limit=1&continue={next}")] {
        let refused = server.get(&path).await.refused(410, "Expired");
        assert!(refused.contains("list again"), "{refused}");
    }
}

async fn tell(server: &Server, message: &str) {
    let event = EventRecord {
        regarding: Key::new(Kind::Team, "default", "payments"),
        uid: "u".to_owned(),
        type_: EventType::Normal,
        reason: "Told".to_owned(),
        message: message.to_owned(),
    };
    server.store.record_event(event).await.unwrap();
}

#[tokio::test]
async fn what_is_not_stored_as_an_object_is_given_in_parts_of_one_moment() {
    let server = server().await;
    for message in ["a", "b", "c", "d", "e"] {
        tell(&server, message).await;
    }
    let whole = server.get(EVENTS).await.ok(200);
    let parts = parts(&server, &format!("{EVENTS}?limit=2"), async || {
        tell(&server, "a").await;
        tell(&server, "f").await;
    })
    .await;
    let given: Vec<Vec<&str>> = parts
        .iter()
        .map(|part| {
            let items = part["items"].as_array().unwrap().iter();
            items.map(|event| event["message"].as_str().unwrap()).collect()
        })
        .collect();
    assert_eq!(given, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    let left: Vec<&Value> = parts
        .iter()
        .map(|part| &part["metadata"]["remainingItemCount"])
        .collect();
    assert_eq!(left, [&json!(3), &json!(1), &Value::Null]);
    for part in &parts {
        assert_eq!(
            part["metadata"]["resourceVersion"],
            whole["metadata"]["resourceVersion"]
        );
    }

    let next = parts[0]["metadata"]["continue"].as_str().unwrap();
    let newer = "/apis/events.k8s.io/v1/namespaces/default/events";
    for other in ["/api/v1/events", "/api/v1/namespaces/prod/events", newer] {
        let refused = server.get(&format!("{other}?continue={next}")).await;
        let refused = refused.refused(410, "Expired");
        assert!(refused.contains("list again"), "{refused}");
    }
    let selected = format!("{EVENTS}?continue={next}&fieldSelector=type%3DWarning");
    server.get(&selected).await.refused(410, "Expired");
    let stored = format!("{TEMPLATES}?continue={next}");
    server.get(&stored).await.refused(410, "Expired");
}

#[tokio::test]
async fn definitions_are_given_in_parts_too() {
    let server = server().await;
    let list = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let all = server.get(list).await.ok(200);
    let parts = parts(&server, &format!("{list}?limit=4"), async || {}).await;
    let given: Vec<Value> = parts
        .iter()
        .flat_map(|part| part["items"].as_array().unwrap().clone())
        .collect();
    assert_eq!((parts.len(), &json!(given)), (2, &all["items"]));
    let revision = all["metadata"]["resourceVersion"].as_str().unwrap();
    let exact = |revision: &str| format!("{list}?resourceVersionMatch=Exact&resourceVersion={revision}");
    assert_eq!(server.get(&exact(revision)).await.ok(200), all);
    server.get(&exact("7")).await.refused(410, "Expired");
}
