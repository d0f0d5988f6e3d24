//! What is not stored: discovery, health, events, agents and plans.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use whoosh::resource::{Key, Kind};
use whoosh::store::{EventRecord, EventType};

use super::{TEAMS, at, names, server, team};

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let server = server().await;
    server.create("payments").await;
    for path in [
        "/api/",
        "/apis/",
        "/apis/chorus.services/",
        "/apis/chorus.services/v1/",
        "/version/",
    ] {
        let plain = server.get(path.trim_end_matches('/')).await.ok(200);
        assert_eq!(server.get(path).await.ok(200), plain, "{path}");
    }
    let list = server.get(&format!("{TEAMS}/?labelSelector=tier%3Dweb")).await;
    assert_eq!(list.ok(200)["items"], json!([]), "the query is kept");
}

#[tokio::test]
async fn what_is_computed_has_uids_that_stay() {
    let server = server().await;
    server.create("payments").await;
    for path in [
        "/api/v1/namespaces",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ] {
        let list = server.get(path).await.ok(200);
        let items = list["items"].as_array().unwrap();
        let uids: BTreeSet<&str> = items
            .iter()
            .map(|item| item["metadata"]["uid"].as_str().unwrap())
            .collect();
        assert_eq!(uids.len(), items.len(), "{list}");
        assert_eq!(server.get(path).await.ok(200), list);
    }
}

#[tokio::test]
async fn a_list_is_never_older_than_what_its_client_has_seen() {
    let server = server().await;
    server.create("payments").await;
    let seen = server.get(&format!("{TEAMS}?resourceVersion=1")).await;
    assert_eq!(names(&seen.ok(200)), ["payments"]);
    let ahead = server.get(&format!("{TEAMS}?resourceVersion=9")).await;
    assert_eq!(
        ahead.body["details"]["causes"][0]["reason"],
        "ResourceVersionTooLarge"
    );
    let ahead = ahead.refused(504, "Timeout");
    assert!(
        ahead.contains("Too large resource version: 9, current: 1"),
        "{ahead}"
    );
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let server = server().await;
    assert_eq!(server.get("/healthz").await.text, "ok");
    let verbose = server.get("/livez?verbose").await;
    assert_eq!(
        (verbose.code, verbose.text.as_str()),
        (200, "[+]ping ok\ncheck passed\n")
    );
    let ready = server.get("/readyz?verbose").await;
    assert_eq!(ready.code, 503, "{}", ready.text);
    assert!(ready.text.contains("[+]postgres ok\n"), "{}", ready.text);
    assert!(ready.text.contains("[-]docker failed: "), "{}", ready.text);
    assert!(ready.text.contains("[-]observation failed: "), "{}", ready.text);
}

#[tokio::test]
async fn requests_are_counted_by_known_words() {
    let server = server().await;
    server.create("payments").await;
    server.get(&at("nobody")).await.refused(404, "NotFound");
    let label = json!({"metadata": {"labels": {"tier": "web"}}});
    for _ in 0..2 {
        server.patch(&at("payments"), &label).await.ok(200);
    }
    server
        .get(&TEAMS.replace("teams", "secrets-of-mine"))
        .await
        .refused(404, "NotFound");
    let metrics = server.get("/metrics").await.text;
    for line in [
        r#"whoosh_api_requests_total{verb="create",resource="teams",code="201"} 1"#,
        r#"whoosh_api_requests_total{verb="get",resource="teams",code="404"} 1"#,
        r#"whoosh_api_requests_total{verb="list",resource="unknown",code="404"} 1"#,
        r#"whoosh_store_writes_total{operation="create"} 1"#,
        // The second of the two had nothing to change.
        r#"whoosh_store_writes_total{operation="update"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "no {line} in {metrics}"
        );
    }
    assert!(!metrics.contains("secrets-of-mine"));
}

#[tokio::test]
async fn events_are_listed_by_what_they_are_about() {
    let server = server().await;
    for (name, namespace, reason) in [
        ("a", "default", "Created"),
        ("b", "default", "Failed"),
        ("c", "other", "Created"),
    ] {
        let event = EventRecord {
            regarding: Key::new(Kind::Team, namespace, name),
            uid: format!("uid-{name}"),
            type_: EventType::Normal,
            reason: reason.to_owned(),
            message: "Something happened".to_owned(),
        };
        server.store.record_event(event).await.unwrap();
    }
    let about = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().clone();
        let name = |item: &Value| item["involvedObject"]["name"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    };
    for (path, expected) in [
        ("/api/v1/events", vec!["a", "b", "c"]),
        ("/api/v1/namespaces/default/events", vec!["a", "b"]),
        (
            "/api/v1/events?fieldSelector=involvedObject.name%3Db,involvedObject.kind%3DTeam",
            vec!["b"],
        ),
        ("/api/v1/events?fieldSelector=reason!%3DCreated", vec!["b"]),
        ("/api/v1/events?fieldSelector=source%3Dnobody", vec![]),
    ] {
        let list = server.get(path).await.ok(200);
        assert_eq!(about(&list), expected, "{path}");
        assert_eq!(
            (&list["kind"], &list["apiVersion"]),
            (&json!("EventList"), &json!("v1"))
        );
    }
    let listed = server.get("/api/v1/namespaces/other/events").await.ok(200)["items"][0].clone();
    let name = listed["metadata"]["name"].as_str().unwrap();
    let one = format!("namespaces/other/events/{name}");
    assert_eq!(server.get(&format!("/api/v1/{one}")).await.ok(200), listed);
    let newer = server.get(&format!("/apis/events.k8s.io/v1/{one}")).await.ok(200);
    assert_eq!(newer["regarding"]["name"], "c");
    // The schema that is served beside it requires the time, and Python's client believes it.
    let first: jiff::Timestamp = newer["eventTime"].as_str().unwrap().parse().unwrap();
    let known = newer["deprecatedFirstTimestamp"].as_str().unwrap();
    assert_eq!(
        first.as_second(),
        known.parse::<jiff::Timestamp>().unwrap().as_second()
    );
    assert_eq!(newer["action"], newer["reason"]);
    for other in [
        one.replace("other", "default"),
        one.replace("/c.", "/d."),
        format!("{one}0"),
    ] {
        let missing = server
            .get(&format!("/api/v1/{other}"))
            .await
            .refused(404, "NotFound");
        assert!(missing.starts_with("events \""), "{missing}");
    }
    let component = server.get("/api/v1/events").await.ok(200)["items"][0]["source"]["component"].clone();
    let from = format!(
        "/api/v1/events?fieldSelector=source%3D{}",
        component.as_str().unwrap()
    );
    assert_eq!(about(&server.get(&from).await.ok(200)).len(), 3);
    for (path, known) in [
        (
            "/api/v1/events?fieldSelector=regarding.name%3Db",
            "involvedObject.name",
        ),
        (
            "/apis/events.k8s.io/v1/events?fieldSelector=involvedObject.name%3Db",
            "regarding.name",
        ),
        (
            "/api/v1/namespaces/default/events?watch=true&fieldSelector=reson%3Db",
            "reason",
        ),
    ] {
        let told = server.get(path).await.refused(400, "BadRequest");
        assert!(
            told.starts_with("field selector: Event has no field") && told.contains(known),
            "{told}"
        );
    }
}

#[tokio::test]
async fn without_docker_what_is_declared_is_served_and_what_runs_is_not() {
    let server = server().await;
    server.create("payments").await;
    assert_eq!(names(&server.get(TEAMS).await.ok(200)), ["payments"]);
    let agents = TEAMS.replace("teams", "agents");
    for path in [
        agents.clone(),
        format!("{agents}/team.payments.coordinator.1"),
        format!("{}/plan", at("payments")),
    ] {
        let refused = server.get(&path).await.refused(503, "ServiceUnavailable");
        assert!(refused.contains("Docker"), "{path}: {refused}");
    }
    server
        .get(&format!("{agents}/nobody"))
        .await
        .refused(404, "NotFound");
    let plan = format!("{}/plan", at("new"));
    let mut bad = team("new");
    bad["spec"]["roles"] = json!([]);
    server.post(&plan, &bad).await.refused(422, "Invalid");
    server
        .post(&plan, &team("other"))
        .await
        .refused(400, "BadRequest");
}
