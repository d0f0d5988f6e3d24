//! Server-side apply, and who owns which field.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Server, TEAMS, answer, at, server, team};

fn apply(server: &Server, name: &str, query: &str, config: &Value) -> RequestBuilder {
    let request = server.request(Method::PATCH, &format!("{}?{query}", at(name)));
    request
        .header("content-type", "application/apply-patch+yaml")
        .body(config.to_string())
}

async fn applied(server: &Server, manager: &str, config: &Value) -> Answer {
    answer(apply(
        server,
        "payments",
        &format!("fieldManager={manager}"),
        config,
    ))
    .await
}

fn only(spec: Value) -> Value {
    let mut config = team("payments");
    config["spec"] = spec;
    config
}

/// `manager operation` of each who owns fields.
fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let owner = |entry| {
        format!(
            "{} {} {}",
            word(entry, "manager"),
            word(entry, "operation"),
            word(entry, "subresource")
        )
    };
    entries
        .iter()
        .map(|entry| owner(entry).trim_end().to_owned())
        .collect()
}

#[tokio::test]
async fn an_apply_creates_and_changes_and_says_nothing_twice() {
    let server = server().await;
    let config = team("payments");
    let created = applied(&server, "ci", &config).await.ok(201);
    assert_eq!(created["spec"], config["spec"]);
    assert_eq!(owners(&created), ["ci Apply"]);
    assert_eq!(
        applied(&server, "ci", &config).await.ok(200),
        created,
        "nothing changes"
    );

    let more = applied(&server, "ops", &only(json!({"replicas": 3})))
        .await
        .ok(200);
    assert_eq!(more["metadata"]["generation"], 2);
    assert_eq!(more["spec"]["roles"], config["spec"]["roles"]);
    assert_eq!(owners(&more), ["ci Apply", "ops Apply"]);
    let without = only(json!({"roles": [{"name": "coordinator", "agent": {"image": "chorus-agent:dev"}}]}));
    let changed = applied(&server, "ci", &without).await.ok(200);
    assert_eq!(
        changed["spec"],
        json!({"replicas": 3, "roles": [{"name": "coordinator", "agent": {"image": "chorus-agent:dev"}}]}),
        "what its only owner leaves out is gone"
    );
    let history = server.get(&format!("{}/history", at("payments"))).await.ok(200);
    assert_eq!(history["items"][0]["reason"], "apply");
}

#[tokio::test]
async fn what_another_owns_is_left_to_them_unless_forced() {
    let server = server().await;
    applied(&server, "ci", &team("payments")).await.ok(201);
    server
        .patch(
            &format!("{}/scale?fieldManager=scaler", at("payments")),
            &json!({"spec": {"replicas": 4}}),
        )
        .await
        .ok(200);
    let config = only(json!({"replicas": 2, "defaults": {"image": "other:1"}}));
    let answer_ = applied(&server, "ops", &config).await;
    let causes = answer_.body["details"]["causes"].clone();
    let message = answer_.refused(409, "Conflict");
    assert_eq!(
        message,
        "Apply failed with 2 conflicts: conflict with \"ci\": .spec.defaults.image\n\
         conflict with \"scaler\" with subresource \"scale\" using chorus.services/v1: .spec.replicas"
    );
    assert_eq!(
        causes[1],
        json!({
            "reason": "FieldManagerConflict",
            "message": "conflict with \"scaler\" with subresource \"scale\" using chorus.services/v1",
            "field": ".spec.replicas",
        })
    );
    let forced = answer(apply(&server, "payments", "fieldManager=ops&force=true", &config))
        .await
        .ok(200);
    assert_eq!(forced["spec"]["replicas"], 2);
    assert_eq!(
        owners(&forced),
        ["ci Apply", "ops Apply"],
        "the scaler owns nothing any more"
    );
}

#[tokio::test]
async fn an_apply_is_judged_as_everything_else_is() {
    let server = server().await;
    let dry = answer(apply(
        &server,
        "payments",
        "fieldManager=ci&dryRun=All",
        &team("payments"),
    ))
    .await;
    assert_eq!(owners(&dry.ok(201)), ["ci Apply"]);
    server.get(&at("payments")).await.refused(404, "NotFound");

    let refused = |query: &'static str, config: Value| {
        let request = apply(&server, "payments", query, &config);
        async { answer(request).await }
    };
    let nobody = refused("", team("payments")).await.refused(400, "BadRequest");
    assert!(nobody.contains("needs the parameter fieldManager"), "{nobody}");
    let elsewhere = refused("fieldManager=ci", team("billing"))
        .await
        .refused(400, "BadRequest");
    assert!(elsewhere.contains("metadata.name is \"billing\""), "{elsewhere}");
    let wrong = only(json!({"rolls": [], "roles": [{"name": "a"}, {"name": "a"}]}));
    let strict = "fieldManager=ci&fieldValidation=Strict";
    let wrong = refused(strict, wrong).await.refused(400, "BadRequest");
    assert!(
        wrong.contains("spec.rolls") && wrong.contains("duplicate \"a\""),
        "{wrong}"
    );
    let mut owned = team("payments");
    owned["metadata"]["managedFields"] = json!([{}]);
    refused("fieldManager=ci", owned).await.refused(400, "BadRequest");
    refused("fieldManager=ci", json!([]))
        .await
        .refused(400, "BadRequest");

    let mut other = team("payments");
    other["metadata"]["uid"] = json!("u");
    refused("fieldManager=ci", other).await.refused(409, "Conflict");
    server.create("payments").await;
    let mut slip = team("payments");
    slip["sepc"] = slip["spec"].take();
    let slip = refused(strict, slip).await.refused(400, "BadRequest");
    assert!(slip.contains("sepc: unknown field"), "{slip}");
    let mut bare = team("payments");
    bare["metadata"] = json!([]);
    refused("fieldManager=ci", bare).await.refused(400, "BadRequest");
    let status = server
        .put(&format!("{}/status", at("payments")), &json!([]))
        .await;
    assert!(status.code < 500, "{}", status.text);
    let mut old = team("payments");
    old["metadata"]["resourceVersion"] = json!("7");
    refused("fieldManager=ci", old).await.refused(409, "Conflict");
    let doubled = only(json!({"roles": [{"name": "a"}, {"name": "a"}]}));
    let doubled = refused("fieldManager=ci", doubled).await.refused(422, "Invalid");
    assert!(doubled.contains("duplicate \"a\""), "{doubled}");
    let forced = server
        .patch(&format!("{}?force=true", at("payments")), &json!({}))
        .await;
    forced.refused(400, "BadRequest");
}

#[tokio::test]
async fn who_writes_otherwise_owns_what_they_set() {
    let server = server().await;
    let created = server
        .post(&format!("{TEAMS}?fieldManager=ci"), &team("payments"))
        .await
        .ok(201);
    assert_eq!(owners(&created), ["ci Update"]);
    let request = server
        .request(Method::PATCH, &at("payments"))
        .header("user-agent", "kubectl/v1.32.0 (linux)");
    let patch = json!({"metadata": {"labels": {"tier": "web"}}}).to_string();
    let request = request
        .header("content-type", "application/merge-patch+json")
        .body(patch);
    let labelled = answer(request).await.ok(200);
    assert_eq!(owners(&labelled), ["ci Update", "kubectl Update"]);
    assert_eq!(
        labelled["metadata"]["managedFields"][1]["fieldsV1"],
        json!({"f:metadata": {"f:labels": {"f:tier": {}}}})
    );
    let status = json!({"status": {"replicas": 0}});
    let path = format!("{}/status?fieldManager=watcher", at("payments"));
    let watched = server.patch(&path, &status).await.ok(200);
    assert_eq!(
        owners(&watched),
        ["ci Update", "kubectl Update", "watcher Update status"]
    );
}

#[tokio::test]
async fn unknown_fields_are_dropped_unless_a_client_is_strict() {
    let server = server().await;
    let mut slip = team("payments");
    slip["spec"]["rolls"] = json!([]);
    let strict = format!("{TEAMS}?fieldValidation=Strict");
    server.post(&strict, &slip).await.refused(400, "BadRequest");
    let warned = server.post(TEAMS, &slip).await;
    assert_eq!(warned.warnings, [r#"299 - "unknown field \"spec.rolls\"""#]);
    assert_eq!(warned.ok(201)["spec"], team("payments")["spec"]);
    let ignored = server
        .put(&format!("{}?fieldValidation=Ignore", at("payments")), &slip)
        .await;
    assert!(ignored.warnings.is_empty(), "{:?}", ignored.warnings);
    assert_eq!(ignored.ok(200)["metadata"]["generation"], 1);
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_told_of_or_refused() {
    let server = server().await;
    let sent = |method: Method, path: String, media: &'static str, body: &'static str| {
        let request = server
            .request(method, &path)
            .header("content-type", media)
            .body(body);
        async { answer(request).await }
    };
    let twice = r#"{"apiVersion": "chorus.services/v1", "kind": "Team", "metadata": {"name": "payments"}, "spec": {
        "replicas": 1, "defaults": {"image": "chorus-agent:dev"}, "roles": [{"name": "a"}], "replicas": 2}}"#;
    let create = |query: &str| sent(Method::POST, format!("{TEAMS}{query}"), "application/json", twice);
    let refused = create("?fieldValidation=Strict").await.refused(400, "BadRequest");
    assert_eq!(
        refused,
        r#"strict decoding error: json: duplicate field "spec.replicas""#
    );
    let warned = create("?dryRun=All").await;
    assert_eq!(
        warned.warnings,
        [r#"299 - "json: duplicate field \"spec.replicas\"""#]
    );
    assert_eq!(warned.ok(201)["spec"]["replicas"], 2);
    let ignored = create("?fieldValidation=Ignore").await;
    assert!(ignored.warnings.is_empty(), "{:?}", ignored.warnings);
    ignored.ok(201);
    let patch = |query: &str| {
        let path = format!("{}{query}", at("payments"));
        let body = r#"{"spec": {"replicas": 3, "replicas": 4}}"#;
        sent(Method::PATCH, path, "application/merge-patch+json", body)
    };
    let refused = patch("?fieldValidation=Strict").await;
    refused.refused(400, "BadRequest");
    let warned = patch("?fieldValidation=Warn").await;
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
    assert_eq!(warned.ok(200)["spec"]["replicas"], 4);
}

#[tokio::test]
async fn a_name_is_made_for_who_gives_its_beginning() {
    let server = server().await;
    let mut nameless = team("");
    nameless["metadata"] = json!({"generateName": "payments-"});
    let (one, two) = (
        server.post(TEAMS, &nameless).await.ok(201),
        server.post(TEAMS, &nameless).await.ok(201),
    );
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(
        name(&one).starts_with("payments-") && name(&one).len() == 14,
        "{}",
        name(&one)
    );
    assert_ne!(name(&one), name(&two));
}
