//! Policies at the door: what a spec hides a power in, who may lift a rule, and what is told beforehand.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::network::{Door, token};
use super::{MERGE_PATCH, Server, TEAMS, TEMPLATES, answer, at, server, team, template};
use crate::harness::postgres::database;

const POLICIES: &str = "/apis/chorus.services/v1/namespaces/default/policies";

fn policy(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "chorus.services/v1",
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// An agent block that mounts a path of its node.
fn bind(source: &str) -> Value {
    json!({"mounts": [{"target": "/host", "type": "bind", "source": source, "readOnly": true}]})
}

#[tokio::test]
async fn a_bind_mount_is_refused_wherever_it_hides() {
    let server = server().await;
    let says =
        "mounts /srv/models of its node, which no Policy of the namespace allows (spec.allow.hostPaths)";

    let mut in_role = team("x");
    in_role["spec"]["roles"][0]["agent"] = bind("/srv/models");
    let refused = server.post(TEAMS, &in_role).await;
    let causes = refused.body["details"]["causes"].clone();
    assert_eq!(causes[0]["field"], "spec.roles[0].agent.mounts", "{causes}");
    assert_eq!(causes[0]["reason"], "FieldValueForbidden", "{causes}");
    assert!(refused.refused(422, "Invalid").contains(says));
    let rehearsed = server.post(&format!("{TEAMS}?dryRun=All"), &in_role).await;
    assert!(rehearsed.refused(422, "Invalid").contains(says));
    let planned = server.post(&format!("{}/plan", at("x")), &in_role).await;
    assert!(planned.refused(422, "Invalid").contains(says));

    let mut in_defaults = team("x");
    in_defaults["spec"]["defaults"]["mounts"] = bind("/srv/models")["mounts"].clone();
    let refused = server.post(TEAMS, &in_defaults).await;
    assert!(refused.refused(422, "Invalid").contains(says));

    // A template that nobody has made yet takes nothing of that away.
    in_defaults["spec"]["roles"][0]["template"] = json!("models");
    let refused = server.post(TEAMS, &in_defaults).await;
    assert!(refused.refused(422, "Invalid").contains(says));

    let mut in_template = template("models");
    in_template["spec"]["mounts"] = bind("/srv/models")["mounts"].clone();
    let refused = server.post(TEMPLATES, &in_template).await;
    assert!(refused.refused(422, "Invalid").contains(says));

    server.create("x").await;
    let update = json!({"spec": {"roles": [{"name": "coordinator", "agent": bind("/srv/models")}]}});
    let refused = server.patch(&at("x"), &update).await;
    assert!(refused.refused(422, "Invalid").contains(says));

    // A template that was allowed, and then is no longer: its users are judged by what they come to.
    let allow = json!({"allow": {"hostPaths": [{"path": "/srv"}]}});
    server.post(POLICIES, &policy("models", allow)).await.ok(201);
    server.post(TEMPLATES, &in_template).await.ok(201);
    server.delete(&format!("{POLICIES}/models")).await.ok(200);
    let by_template = json!({"spec": {"roles": [{"name": "coordinator", "template": "models"}]}});
    let refused = server.patch(&at("x"), &by_template).await;
    assert!(refused.refused(422, "Invalid").contains(says));
}

#[tokio::test]
async fn what_a_stricter_policy_refuses_can_be_made_less_but_not_more() {
    let server = server().await;
    let allow = json!({"allow": {"hostPaths": [{"path": "/srv"}]}});
    server.post(POLICIES, &policy("models", allow)).await.ok(201);
    let mut reader = team("reader");
    reader["spec"]["replicas"] = json!(3);
    reader["spec"]["roles"][0]["agent"] = bind("/srv/models");
    server.post(TEAMS, &reader).await.ok(201);
    server.delete(&format!("{POLICIES}/models")).await.ok(200);

    for less in [json!({"replicas": 1}), json!({"suspend": true})] {
        let answered = server.patch(&at("reader"), &json!({"spec": less})).await;
        let told = &answered.warnings[0];
        assert!(
            told.contains("was refused before, and is left as it runs") && told.contains("/srv/models"),
            "{told}"
        );
        answered.ok(200);
    }
    // Wherever its block stands.
    let mut pair = team("pair");
    pair["spec"]["roles"] = json!([{"name": "plain"}, {"name": "reader", "agent": bind("/srv/models")}]);
    let kept = json!({"allow": {"hostPaths": [{"path": "/srv"}]}});
    server.post(POLICIES, &policy("again", kept)).await.ok(201);
    server.post(TEAMS, &pair).await.ok(201);
    server.delete(&format!("{POLICIES}/again")).await.ok(200);
    let one = json!({"spec": {"roles": [{"name": "reader", "agent": bind("/srv/models")}]}});
    server.patch(&at("pair"), &one).await.ok(200);

    let two = json!([{"name": "coordinator"}, {"name": "writer", "agent": bind("/srv/models")}]);
    let elsewhere = json!([{"name": "coordinator", "agent": bind("/srv/other")}]);
    for more in [two, elsewhere] {
        let refused = server
            .patch(&at("reader"), &json!({"spec": {"roles": more}}))
            .await;
        refused.refused(422, "Invalid");
    }
}

#[tokio::test]
async fn a_policy_allows_and_a_stricter_one_names_whom_it_hits() {
    let server = server().await;
    let allow = json!({"allow": {"hostPaths": [{"path": "/srv"}]}});
    server.post(POLICIES, &policy("models", allow)).await.ok(201);
    let mut reader = team("reader");
    reader["spec"]["roles"][0]["agent"] = bind("/srv/models");
    server.post(TEAMS, &reader).await.ok(201);

    let strict = json!({"limits": {"nonRoot": true}});
    let stored = server.post(POLICIES, &policy("strict", strict)).await;
    assert_eq!(stored.code, 201, "{}", stored.text);
    let warned = stored.warnings.join("\n");
    assert!(
        warned.contains("team/default/reader asks for what is not allowed") && warned.contains("nonRoot"),
        "{warned}"
    );
    // What does not change the spec still passes, what does is judged.
    let labelled = server
        .patch(&at("reader"), &json!({"metadata": {"labels": {"a": "b"}}}))
        .await;
    labelled.ok(200);
    let scaled = server
        .patch(&at("reader"), &json!({"spec": {"replicas": 2}}))
        .await;
    assert!(scaled.refused(422, "Invalid").contains("nonRoot"));
}

#[tokio::test]
async fn a_quota_counts_all_of_a_namespace() {
    let server = server().await;
    let quota = json!({"limits": {"quota": {"agents": 3}}});
    server.post(POLICIES, &policy("small", quota)).await.ok(201);
    server.create("a").await;
    let mut pair = team("b");
    pair["spec"]["replicas"] = json!(2);
    server.post(TEAMS, &pair).await.ok(201);
    let refused = server.post(TEAMS, &team("c")).await.refused(422, "Invalid");
    assert!(
        refused
            .contains("the namespace would have 4 agents, and the quota of the Policy \"small\" is 3 agents"),
        "{refused}"
    );
    let elsewhere = TEAMS.replace("default", "prod");
    server.post(&elsewhere, &team("c")).await.ok(201);
    server.delete(&at("a")).await.ok(200);
    server
        .patch(&at("b"), &json!({"spec": {"replicas": 1}}))
        .await
        .ok(200);
}

#[tokio::test]
async fn a_volume_of_others_is_refused_wherever_it_hides() {
    let server = server().await;
    let mounts = |source: &str| json!([{"target": "/cache", "type": "volume", "source": source}]);
    let mut in_template = template("cached");
    in_template["spec"]["mounts"] = mounts("shop-orders");
    let says = "mounts the volume shop-orders of its node, which no Policy of the namespace allows (spec.allow.volumes)";
    let refused = server.post(TEMPLATES, &in_template).await;
    assert!(refused.refused(422, "Invalid").contains(says));
    // One that was allowed, and then is no longer: its users are judged by what they come to.
    let all = json!({"allow": {"volumes": ["*"]}});
    server.post(POLICIES, &policy("own", all)).await.ok(201);
    server.post(TEMPLATES, &in_template).await.ok(201);
    let own = json!({"spec": {"allow": {"volumes": ["web-*"]}}});
    server.patch(&format!("{POLICIES}/own"), &own).await.ok(200);

    let mut by_template = team("x");
    by_template["spec"]["roles"][0]["template"] = json!("cached");
    let mut in_role = team("x");
    in_role["spec"]["roles"][0]["agent"]["mounts"] = mounts("shop-orders");
    for team in [by_template, in_role] {
        let refused = server.post(TEAMS, &team).await;
        assert_eq!(
            refused.body["details"]["causes"][0]["field"],
            "spec.roles[0].agent.mounts"
        );
        assert!(refused.refused(422, "Invalid").contains(says));
    }
    let mut own = team("x");
    own["spec"]["roles"][0]["agent"]["mounts"] = mounts("web-cache");
    server.post(TEAMS, &own).await.ok(201);
}

#[tokio::test]
async fn who_comes_at_once_does_not_pass_a_quota_together() {
    // Several operators serve one database.
    let database = database().await;
    let server = Server::on(&database, "unix:///nowhere/docker.sock").await;
    let other = Server::on(&database, "unix:///nowhere/docker.sock").await;
    let quota = json!({"limits": {"quota": {"agents": 5}}});
    server.post(POLICIES, &policy("small", quota)).await.ok(201);
    let wanted: Vec<Value> = (0..20).map(|number| team(&format!("team-{number}"))).collect();
    let by_turns = wanted.iter().zip([&server, &other].into_iter().cycle());
    let answers = join_all(by_turns.map(|(team, server)| server.post(TEAMS, team))).await;
    let mut accepted = Vec::new();
    for (team, answer) in wanted.iter().zip(answers) {
        match answer.code {
            201 => accepted.push(team["metadata"]["name"].as_str().unwrap()),
            _ => assert!(answer.refused(422, "Invalid").contains("is 5 agents")),
        }
    }
    assert_eq!(accepted.len(), 5, "{accepted:?}");
    // One place is free again: of those who want it at once, one gets it.
    let none = json!({"spec": {"replicas": 0}});
    server.patch(&at(accepted[0]), &none).await.ok(200);
    let larger = json!({"spec": {"replicas": 2}});
    let larger = join_all(
        accepted[1..]
            .iter()
            .map(async |name| server.patch(&at(name), &larger).await),
    )
    .await;
    let codes: Vec<u16> = larger.iter().map(|answer| answer.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 200).count(), 1, "{codes:?}");
}

#[tokio::test]
async fn a_template_makes_nobodys_agents_larger_than_the_quota() {
    let server = server().await;
    let quota = json!({"limits": {"quota": {"agents": 4, "cpu": "4"}}});
    server.post(POLICIES, &policy("small", quota)).await.ok(201);
    let sized = |cpu: &str| {
        let mut template = template("sized");
        template["spec"]["resources"] = json!({"limits": {"cpu": cpu}});
        template
    };
    let sized_at = format!("{TEMPLATES}/sized");
    server.post(TEMPLATES, &sized("1")).await.ok(201);
    let mut pair = team("pair");
    pair["spec"]["roles"] = json!([{"name": "coordinator", "template": "sized", "replicas": 2}]);
    server.post(TEAMS, &pair).await.ok(201);

    let says =
        "the namespace would have 6000m of processor limits, and the quota of the Policy \"small\" is 4000m";
    let grown = json!({"spec": {"resources": {"limits": {"cpu": "3"}}}});
    let refused = server.patch(&sized_at, &grown).await;
    assert!(refused.refused(422, "Invalid").contains(says));
    let planned = server.post(&format!("{sized_at}/plan"), &sized("3")).await;
    assert!(planned.refused(422, "Invalid").contains(says));
    let fitting = json!({"spec": {"resources": {"limits": {"cpu": "2"}}}});
    server.patch(&sized_at, &fitting).await.ok(200);

    // Nor does one that goes, and comes back with more.
    server.delete(&sized_at).await.ok(200);
    let refused = server.post(TEMPLATES, &sized("3")).await;
    assert!(refused.refused(422, "Invalid").contains(says));
    server.post(TEMPLATES, &sized("2")).await.ok(201);

    // Agents that a bad template leaves as they are still count.
    let bad = json!({"spec": {"resources": {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}}});
    server.patch(&sized_at, &bad).await.ok(200);
    let own = json!({"spec": {"roles": [{
        "name": "coordinator", "template": "sized", "replicas": 2,
        "agent": {"resources": {"requests": {"cpu": "150m"}}},
    }]}});
    server.patch(&at("pair"), &own).await.ok(200);
    let worse = json!({"spec": {"resources": {"limits": {"cpu": "120m"}}}});
    let stored = server.patch(&sized_at, &worse).await;
    assert!(
        stored
            .warnings
            .join("\n")
            .contains("team/default/pair would not be valid any more"),
        "{:?}",
        stored.warnings
    );
    let mut more = team("more");
    more["spec"]["replicas"] = json!(3);
    let refused = server.post(TEAMS, &more).await.refused(422, "Invalid");
    assert!(refused.contains("the namespace would have 5 agents"), "{refused}");
}

#[tokio::test]
async fn a_policy_that_is_wrong_is_refused_with_all_that_is() {
    let server = server().await;
    let wrong = json!({
        "allow": {
            "hostPaths": [{"path": "srv"}],
            "capabilities": ["NET_ADMINN"],
            "hostPorts": [{"from": 90, "to": 80}],
        },
        "limits": {"quota": {"cpu": "lots"}},
    });
    let refused = server
        .post(POLICIES, &policy("wrong", wrong))
        .await
        .refused(422, "Invalid");
    for part in [
        "spec.allow.hostPaths[0].path",
        "did you mean \"NET_ADMIN\"",
        "spec.allow.hostPorts[0].to: must not be below the first, 90, got 80",
        "spec.limits.quota.cpu",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
}

#[tokio::test]
async fn only_who_rules_all_nodes_writes_policies() {
    let server = server().await;
    let door = Door::of(&server).await;
    let open = policy("open", json!({"allow": {"dockerSocket": true}}));
    for (name, role, namespaces, code) in [
        ("edit", "edit", Value::Null, 403),
        ("here", "admin", json!(["default"]), 403),
        ("all", "admin", Value::Null, 201),
    ] {
        let wanted = json!({"name": name, "role": role, "namespaces": namespaces});
        let token = token(&server, &wanted).await;
        let created = door.post(POLICIES, &token, &open).await;
        assert_eq!(created.code, code, "{name}: {}", created.text);
        assert_eq!(door.get(POLICIES, &token).await.code, 200, "{name}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_around_that() {
    let server = server().await;
    let door = Door::of(&server).await;
    let wanted = json!({"name": "edit", "role": "edit", "namespaces": ["default"]});
    let edit = token(&server, &wanted).await;
    let strict = policy("strict", json!({"limits": {"nonRoot": true}}));
    server.post(POLICIES, &strict).await.ok(201);
    let stored = server.get(&format!("{POLICIES}/strict")).await.ok(200);
    for spelling in ["%70olicies", "policie%73", "%70%6f%6c%69%63%69%65%73"] {
        for namespace in ["default", "d%65fault"] {
            let all = format!("/apis/chorus.services/v1/namespaces/{namespace}/{spelling}");
            let one = format!("{all}/strict");
            for (method, path, body) in [
                (
                    Method::POST,
                    &all,
                    policy("open", json!({"allow": {"dockerSocket": true}})),
                ),
                (Method::PUT, &one, strict.clone()),
                (Method::PATCH, &one, json!({"spec": {"limits": null}})),
                (Method::DELETE, &one, json!({})),
                (Method::DELETE, &all, json!({})),
            ] {
                let request = door.request(method.clone(), path, &edit);
                let request = request.header("content-type", MERGE_PATCH).body(body.to_string());
                let told = answer(request).await;
                assert_eq!(told.code, 403, "{method} {path}: {}", told.text);
            }
        }
    }
    assert_eq!(server.get(&format!("{POLICIES}/strict")).await.ok(200), stored);
    server
        .get(&format!("{POLICIES}/open"))
        .await
        .refused(404, "NotFound");
}

#[tokio::test]
async fn a_path_that_the_engine_expands_is_refused() {
    let server = server().await;
    let allow = json!({"allow": {"hostPaths": [{"path": "/srv/models"}]}});
    server.post(POLICIES, &policy("models", allow)).await.ok(201);
    for source in [
        "/srv/models/{{\"..\"}}/{{\"..\"}}/run/docker.sock",
        "/srv/models/{{.Node.Hostname}}",
        "/srv/models/../../etc",
    ] {
        let mut team = team("x");
        team["spec"]["roles"][0]["agent"] = bind(source);
        server.post(TEAMS, &team).await.refused(422, "Invalid");
    }
    let mut by_id = team("x");
    by_id["spec"]["network"] = json!("z4xw6hl49g9868190sbdjx23t");
    let told = server.post(TEAMS, &by_id).await.refused(422, "Invalid");
    assert!(
        told.contains("what the engine takes for a network's id"),
        "{told}"
    );
}
