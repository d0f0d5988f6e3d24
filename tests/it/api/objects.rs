//! Every verb on stored objects.

use reqwest::Method;
use serde_json::{Value, json};

use super::{TEAMS, TEMPLATES, answer, at, names, server, team, template};

#[tokio::test]
async fn an_object_is_created_read_changed_and_deleted() {
    let server = server().await;
    let created = server.create("payments").await;
    let metadata = &created["metadata"];
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["resourceVersion"], "1");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!(created["kind"], "Team");
    assert_eq!(server.get(&at("payments")).await.ok(200), created);

    let mut changed = created.clone();
    changed["spec"]["project"] = json!("acme/payments");
    let changed = server.put(&at("payments"), &changed).await.ok(200);
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(changed["metadata"]["resourceVersion"], "2");
    assert_eq!(changed["metadata"]["uid"], metadata["uid"]);

    let labelled = json!({"metadata": {"labels": {"tier": "web"}}});
    let labelled = server.patch(&at("payments"), &labelled).await.ok(200);
    assert_eq!(labelled["metadata"]["generation"], 2);
    assert_eq!(labelled["metadata"]["labels"], json!({"tier": "web"}));

    let marked = server.delete(&at("payments")).await.ok(200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string(), "{marked}");
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["chorus.services/agents"])
    );
    let again = server.delete(&at("payments")).await.ok(200);
    assert_eq!(again, marked);
    let late = json!({"metadata": {"finalizers": ["chorus.services/agents", "example.com/late"]}});
    let refused = server.patch(&at("payments"), &late).await.refused(422, "Invalid");
    assert!(
        refused.contains(
            "no new finalizers can be added if the object is being deleted, found example.com/late"
        ),
        "{refused}"
    );

    let released = json!({"metadata": {"finalizers": null}});
    server.patch(&at("payments"), &released).await.ok(200);
    let gone = server.get(&at("payments")).await.refused(404, "NotFound");
    assert_eq!(gone, "teams.chorus.services \"payments\" not found");
}

#[tokio::test]
async fn what_nothing_holds_is_gone_at_once() {
    let server = server().await;
    let created = server.post(TEMPLATES, &template("reviewer")).await.ok(201);
    let path = format!("{TEMPLATES}/reviewer");
    let status = server.delete(&path).await.ok(200);
    assert_eq!(status["kind"], "Status");
    assert_eq!(status["status"], "Success");
    let details = json!({
        "name": "reviewer", "group": "chorus.services", "kind": "agenttemplates", "uid": created["metadata"]["uid"],
    });
    assert_eq!(status["details"], details);
    server.delete(&path).await.refused(404, "NotFound");
}

#[tokio::test]
async fn lists_are_selected_and_carry_the_revision_of_their_snapshot() {
    let server = server().await;
    for (name, tier) in [("api", "web"), ("db", "data"), ("site", "web")] {
        let mut team = team(name);
        team["metadata"]["labels"] = json!({"tier": tier});
        server.post(TEAMS, &team).await.ok(201);
    }
    let elsewhere = TEAMS.replace("default", "other");
    server.post(&elsewhere, &team("far")).await.ok(201);
    for (path, expected) in [
        (TEAMS.to_owned(), vec!["api", "db", "site"]),
        (format!("{TEAMS}?labelSelector=tier%3Dweb"), vec!["api", "site"]),
        (format!("{TEAMS}?labelSelector=tier+in+(data),!x"), vec!["db"]),
        (
            format!("{TEAMS}?fieldSelector=metadata.name!%3Ddb"),
            vec!["api", "site"],
        ),
        (format!("{TEAMS}?limit=1"), vec!["api"]),
        (elsewhere, vec!["far"]),
        (TEAMS.replace("default", "empty"), vec![]),
        (
            "/apis/chorus.services/v1/teams".to_owned(),
            vec!["api", "db", "site", "far"],
        ),
        ("/apis/chorus.services/v1/councils".to_owned(), vec![]),
    ] {
        let list = server.get(&path).await.ok(200);
        assert_eq!(names(&list), expected, "{path}");
        assert_eq!(list["metadata"]["resourceVersion"], "4", "{path}");
        assert_eq!(list["apiVersion"], "chorus.services/v1");
    }
    assert_eq!(server.get(TEAMS).await.ok(200)["kind"], "TeamList");
}

#[tokio::test]
async fn a_write_may_say_what_it_saw() {
    let server = server().await;
    let first = server.create("payments").await;
    let second = server
        .patch(&at("payments"), &json!({"spec": {"project": "a"}}))
        .await
        .ok(200);

    let blind = server
        .request(Method::PUT, &at("payments"))
        .json(&team("payments"));
    let refused = answer(blind).await.refused(422, "Invalid");
    assert!(
        refused.contains("metadata.resourceVersion: must be specified for an update"),
        "{refused}"
    );
    let blind = server.request(Method::PUT, &format!("{}/status", at("payments")));
    answer(blind.json(&team("payments")))
        .await
        .refused(422, "Invalid");
    let stale = server.put(&at("payments"), &first).await.refused(409, "Conflict");
    assert!(stale.contains("the object has been modified; please apply your changes to the latest version"));
    let old = json!({"metadata": {"resourceVersion": "1"}, "spec": {"project": "b"}});
    server.patch(&at("payments"), &old).await.refused(409, "Conflict");
    let other = json!({"metadata": {"uid": "another"}, "spec": {"project": "b"}});
    let refused = server
        .patch(&at("payments"), &other)
        .await
        .refused(409, "Conflict");
    assert!(refused.contains("UID in precondition: another"), "{refused}");

    let options = |preconditions: Value| json!({"kind": "DeleteOptions", "preconditions": preconditions});
    for preconditions in [json!({"uid": "another"}), json!({"resourceVersion": "1"})] {
        let request = server.request(Method::DELETE, &at("payments"));
        answer(request.json(&options(preconditions)))
            .await
            .refused(409, "Conflict");
    }
    assert_eq!(server.get(&at("payments")).await.ok(200), second);

    server.put(&at("payments"), &team("payments")).await.ok(200);
    let seen = options(json!({"uid": first["metadata"]["uid"]}));
    let request = server.request(Method::DELETE, &at("payments"));
    answer(request.json(&seen)).await.ok(200);
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_written() {
    let server = server().await;
    let created = server.create("payments").await;
    for same in [
        server.put(&at("payments"), &team("payments")).await.ok(200),
        server.put(&at("payments"), &created).await.ok(200),
        server.patch(&at("payments"), &json!({})).await.ok(200),
        server
            .patch(&at("payments"), &json!({"spec": {"project": null}}))
            .await
            .ok(200),
    ] {
        assert_eq!(same["metadata"]["resourceVersion"], "1");
        assert_eq!(same["spec"], created["spec"]);
    }
}

#[tokio::test]
async fn a_dry_run_answers_like_the_real_one_and_stores_nothing() {
    let server = server().await;
    let path = format!("{TEAMS}?dryRun=All");
    let would = server.post(&path, &team("payments")).await.ok(201);
    assert_eq!(would["metadata"]["generation"], 1);
    assert_eq!(would["metadata"].get("resourceVersion"), None);
    server.get(&at("payments")).await.refused(404, "NotFound");

    let stored = server.create("payments").await;
    server
        .post(&path, &team("payments"))
        .await
        .refused(409, "AlreadyExists");
    let dry = format!("{}?dryRun=All", at("payments"));
    let changed = json!({"spec": {"project": "a"}});
    let would = server.patch(&dry, &changed).await.ok(200);
    assert_eq!(would["metadata"]["generation"], 2);
    let mut bad = team("payments");
    bad["spec"]["roles"] = json!([]);
    server.put(&dry, &bad).await.refused(422, "Invalid");
    assert!(server.delete(&dry).await.ok(200)["metadata"]["deletionTimestamp"].is_string());
    let scale = format!("{}/scale?dryRun=All", at("payments"));
    server
        .patch(&scale, &json!({"spec": {"replicas": 3}}))
        .await
        .ok(200);
    let status = format!("{}/status?dryRun=All", at("payments"));
    server
        .patch(&status, &json!({"status": {"state": "Ready"}}))
        .await
        .ok(200);
    assert_eq!(server.get(&at("payments")).await.ok(200), stored);
    assert_eq!(server.store.revision().await.unwrap().0, 1);
}

#[tokio::test]
async fn what_dependents_decide_is_told_by_a_finalizer() {
    let server = server().await;
    server.create("by-query").await;
    let path = format!("{}?propagationPolicy=Orphan", at("by-query"));
    let marked = server.delete(&path).await.ok(200);
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["chorus.services/agents", "orphan"])
    );

    server.create("by-body").await;
    let request = server.request(Method::DELETE, &at("by-body"));
    let marked = answer(request.json(&json!({"propagationPolicy": "Foreground"})))
        .await
        .ok(200);
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["chorus.services/agents", "foregroundDeletion"])
    );
    // The answer to the last of its finalizers going is what it was last.
    let released = server
        .patch(&at("by-body"), &json!({"metadata": {"finalizers": null}}))
        .await
        .ok(200);
    assert_eq!(released["metadata"]["finalizers"], Value::Null);
    assert!(released["metadata"]["deletionTimestamp"].is_string());
    server.get(&at("by-body")).await.refused(404, "NotFound");
}

#[tokio::test]
async fn yaml_is_taken_as_well() {
    let server = server().await;
    let yaml = "
apiVersion: chorus.services/v1
kind: Team
metadata: {name: payments}
spec:
  defaults: {image: 'chorus-agent:dev'}
  roles:
    - name: coordinator
";
    let request = server.request(Method::POST, TEAMS);
    let request = request.header("content-type", "application/yaml; charset=utf-8");
    let created = answer(request.body(yaml)).await.ok(201);
    assert_eq!(created["spec"]["roles"], json!([{"name": "coordinator"}]));
}

#[tokio::test]
async fn authors_are_warned_and_not_stopped() {
    let server = server().await;
    let mut team = team("payments");
    team["spec"]["roles"][0]["template"] = json!("reviewr");
    server.post(TEMPLATES, &template("reviewer")).await.ok(201);
    let created = server.post(TEAMS, &team).await;
    assert_eq!(created.code, 201, "{}", created.text);
    let [warning] = created.warnings.as_slice() else {
        panic!("{:?}", created.warnings)
    };
    assert!(warning.starts_with("299 - \"TemplateNotFound: "), "{warning}");
    assert!(warning.contains("reviewer"), "the nearest name: {warning}");

    team["spec"]["roles"][0]["template"] = json!("reviewer");
    let fixed = server.put(&at("payments"), &team).await;
    assert_eq!((fixed.code, fixed.warnings), (200, vec![]));
    let deleted = server.delete(&format!("{TEMPLATES}/reviewer")).await;
    assert_eq!(deleted.code, 200);
    assert!(
        deleted.warnings[0].contains("still used by team/payments"),
        "{:?}",
        deleted.warnings
    );
}

#[tokio::test]
async fn the_history_names_who_and_why() {
    let server = server().await;
    server.create("payments").await;
    server
        .patch(&at("payments"), &json!({"spec": {"project": "a"}}))
        .await
        .ok(200);
    let history = server.get(&format!("{}/history", at("payments"))).await.ok(200);
    let entries = history["items"].as_array().unwrap();
    let told = |field: &str| {
        entries
            .iter()
            .map(|entry| entry[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("change"), ["ADDED", "MODIFIED"]);
    assert_eq!(told("reason"), ["create", "patch"]);
    assert_eq!(told("generation"), [1, 2]);
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(entries[0]["actor"], format!("unix:uid={uid}"));
    assert_eq!(entries[1]["object"]["spec"]["project"], "a");
    let older = format!("{}/history?continue={}", at("payments"), entries[1]["revision"]);
    let older = server.get(&older).await.ok(200);
    assert_eq!(older["items"][0], entries[0]);
    assert_eq!(
        (older["items"].as_array().unwrap().len(), &older["metadata"]),
        (1, &json!({}))
    );
    let missing = format!("{}/history", at("nobody"));
    server.get(&missing).await.refused(404, "NotFound");
}

#[tokio::test]
async fn a_collection_is_deleted_as_far_as_it_is_selected() {
    let server = server().await;
    for name in ["a", "b", "c"] {
        server.post(TEMPLATES, &template(name)).await.ok(201);
    }
    let labels = json!({"metadata": {"labels": {"tier": "web"}}});
    server.patch(&format!("{TEMPLATES}/b"), &labels).await.ok(200);
    let selected = format!("{TEMPLATES}?labelSelector=tier%3Dweb");
    let tried = server.delete(&format!("{selected}&dryRun=All")).await.ok(200);
    assert_eq!(names(&tried), ["b"]);
    assert_eq!(names(&server.delete(&selected).await.ok(200)), ["b"]);
    assert_eq!(names(&server.get(TEMPLATES).await.ok(200)), ["a", "c"]);
    let part = server.delete(&format!("{TEMPLATES}?limit=1")).await;
    part.refused(400, "BadRequest");
    let gone = server.delete(TEMPLATES).await.ok(200);
    assert_eq!(
        (&gone["kind"], names(&gone)),
        (&json!("AgentTemplateList"), vec!["a", "c"])
    );
    assert!(names(&server.get(TEMPLATES).await.ok(200)).is_empty());

    server.create("payments").await;
    let held = server.delete(TEAMS).await.ok(200);
    assert!(
        held["items"][0]["metadata"]["deletionTimestamp"].is_string(),
        "{held}"
    );
    let everywhere = server.delete("/apis/chorus.services/v1/teams").await;
    everywhere.refused(405, "MethodNotAllowed");
}
