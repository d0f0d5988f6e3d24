//! The subresources `status` and `scale`.

use reqwest::Method;
use serde_json::json;

use super::{TEAMS, TEMPLATES, answer, at, server, team, template};

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let server = server().await;
    let created = server.create("payments").await;
    let path = format!("{}/status", at("payments"));

    let mut both = created.clone();
    both["status"] = json!({"state": "Ready", "replicas": 1});
    both["spec"]["project"] = json!("ignored");
    both["metadata"]["labels"] = json!({"ignored": "yes"});
    let seen = server.put(&path, &both).await.ok(200);
    assert_eq!(seen["status"], json!({"state": "Ready", "replicas": 1}));
    assert_eq!(seen["spec"], created["spec"]);
    assert_eq!(seen["metadata"]["generation"], 1);
    assert_eq!(seen["metadata"].get("labels"), None);
    assert_eq!(server.get(&path).await.ok(200), seen);

    let stale = server.put(&path, &both).await;
    stale.refused(409, "Conflict");
    let patched = server
        .patch(&path, &json!({"status": {"state": "Degraded"}}))
        .await
        .ok(200);
    assert_eq!(patched["status"], json!({"state": "Degraded", "replicas": 1}));

    both["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"].clone();
    let declared = server.put(&at("payments"), &both).await.ok(200);
    assert_eq!(declared["status"], patched["status"]);
    assert_eq!(declared["spec"]["project"], "ignored");
    assert_eq!(declared["metadata"]["generation"], 2);

    let mut born = team("fresh");
    born["status"] = json!({"state": "Ready"});
    let born = server.post(TEAMS, &born).await.ok(201);
    assert_eq!(born.get("status"), None);
}

#[tokio::test]
async fn a_status_that_is_none_is_refused() {
    let server = server().await;
    server.create("payments").await;
    let path = format!("{}/status", at("payments"));
    let wrong = json!({"status": {"state": 7, "replicas": "many"}});
    let answer = server.patch(&path, &wrong).await;
    let causes = answer.body["details"]["causes"].clone();
    answer.refused(422, "Invalid");
    let condition = |status: &str| {
        json!({"status": {"conditions": [{"type": "Ready", "status": status, "reason": "R", "message": "",
                                          "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
    };
    server
        .patch(&path, &condition("Maybe"))
        .await
        .refused(422, "Invalid");
    server.patch(&path, &condition("Unknown")).await.ok(200);
    let fields: Vec<&str> = causes
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["status.state", "status.replicas"]);

    server.post(TEMPLATES, &template("reviewer")).await.ok(201);
    let none = format!("{TEMPLATES}/reviewer/status");
    server.get(&none).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_team_is_scaled() {
    let server = server().await;
    server.create("payments").await;
    let path = format!("{}/scale", at("payments"));
    let scale = server.get(&path).await.ok(200);
    assert_eq!(
        (&scale["kind"], &scale["apiVersion"]),
        (&json!("Scale"), &json!("autoscaling/v1"))
    );
    assert_eq!(scale["spec"]["replicas"], 1);

    let scaled = server
        .patch(&path, &json!({"spec": {"replicas": 3}}))
        .await
        .ok(200);
    assert_eq!(scaled["spec"]["replicas"], 3);
    let team = server.get(&at("payments")).await.ok(200);
    assert_eq!(
        (&team["spec"]["replicas"], &team["metadata"]["generation"]),
        (&json!(3), &json!(2))
    );

    let mut stale = scale.clone();
    stale["spec"]["replicas"] = json!(9);
    server.put(&path, &stale).await.refused(409, "Conflict");
    let mut fresh = scaled.clone();
    fresh["spec"]["replicas"] = json!(2);
    assert_eq!(server.put(&path, &fresh).await.ok(200)["spec"]["replicas"], 2);

    let apply = async |manager: &str, replicas: u32, force: bool| {
        let query = format!("{path}?fieldManager={manager}&force={force}");
        let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "payments"},
                           "spec": {"replicas": replicas}});
        let request = server.request(Method::PATCH, &query);
        let request = request.header("content-type", "application/apply-patch+yaml");
        answer(request.body(scale.to_string())).await
    };
    let contested = apply("autoscaler", 5, false).await.refused(409, "Conflict");
    assert!(contested.contains(".spec.replicas"), "{contested}");
    assert_eq!(apply("autoscaler", 5, true).await.ok(200)["spec"]["replicas"], 5);
    let team = server.get(&at("payments")).await.ok(200);
    let owners = team["metadata"]["managedFields"].as_array().unwrap();
    let owner = owners
        .iter()
        .find(|owner| owner["manager"] == "autoscaler")
        .unwrap();
    assert_eq!(
        (&owner["operation"], &owner["subresource"]),
        (&json!("Apply"), &json!("scale"))
    );
    assert_eq!(
        team["spec"]["roles"].as_array().unwrap().len(),
        1,
        "the rest stays"
    );

    for wrong in [json!(-1), json!(10_000_000), json!("three")] {
        server
            .patch(&path, &json!({"spec": {"replicas": wrong}}))
            .await
            .refused(422, "Invalid");
    }
    server
        .patch(&path, &json!({"spec": null}))
        .await
        .refused(400, "BadRequest");
    // Of several roles, each is as large: whoever waits for the number waits for that of one.
    let roles = json!([{"name": "coordinator", "desired": 5, "required": true, "ready": 0}]);
    let status = json!({"status": {"replicas": 10, "roles": roles}});
    let of_status = format!("{}/status", at("payments"));
    server.patch(&of_status, &status).await.ok(200);
    assert_eq!(server.get(&path).await.ok(200)["status"]["replicas"], 5);
    let council = path.replace("teams", "councils");
    server.get(&council).await.refused(404, "NotFound");
}

#[tokio::test]
async fn the_status_and_the_scale_of_another_are_refused() {
    let server = server().await;
    server.create("payments").await;
    let other = server.create("other").await;
    for (subresource, field, value, part) in [
        ("status", "/metadata/name", "other", "metadata.name is \"other\""),
        (
            "status",
            "/metadata/namespace",
            "prod",
            "metadata.namespace is \"prod\"",
        ),
        ("status", "/kind", "Council", "kind is \"Council\""),
        ("status", "/apiVersion", "v2", "apiVersion is \"v2\""),
        ("scale", "/metadata/name", "other", "metadata.name is \"other\""),
        ("scale", "/kind", "Deployment", "kind is \"Deployment\""),
        ("scale", "/apiVersion", "apps/v1", "apiVersion is \"apps/v1\""),
    ] {
        let path = format!("{}/{subresource}", at("payments"));
        let mut body = server.get(&path).await.ok(200);
        body["status"] = json!({"state": "Ready"});
        *body.pointer_mut(field).unwrap() = json!(value);
        let refused = server.put(&path, &body).await.refused(400, "BadRequest");
        assert!(refused.contains(part), "{refused}");
    }
    let anonymous = json!({"status": {"state": "Ready"}, "spec": other["spec"]});
    server
        .patch(&format!("{}/status", at("payments")), &anonymous)
        .await
        .ok(200);
}

#[tokio::test]
async fn unknown_fields_are_treated_as_those_of_objects_are() {
    let server = server().await;
    server.create("payments").await;
    for (subresource, patch, unknown, good) in [
        (
            "scale",
            json!({"spec": {"replicas": 3, "rpelicas": 1}, "extra": 1}),
            ["extra", "spec.rpelicas"],
            ("/spec/replicas", json!(3)),
        ),
        (
            "status",
            json!({"status": {"state": "Ready", "colour": "red"}, "spec": {"rolls": []}}),
            ["spec.rolls", "status.colour"],
            ("/status/state", json!("Ready")),
        ),
    ] {
        let path = format!("{}/{subresource}", at("payments"));
        let strict = format!("{path}?fieldValidation=Strict");
        let refused = server.patch(&strict, &patch).await;
        let causes = refused.body["details"]["causes"].clone();
        refused.refused(400, "BadRequest");
        let fields: Vec<&str> = causes
            .as_array()
            .unwrap()
            .iter()
            .map(|cause| cause["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, unknown, "{subresource}");
        let warned = server.patch(&path, &patch).await;
        let mut warnings = warned.warnings.clone();
        warnings.sort();
        assert_eq!(
            warnings,
            unknown.map(|field| format!("299 - \"unknown field \\\"{field}\\\"\"")),
            "{subresource}"
        );
        assert_eq!(warned.ok(200).pointer(good.0), Some(&good.1));
        let ignored = server
            .patch(&format!("{path}?fieldValidation=Ignore"), &patch)
            .await;
        assert!(ignored.warnings.is_empty(), "{:?}", ignored.warnings);
        assert_eq!(ignored.ok(200).pointer(good.0), Some(&good.1));
    }
}
