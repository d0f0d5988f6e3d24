//! Every way in leads through the one door: what is wrong is refused with the same words, whichever verb it comes by.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Server, TEAMS, answer, at, server, team};

/// The ways in which a spec comes to the team `old`, or to the new team `new`.
const WAYS: [&str; 9] = [
    "create",
    "create by apply",
    "plan of a new one",
    "update",
    "merge patch",
    "JSON patch",
    "apply",
    "plan",
    "what-if",
];

fn request(server: &Server, way: &str, spec: &Value) -> RequestBuilder {
    let object = |name: &str| {
        let mut object = team(name);
        object["spec"] = spec.clone();
        object
    };
    let strict = |path: &str| format!("{path}?fieldValidation=Strict");
    let patch = |name: &str, form: &str, query: &str, body: &Value| {
        let request = server.request(Method::PATCH, &format!("{}{query}", strict(&at(name))));
        request.header("content-type", form).body(body.to_string())
    };
    match way {
        "create" => server.request(Method::POST, &strict(TEAMS)).json(&object("new")),
        "create by apply" => {
            let query = "&fieldManager=ci";
            patch("new", "application/apply-patch+yaml", query, &object("new"))
        }
        "plan of a new one" => {
            let path = format!("{}/plan", at("new"));
            server.request(Method::POST, &path).json(&object("new"))
        }
        "update" => server
            .request(Method::PUT, &strict(&at("old")))
            .json(&object("old")),
        "merge patch" => {
            // Members that a merge would keep.
            let gone = json!({"defaults": null, "replicas": null, "network": null});
            let mut whole = gone;
            for (name, value) in spec.as_object().unwrap() {
                whole[name] = value.clone();
            }
            patch("old", "application/merge-patch+json", "", &json!({"spec": whole}))
        }
        "JSON patch" => {
            let body = json!([{"op": "replace", "path": "/spec", "value": spec}]);
            patch("old", "application/json-patch+json", "", &body)
        }
        "apply" => {
            let query = "&fieldManager=ci&force=true";
            patch("old", "application/apply-patch+yaml", query, &object("old"))
        }
        "plan" => {
            let path = format!("{}/plan", at("old"));
            server.request(Method::POST, &path).json(&object("old"))
        }
        _ => {
            let scenario = json!({"objects": [object("new")], "seconds": 1});
            server
                .request(Method::POST, "/apis/chorus.services/v1/simulations")
                .json(&scenario)
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_alike_at_every_way_in() {
    let server = server().await;
    server.create("old").await;
    let stored = server.get(&at("old")).await.ok(200);
    let role = |agent: Value| json!([{"name": "coordinator", "agent": agent}]);
    for (spec, field, reason) in [
        (
            json!({"roles": role(json!({"image": "a:1", "replicas": 1}))}),
            "spec.roles[0].agent.replicas",
            "FieldValueUnknown",
        ),
        (
            json!({"roles": role(json!({"image": "Not An Image"}))}),
            "spec.roles[0].agent.image",
            "FieldValueInvalid",
        ),
        (
            json!({"network": "host", "roles": role(json!({"image": "a:1"}))}),
            "spec.network",
            "FieldValueInvalid",
        ),
        (
            json!({"roles": role(json!({
                "image": "a:1",
                "mounts": [{"target": "/host", "type": "bind", "source": "/"}],
            }))}),
            "spec.roles[0].agent.mounts[0].source",
            "FieldValueInvalid",
        ),
        (
            json!({"roles": role(json!({
                "image": "a:1",
                "mounts": [{"target": "/host", "type": "bind", "source": "/etc"}],
            }))}),
            "spec.roles[0].agent.mounts",
            "FieldValueForbidden",
        ),
        (
            json!({"roles": role(json!({"image": "a:1", "host": {"capabilities": ["SYS_ADMIN"]}}))}),
            "spec.roles[0].agent.host.capabilities",
            "FieldValueForbidden",
        ),
    ] {
        for way in WAYS {
            let refused = answer(request(&server, way, &spec)).await;
            let causes = refused.body["details"]["causes"].clone();
            let code = if reason == "FieldValueUnknown" { 400 } else { 422 };
            assert_eq!(refused.code, code, "{way} {spec}: {}", refused.text);
            let same = |cause: &Value| cause["field"] == field && cause["reason"] == reason;
            let causes = causes.as_array().cloned().unwrap_or_default();
            assert!(causes.iter().any(same), "{way} {field} {reason}: {causes:?}");
        }
    }
    let too_many = json!({"spec": {"replicas": 10_001}});
    let scaled = server.patch(&format!("{}/scale", at("old")), &too_many).await;
    scaled.refused(422, "Invalid");
    assert_eq!(
        server.get(&at("old")).await.ok(200),
        stored,
        "nothing was changed"
    );
    server.get(&at("new")).await.refused(404, "NotFound");
}
