//! What Kubernetes clients ask first: what there is, how it looks, who they are and what they may do.

use reqwest::Method;
use serde_json::{Value, json};

use super::{TEAMS, answer, at, server};

#[tokio::test]
async fn kubernetes_clients_discover_what_there_is() {
    let server = server().await;
    let groups = server.get("/apis").await.ok(200);
    assert_eq!(groups["kind"], "APIGroupList");
    let named: Vec<&str> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        named,
        [
            "chorus.services",
            "events.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "apiextensions.k8s.io"
        ]
    );
    let group = server.get("/apis/chorus.services").await.ok(200);
    assert_eq!(group["preferredVersion"]["groupVersion"], "chorus.services/v1");
    let resources = server.get("/apis/chorus.services/v1").await.ok(200);
    let teams = &resources["resources"][0];
    assert_eq!(
        (&teams["name"], &teams["kind"], &teams["namespaced"]),
        (&json!("teams"), &json!("Team"), &json!(true))
    );
    assert_eq!(teams["shortNames"][0], "tm");
    assert_eq!(server.get("/api").await.ok(200)["versions"], json!(["v1"]));
    assert_eq!(
        server.get("/api/v1").await.ok(200)["resources"][0]["name"],
        "events"
    );
    let version = server.get("/version").await.ok(200);
    assert_eq!(version["gitVersion"], format!("v{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn all_is_discovered_at_once() {
    let server = server().await;
    let media = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (path, first, others) in [
        ("/apis", "chorus.services", ",application/json"),
        ("/api", "", ",application/json"),
        ("/apis", "chorus.services", ""),
    ] {
        let accept = format!("{media}{others}");
        let response = server
            .request(Method::GET, path)
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["content-type"], media);
        let list: Value = response.json().await.unwrap();
        assert_eq!(list["kind"], "APIGroupDiscoveryList");
        assert_eq!(list["items"][0]["metadata"]["name"], first, "{list}");
    }
    let missing = server.get("/apis/apps/v1").await.refused(404, "NotFound");
    assert!(
        missing.starts_with("the server could not find the requested resource"),
        "{missing}"
    );
}

#[tokio::test]
async fn every_group_is_described() {
    let server = server().await;
    let index = server.get("/openapi/v3").await.ok(200);
    let paths = index["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 6);
    for (group, place) in paths {
        let url = place["serverRelativeURL"].as_str().unwrap();
        assert!(url.starts_with(&format!("/openapi/v3/{group}?hash=")), "{url}");
        let document = server.get(url).await.ok(200);
        assert_eq!(document["openapi"], "3.0.0");
        // What is described is there: a path without its object is a 404 of the object, not of the path.
        for (path, item) in document["paths"].as_object().unwrap() {
            if item.get("get").is_none() || path.contains("/log") || path.contains("plan") {
                continue;
            }
            let found = server
                .get(&path.replace("{namespace}", "default").replace("{name}", "none"))
                .await;
            let missing = found.body["message"]
                .as_str()
                .unwrap_or_default()
                .contains("requested resource");
            assert!(
                !missing && [200, 404, 503].contains(&found.code),
                "{path}: {}",
                found.text
            );
        }
    }
    server
        .get("/openapi/v3/apis/apps/v1")
        .await
        .refused(404, "NotFound");
}

#[tokio::test]
async fn definitions_can_be_read() {
    let server = server().await;
    let all = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let list = server.get(all).await.ok(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 6);
    let team = server.get(&format!("{all}/teams.chorus.services")).await.ok(200);
    assert_eq!(team["spec"]["names"]["kind"], "Team");
    assert_eq!(team["status"]["conditions"][1]["type"], "Established");
    let missing = server
        .get(&format!("{all}/pods.example"))
        .await
        .refused(404, "NotFound");
    assert_eq!(missing, "customresourcedefinitions \"pods.example\" not found");
}

#[tokio::test]
async fn somebody_is_told_who_they_are_and_what_they_may_do() {
    let server = server().await;
    let ask = async |path: &str, kind: &str, spec: Value| {
        let group = path.split('/').next().unwrap();
        let body = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec});
        server.post(&format!("/apis/{path}"), &body).await.ok(201)["status"].clone()
    };
    let who = ask(
        "authentication.k8s.io/v1/selfsubjectreviews",
        "SelfSubjectReview",
        Value::Null,
    )
    .await;
    assert!(
        who["userInfo"]["username"]
            .as_str()
            .unwrap()
            .starts_with("unix:uid="),
        "{who}"
    );
    let wanted =
        json!({"resourceAttributes": {"verb": "create", "group": "chorus.services", "resource": "teams"}});
    let path = "authorization.k8s.io/v1/selfsubjectaccessreviews";
    let may = ask(path, "SelfSubjectAccessReview", wanted).await;
    assert_eq!(may["allowed"], true);
    let path = "authorization.k8s.io/v1/selfsubjectrulesreviews";
    let rules = ask(path, "SelfSubjectRulesReview", json!({"namespace": "default"})).await;
    let verbs = &rules["resourceRules"][2]["verbs"];
    assert_eq!(verbs.as_array().unwrap().len(), 8, "{rules}");
}

#[tokio::test]
async fn a_json_patch_changes_what_it_names() {
    let server = server().await;
    server.create("payments").await;
    let patch = async |operations: Value| {
        let request = server.request(Method::PATCH, &at("payments"));
        answer(
            request
                .header("content-type", "application/json-patch+json")
                .body(operations.to_string()),
        )
        .await
    };
    let labels = json!([{"op": "add", "path": "/metadata/labels", "value": {"tier": "web"}}]);
    assert_eq!(patch(labels).await.ok(200)["metadata"]["labels"]["tier"], "web");
    let moved = json!([{"op": "test", "path": "/metadata/name", "value": "other"}]);
    let refused = patch(moved).await.refused(422, "Invalid");
    assert!(
        refused.contains("operation 0 of the patch, at \"/metadata/name\""),
        "{refused}"
    );
    let renamed = json!([{"op": "replace", "path": "/metadata/name", "value": "other"}]);
    assert_eq!(patch(renamed).await.code, 400);
    patch(json!({"op": "add"})).await.refused(400, "BadRequest");
    assert_eq!(super::names(&server.get(TEAMS).await.ok(200)), ["payments"]);
}
