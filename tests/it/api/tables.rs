//! Objects in the forms that Kubernetes clients ask for: rows of a table, and metadata alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Server, TEAMS, answer, at, server};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

async fn get(server: &Server, accept: &str, path: &str) -> Value {
    let request = server.request(Method::GET, path).header("accept", accept);
    answer(request).await.ok(200)
}

#[tokio::test]
async fn a_list_is_printed_by_the_server() {
    let server = server().await;
    server.create("billing").await;
    let payments = server.create("payments").await;
    let list = server.get(TEAMS).await.ok(200);

    let table = get(&server, TABLE, TEAMS).await;
    assert_eq!(
        (&table["kind"], &table["apiVersion"]),
        (&json!("Table"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(table["metadata"], list["metadata"]);
    let columns = table["columnDefinitions"].as_array().unwrap();
    let named = |priority: i64| {
        let all = columns.iter().filter(|column| column["priority"] == priority);
        all.map(|column| column["name"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        named(0),
        ["Name", "Ready", "Status", "Generation", "Suspended", "Age"]
    );
    assert_eq!(named(1), ["Updated", "Available", "Message"]);
    let second = &table["rows"][1];
    assert_eq!(
        (&second["cells"][0], &second["cells"][3]),
        (&json!("payments"), &json!(1))
    );
    assert_eq!(second["cells"].as_array().unwrap().len(), columns.len());
    assert_eq!(
        second["object"],
        json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": payments["metadata"],
        })
    );

    let whole = get(
        &server,
        TABLE,
        &format!("{}?includeObject=Object", at("payments")),
    )
    .await;
    assert_eq!(whole["rows"][0]["object"], payments);
    let bare = get(&server, TABLE, &format!("{TEAMS}?includeObject=None")).await;
    assert_eq!(bare["rows"][0]["object"], Value::Null);
    let request = server.request(Method::GET, &format!("{TEAMS}?includeObject=Some"));
    let refused = answer(request.header("accept", TABLE))
        .await
        .refused(400, "BadRequest");
    assert!(refused.contains("must be None, Metadata or Object"), "{refused}");
}

#[tokio::test]
async fn a_watch_is_printed_by_the_server() {
    let server = server().await;
    server.create("payments").await;
    let path = format!("{TEAMS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true");
    let request = server.request(Method::GET, &path).header("accept", TABLE);
    let told = request.send().await.unwrap().text().await.unwrap();
    let events: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let words: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["ADDED", "BOOKMARK"]);
    assert_eq!(events[0]["object"]["kind"], "Table");
    assert_eq!(events[0]["object"]["rows"][0]["cells"][0], "payments");
    assert_eq!(
        events[1]["object"]["rows"][0]["object"]["metadata"]["resourceVersion"],
        "1"
    );
}

#[tokio::test]
async fn what_is_written_is_answered_in_the_form_that_is_wanted() {
    let server = server().await;
    let write = async |method: Method, path: &str, media: &str, body: Value| {
        let request = server.request(method, path).header("accept", TABLE);
        let request = request.header("content-type", media).body(body.to_string());
        answer(request).await
    };
    let payments = at("payments");
    let json = "application/json";
    let created = write(Method::POST, TEAMS, json, super::team("payments"))
        .await
        .ok(201);
    let mut whole = server.get(&payments).await.ok(200);
    whole["metadata"]["labels"] = json!({"tier": "gold"});
    let replaced = write(Method::PUT, &payments, json, whole).await.ok(200);
    let label = json!({"metadata": {"labels": {"tier": "silver"}}});
    let patched = write(Method::PATCH, &payments, super::MERGE_PATCH, label)
        .await
        .ok(200);
    let status = json!({"status": {"state": "Ready"}});
    let path = format!("{payments}/status");
    let told = write(Method::PATCH, &path, super::MERGE_PATCH, status)
        .await
        .ok(200);
    let marked = write(Method::DELETE, &payments, json, json!({})).await.ok(200);
    for answered in [created, replaced, patched, told, marked] {
        assert_eq!(answered["kind"], "Table");
        assert_eq!(answered["rows"][0]["cells"][0], "payments");
    }

    let request = server.request(Method::POST, TEAMS).header("accept", METADATA);
    let alone = answer(request.json(&super::team("billing"))).await.ok(201);
    assert_eq!(alone["kind"], "PartialObjectMetadata");
    assert_eq!(alone.get("spec"), None);
}

#[tokio::test]
async fn metadata_is_given_alone() {
    let server = server().await;
    let payments = server.create("payments").await;
    let only = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": payments["metadata"],
    });
    let list = get(&server, METADATA_LIST, TEAMS).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"], json!([only]));
    assert_eq!(get(&server, METADATA, &at("payments")).await, only);
}

#[tokio::test]
async fn an_object_makes_its_namespace() {
    let server = server().await;
    let names = async || {
        let table = get(&server, TABLE, "/api/v1/namespaces").await;
        let rows = table["rows"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                format!(
                    "{} {}",
                    row["cells"][0].as_str().unwrap(),
                    row["cells"][1].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["default Active"]);
    let teams = TEAMS.replace("default", "prod");
    let mut prod = super::team("payments");
    prod["metadata"]["namespace"] = json!("prod");
    server.post(&teams, &prod).await.ok(201);
    assert_eq!(names().await, ["default Active", "prod Active"]);
    let found = server.get("/api/v1/namespaces/prod").await.ok(200);
    assert_eq!(
        (&found["kind"], &found["metadata"]["name"]),
        (&json!("Namespace"), &json!("prod"))
    );
    let chosen = server
        .get("/api/v1/namespaces?fieldSelector=metadata.name%3Dprod")
        .await
        .ok(200);
    assert_eq!(super::names(&chosen), ["prod"]);
    let missing = server
        .get("/api/v1/namespaces/test")
        .await
        .refused(404, "NotFound");
    assert_eq!(missing, "namespaces \"test\" not found");
}
