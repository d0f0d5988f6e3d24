//! Every way to be refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::{MERGE_PATCH, Server, TEAMS, TEMPLATES, answer, at, server, team, template};
use crate::harness::postgres::Postgres;

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let server = server().await;
    for (method, path, message) in [
        (Method::GET, at("x"), r#"teams.chorus.services "x" not found"#),
        (Method::DELETE, at("x"), r#"teams.chorus.services "x" not found"#),
        (
            Method::GET,
            at("%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
            r#"teams.chorus.services "../../etc/passwd" not found"#,
        ),
        (
            Method::GET,
            at("a%00b"),
            "teams.chorus.services \"a\0b\" not found",
        ),
        (
            Method::DELETE,
            at("UPPER"),
            r#"teams.chorus.services "UPPER" not found"#,
        ),
        (
            Method::GET,
            TEAMS.replace("teams", "team"),
            "the server could not find the requested resource (did you mean \"/apis/chorus.services/v1/teams\"?)",
        ),
        (
            Method::POST,
            TEAMS.replace("teams", "pods"),
            "the server could not find the requested resource",
        ),
        (
            Method::GET,
            at("x/scales"),
            "the server could not find the requested resource",
        ),
        (
            Method::GET,
            "/apis/chorus.service/v1/teams".to_owned(),
            "the server could not find the requested resource (did you mean \"/apis/chorus.services/v1/teams\"?)",
        ),
        (
            Method::GET,
            "/apis/".to_owned() + "nothing",
            "the server could not find the requested resource",
        ),
    ] {
        let refused = answer(server.request(method, &path))
            .await
            .refused(404, "NotFound");
        assert_eq!(refused, message, "{path}");
    }
    let details = server.get(&at("x")).await.body["details"].clone();
    assert_eq!(
        details,
        json!({"name": "x", "group": "chorus.services", "kind": "teams"})
    );
    let put = server.put(&at("x"), &team("x")).await.refused(404, "NotFound");
    assert!(put.contains("\"x\" not found"));
}

#[tokio::test]
async fn a_name_that_cannot_be_read_is_refused_in_words() {
    let server = server().await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let tokens = "/apis/chorus.services/v1/tokens";
    for path in [
        at("%FF"),
        "/api/v1/namespaces/%FF".to_owned(),
        "/apis/%FF".to_owned(),
        "/apis/%FF/v1".to_owned(),
        "/openapi/v3/%FF".to_owned(),
        format!("{definitions}/%FF"),
    ] {
        let refused = server.get(&path).await.refused(400, "BadRequest");
        assert!(refused.contains("the path cannot be read"), "{path}: {refused}");
    }
    let unread = server.delete(&format!("{tokens}/%FF")).await;
    unread.refused(400, "BadRequest");
    let none = server.delete(&format!("{tokens}/a%00b")).await;
    assert_eq!(none.refused(404, "NotFound"), "tokens \"a\0b\" not found");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let server = server().await;
    server.create("payments").await;
    let taken = server
        .post(TEAMS, &team("payments"))
        .await
        .refused(409, "AlreadyExists");
    assert_eq!(taken, r#"teams.chorus.services "payments" already exists"#);
}

#[tokio::test]
async fn a_method_that_does_not_apply_is_named_with_those_that_do() {
    let server = server().await;
    for (method, path, allow) in [
        (Method::OPTIONS, TEAMS.to_owned(), "GET,HEAD,POST,DELETE"),
        (Method::PUT, TEAMS.to_owned(), "GET,HEAD,POST,DELETE"),
        (Method::POST, at("x"), "GET,HEAD,PUT,PATCH,DELETE"),
        (Method::POST, TEAMS.replace("teams", "agents"), "GET,HEAD"),
        (Method::DELETE, at("x").replace("teams", "agents"), "GET,HEAD"),
        (Method::POST, "/version".to_owned(), "GET,HEAD"),
    ] {
        let answer = answer(server.request(method.clone(), &path)).await;
        assert_eq!(answer.allow.as_deref(), Some(allow), "{method} {path}");
        let message = answer.refused(405, "MethodNotAllowed");
        assert!(message.contains(method.as_str()), "{message}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = server().await;
    server.create("payments").await;
    for (path, code) in [
        (at("payments"), 200),
        (TEAMS.to_owned(), 200),
        (at("x"), 404),
        ("/livez".to_owned(), 200),
    ] {
        let head = answer(server.request(Method::HEAD, &path)).await;
        assert_eq!((head.code, head.text.as_str()), (code, ""), "{path}");
    }
}

#[tokio::test]
async fn formats_that_are_not_offered_are_named_with_those_that_are() {
    let server = server().await;
    server.create("payments").await;
    let send = |method: Method, path: &str, format: &str, body: &'static str| {
        let request = server.request(method, path).header("content-type", format);
        answer(request.body(body))
    };
    let format = "application/strategic-merge-patch+json";
    for subresource in ["", "/scale", "/status"] {
        let path = at("payments") + subresource;
        let refused = send(Method::PATCH, &path, format, "[]").await;
        let refused = refused.refused(415, "UnsupportedMediaType");
        assert!(
            refused.contains(format) && refused.ends_with(MERGE_PATCH),
            "{refused}"
        );
    }
    let refused = send(Method::POST, TEAMS, "application/vnd.kubernetes.protobuf", "k8s").await;
    refused.refused(415, "UnsupportedMediaType");

    for (accept, code) in [
        ("application/vnd.kubernetes.protobuf", 406),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", 406),
        (
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            200,
        ),
    ] {
        let request = server.request(Method::GET, TEAMS).header("accept", accept);
        assert_eq!(answer(request).await.code, code, "{accept}");
    }
}

#[tokio::test]
async fn garbage_is_a_bad_request() {
    let server = server().await;
    server.create("payments").await;
    for (method, path, format, body, part) in [
        (
            Method::POST,
            TEAMS,
            "application/json",
            &b"{\"a\": "[..],
            "not valid JSON",
        ),
        (
            Method::POST,
            TEAMS,
            "application/json",
            b"\xff\xfe\x00",
            "not valid JSON",
        ),
        (Method::POST, TEAMS, "application/json", b"", "the body is empty"),
        (
            Method::POST,
            TEAMS,
            "application/yaml",
            b"a: [1",
            "the body, line ",
        ),
        (
            Method::POST,
            TEAMS,
            "application/yaml",
            b"a: 1\n---\nb: 2",
            "send one object",
        ),
        (
            Method::PATCH,
            &at("payments"),
            MERGE_PATCH,
            b"7",
            "must be a JSON object",
        ),
        (
            Method::DELETE,
            &at("payments"),
            "application/json",
            b"{\"gracePeriodSeconds\": \"soon\"}",
            "DeleteOptions",
        ),
    ] {
        let request = server
            .request(method, path)
            .header("content-type", format)
            .body(body);
        let refused = answer(request).await.refused(400, "BadRequest");
        assert!(refused.contains(part), "{refused}");
    }
    let deep = "[".repeat(100_000);
    let request = server
        .request(Method::POST, TEAMS)
        .header("content-type", "application/json");
    answer(request.body(deep)).await.refused(400, "BadRequest");

    for (path, part) in [
        (format!("{TEAMS}?labelSelector=a%20b"), "label selector"),
        (format!("{TEAMS}?fieldSelector=name%3Dx"), "field selector"),
        (
            format!("{TEAMS}?fieldSelector=spec.foo%3Dx"),
            "Team has no field \"spec.foo\"",
        ),
        (
            "/api/v1/namespaces?fieldSelector=metadata.nmae%3Dx".to_owned(),
            "Namespace has no field \"metadata.nmae\"",
        ),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldSelector=spec.group%3Dx".to_owned(),
            "CustomResourceDefinition has no field \"spec.group\"",
        ),
        (format!("{TEAMS}?watch=perhaps"), "true or false"),
        (format!("{TEAMS}?resourceVersion=abc&watch=1"), "resourceVersion"),
        (TEAMS.replace("default", "Nowhere"), "cannot exist"),
        (TEAMS.replace("default", "%00"), "cannot exist"),
        (at("%ff"), "the path cannot be read"),
    ] {
        let refused = server.get(&path).await.refused(400, "BadRequest");
        assert!(refused.contains(part), "{path}: {refused}");
    }
    for query in ["dryRun=Some", "fieldValidation=perhaps"] {
        let refused = server.post(&format!("{TEAMS}?{query}"), &team("x")).await;
        refused.refused(400, "BadRequest");
    }
}

#[tokio::test]
async fn an_object_must_be_sent_to_its_own_path() {
    let server = server().await;
    server.create("payments").await;
    let sent = |field: &str, value: &str| {
        let mut team = team("payments");
        *team.pointer_mut(field).unwrap() = json!(value);
        team
    };
    let mut elsewhere = team("payments");
    elsewhere["metadata"]["namespace"] = json!("other");
    for object in [
        sent("/kind", "Council"),
        sent("/apiVersion", "v1"),
        sent("/metadata/name", "other"),
        elsewhere,
    ] {
        server
            .put(&at("payments"), &object)
            .await
            .refused(400, "BadRequest");
    }
    let mut seen = team("new");
    seen["metadata"]["resourceVersion"] = json!("7");
    server.post(TEAMS, &seen).await.refused(400, "BadRequest");
}

#[tokio::test]
async fn every_problem_is_told_at_once() {
    let server = server().await;
    let bad = json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Team",
        "metadata": {"name": "Bad_Name"},
        "spec": {
            "replica": 2,
            "defaults": {"image": "chorus-agent:dev", "stopGracePeriod": "soon"},
            "roles": [
                {"name": "a", "replicas": -1},
                {"name": "a", "agent": {"resources": {"limits": {"cpu": "lots"}}}},
                {"replicas": "two"},
            ],
        },
    });
    let answer = server
        .post(&format!("{TEAMS}?fieldValidation=Strict"), &bad)
        .await;
    let details = answer.body["details"].clone();
    // Strictly, what has fields that there are not cannot even be read.
    answer.refused(400, "BadRequest");
    assert_eq!(
        (&details["kind"], &details["name"]),
        (&json!("Team"), &json!("Bad_Name"))
    );
    let told = |field: &str, reason: &str| {
        let causes = details["causes"].as_array().unwrap();
        let found = causes.iter().find(|cause| cause["field"] == field);
        let found = found.unwrap_or_else(|| panic!("no cause for {field} in {details:#}"));
        assert_eq!(found["reason"], reason, "{found}");
        found["message"].as_str().unwrap().to_owned()
    };
    told("metadata.name", "FieldValueInvalid");
    assert!(told("spec.replica", "FieldValueUnknown").contains("replicas"));
    told("spec.defaults.stopGracePeriod", "FieldValueInvalid");
    told("spec.roles[0].replicas", "FieldValueInvalid");
    told("spec.roles[1].name", "FieldValueDuplicate");
    told("spec.roles[1].agent.resources.limits.cpu", "FieldValueInvalid");
    told("spec.roles[2].name", "FieldValueRequired");
    told("spec.roles[2].replicas", "FieldValueTypeInvalid");
    assert_eq!(server.store.revision().await.unwrap().0, 0, "nothing is stored");
}

#[tokio::test]
async fn what_only_shows_beside_templates_is_judged_too() {
    let server = server().await;
    let mut imageless = template("bare");
    imageless["spec"] = json!({"model": "llama3.1:8b"});
    server.post(TEMPLATES, &imageless).await.ok(201);
    let mut team = team("payments");
    team["spec"] = json!({"roles": [{"name": "reviewer", "template": "bare"}]});
    let refused = server.post(TEAMS, &team).await.refused(422, "Invalid");
    assert!(refused.contains("image"), "{refused}");

    let mut good = template("bare");
    good["spec"]["model"] = json!("llama3.1:8b");
    let path = format!("{TEMPLATES}/bare");
    server.put(&path, &good).await.ok(200);
    server.post(TEAMS, &team).await.ok(201);
    let warned = server.put(&path, &imageless).await;
    assert_eq!(warned.code, 200, "{}", warned.text);
    assert!(
        warned.warnings[0].contains("team/default/payments"),
        "{:?}",
        warned.warnings
    );
    let label = json!({"metadata": {"labels": {"still": "editable"}}});
    server.patch(&at("payments"), &label).await.ok(200);
}

#[tokio::test]
async fn without_postgres_the_api_says_so_and_comes_back() {
    let mut postgres = Postgres::start().await;
    let server = Server::on(&postgres.database().await, "unix:///nowhere/docker.sock").await;
    server.create("payments").await;
    postgres.kill();
    for path in [TEAMS.to_owned(), at("payments")] {
        let refused = server.get(&path).await.refused(503, "ServiceUnavailable");
        assert!(refused.contains("check that Postgres runs"), "{refused}");
    }
    let ready = server.get("/readyz").await;
    assert_eq!(ready.code, 503);
    assert!(ready.text.contains("[-]postgres failed: "), "{}", ready.text);
    assert_eq!(server.get("/livez").await.code, 200);
    postgres.restart().await;
    let back = server.get(&at("payments")).await;
    assert_eq!(back.ok(200)["metadata"]["name"], Value::from("payments"));
}
