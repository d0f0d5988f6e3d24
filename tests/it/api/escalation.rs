//! Nobody lets a GitSource do what they may not do themselves, by whichever way they come.

use reqwest::Method;
use serde_json::{Value, json};

use super::network::{Door, token};
use super::{MERGE_PATCH, answer, server};

const SOURCES: &str = "/apis/chorus.services/v1/namespaces/default/gitsources";

fn at(name: &str) -> String {
    format!("{SOURCES}/{name}")
}

/// A source that may do this.
fn source(name: &str, url: &str, impersonate: &Value) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "GitSource",
        "metadata": {"name": name},
        "spec": {"url": format!("https://git.example/{url}.git"), "impersonate": impersonate},
    })
}

#[tokio::test]
async fn a_source_gets_no_more_than_its_author_has() {
    let server = server().await;
    let door = Door::of(&server).await;
    let editor = json!({"name": "ci", "role": "edit", "namespaces": ["default"]});
    let editor = token(&server, &editor).await;
    let admin = json!({"name": "ada", "role": "admin", "namespaces": ["default"]});
    let admin = token(&server, &admin).await;
    let more = json!({"namespaces": ["default", "prod"]});
    let strong = source("strong", "fleet", &more);
    let stored = server.post(SOURCES, &strong).await.ok(201);
    let weak = server
        .post(SOURCES, &source("weak", "fleet", &json!({"role": "edit"})))
        .await
        .ok(201);

    let apply = "application/apply-patch+yaml";
    let evil = json!([{"op": "replace", "path": "/spec/url", "value": "https://git.example/evil.git"}]);
    let lifted = json!({"metadata": {"annotations": {"chorus.services/allow-prune": "1a2b3c4d5e6f"}}});
    let status = json!({"status": {"inventory": ["team/prod/a"]}});
    for (method, path, media, body, bearer, field) in [
        (
            Method::POST,
            SOURCES.to_owned(),
            "",
            source("new", "x", &more),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::POST,
            SOURCES.to_owned(),
            "",
            source("new", "x", &json!({"role": "admin"})),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::POST,
            SOURCES.to_owned(),
            "",
            source("new", "x", &json!({"role": "edit", "namespaces": ["*"]})),
            &admin,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("new?fieldManager=ci"),
            apply,
            source("new", "x", &more),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::POST,
            at("new/plan"),
            "",
            source("new", "x", &more),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("weak"),
            MERGE_PATCH,
            json!({"spec": {"impersonate": more}}),
            &editor,
            "spec.impersonate",
        ),
        // What is strong already is not for those to steer who are not.
        (
            Method::PUT,
            at("strong"),
            "",
            source("strong", "evil", &more),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("strong"),
            MERGE_PATCH,
            json!({"spec": {"path": "evil"}}),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("strong"),
            "application/json-patch+json",
            evil,
            &editor,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("strong?fieldManager=ci&force=true"),
            apply,
            source("strong", "evil", &more),
            &editor,
            "spec.impersonate",
        ),
        (
            Method::PATCH,
            at("strong"),
            MERGE_PATCH,
            lifted,
            &editor,
            "metadata.annotations[chorus.services/allow-prune]",
        ),
        (
            Method::PATCH,
            at("strong/status"),
            MERGE_PATCH,
            status,
            &admin,
            "status",
        ),
    ] {
        let request = door.request(method.clone(), &path, bearer).body(body.to_string());
        let media = if media.is_empty() {
            "application/json"
        } else {
            media
        };
        let refused = answer(request.header("content-type", media)).await;
        let causes = refused.body["details"]["causes"].clone();
        let message = refused.refused(422, "Invalid");
        assert_eq!(causes[0]["field"], field, "{method} {path}: {causes}");
        assert_eq!(
            causes[0]["reason"], "FieldValueForbidden",
            "{method} {path}: {causes}"
        );
        assert!(
            message.contains("nobody lets a source do what they may not do themselves"),
            "{message}"
        );
    }
    server.get(&at("new")).await.refused(404, "NotFound");
    assert_eq!(server.get(&at("strong")).await.ok(200), stored);
    assert_eq!(server.get(&at("weak")).await.ok(200), weak);

    // What gives no power is theirs to do who edit the namespace, and to take power away is, too.
    for body in [
        json!({"metadata": {"labels": {"team": "ada"}}}),
        json!({"metadata": {"annotations": {"chorus.services/reconcile-requested-at": "now"}}}),
        json!({"spec": {"impersonate": null}}),
        json!({"spec": {"path": "mine"}}),
    ] {
        let request = door
            .request(Method::PATCH, &at("strong"), &editor)
            .body(body.to_string());
        let changed = answer(request.header("content-type", MERGE_PATCH)).await;
        assert_eq!(changed.code, 200, "{body}: {}", changed.text);
    }
    let both = json!({"name": "both", "role": "edit", "namespaces": ["default", "prod"]});
    let both = token(&server, &both).await;
    door.post(SOURCES, &both, &source("new", "x", &more))
        .await
        .ok(201);
}

#[tokio::test]
async fn what_is_wrong_with_a_sources_rights_is_told_at_once() {
    let server = server().await;
    let mut raw = source(
        "new",
        "x",
        &json!({"role": "owner", "namespaces": ["*", "prod", "prod"], "user": "ada"}),
    );
    raw["spec"]["targetNamespace"] = json!("Prod");
    let strictly = format!("{SOURCES}?fieldValidation=Strict");
    let refused = server.post(&strictly, &raw).await.refused(400, "BadRequest");
    for told in [
        "spec.impersonate.role: must be one of \"admin\", \"edit\", \"view\", got \"owner\"",
        "spec.impersonate.user: unknown field",
        "spec.impersonate.namespaces[0]: must stand alone: it stands for all namespaces",
        "spec.impersonate.namespaces[2]: duplicate \"prod\"",
        "spec.targetNamespace: must be a DNS label",
    ] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    let nowhere = source("new", "x", &json!({"namespaces": []}));
    let refused = server.post(SOURCES, &nowhere).await.refused(422, "Invalid");
    assert!(
        refused.contains("spec.impersonate.namespaces: must have at least 1 item"),
        "{refused}"
    );
}
