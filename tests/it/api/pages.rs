//! Lists that are given in parts, all of one moment.

use serde_json::{Value, json};

use super::{Server, TEMPLATES, names, server};

/// All parts of a list of `limit` objects each, with `meanwhile` between the first and the second.
async fn parts(server: &Server, query: &str, meanwhile: impl AsyncFnOnce()) -> Vec<Value> {
    let mut parts = vec![server.get(&format!("{TEMPLATES}?{query}")).await.ok(200)];
    meanwhile().await;
    while let Some(next) = parts
        .last()
        .and_then(|part| part["metadata"]["continue"].as_str())
    {
        parts.push(
            server
                .get(&format!("{TEMPLATES}?{query}&continue={next}"))
                .await
                .ok(200),
        );
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
    let parts = parts(&server, "limit=2", async || {
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
    let parts = parts(&server, "limit=1&labelSelector=tier%3Dweb", async || {}).await;
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
