//! What is refused, and in which words.

mod agent_block;

use serde_json::{Value, json};

use super::*;

/// The problems of an object, one line each.
fn problems(raw: &Value) -> Vec<String> {
    match object(raw) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.causes.iter().map(Cause::to_string).collect(),
    }
}

fn check(raw: &Value, expected: &[&str]) {
    assert_eq!(problems(raw), expected, "{raw:#}");
}

fn team(spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "Team", "metadata": {"name": "payments"}, "spec": spec})
}

fn council(spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "Council", "metadata": {"name": "kickoff"}, "spec": spec})
}

/// A Team whose one role has this agent block beside an image.
fn agent(block: Value) -> Value {
    let mut block = block;
    if block.get("image").is_none() {
        block["image"] = json!("agent:1");
    }
    team(json!({"roles": [{"name": "a", "agent": block}]}))
}

#[test]
fn a_good_object_comes_back_clean() {
    let raw = json!({
        "apiVersion": API_VERSION,
        "kind": "Team",
        "metadata": {"name": "payments", "creationTimestamp": null, "labels": {"app": "x"}},
        "spec": {"network": null, "roles": [{"name": "a", "agent": {"image": "agent:1", "model": null}}]},
        "status": {"whatever": true}
    });
    let object = object(&raw).unwrap();
    assert_eq!(
        (object.kind, object.name(), &object.status),
        (Kind::Team, "payments", &None)
    );
    assert_eq!(
        object.spec,
        json!({"roles": [{"name": "a", "agent": {"image": "agent:1"}}]})
    );
    assert_eq!(object.metadata.namespace, None);
}

#[test]
fn what_an_object_is_must_be_known() {
    check(
        &json!([]),
        &["must be an object with apiVersion, kind, metadata and spec"],
    );
    check(
        &json!({}),
        &[
            "apiVersion: is required: \"chorus.services/v1\"",
            "kind: is required: one of Team, Council, AgentTemplate, Policy, GitSource",
            "metadata.name: is required",
        ],
    );
    check(
        &json!({"apiVersion": "v1", "kind": "Taem", "metadata": {"name": "a"}, "specs": {}}),
        &[
            "apiVersion: must be \"chorus.services/v1\", got \"v1\"",
            "kind: must be one of Team, Council, AgentTemplate, Policy, GitSource, got \"Taem\" (did you mean \"Team\"?)",
            "specs: unknown field (did you mean \"spec\"?)",
        ],
    );
    check(
        &json!({"apiVersion": API_VERSION, "kind": "Agent", "metadata": {"name": "a"}, "spec": {}}),
        &["kind: Agent is read-only: declare a Team"],
    );
    check(
        &json!({"apiVersion": API_VERSION, "kind": "Team", "metadata": {"name": "a"}}),
        &["spec: is required"],
    );
    check(
        &json!({"apiVersion": API_VERSION, "kind": "Team", "metadata": 5, "spec": []}),
        &[
            "metadata: must be an object, got a number",
            "metadata.name: is required",
            "spec: must be an object, got a list",
        ],
    );
}

#[test]
fn metadata_is_checked_too() {
    let with = |metadata: Value| json!({"apiVersion": API_VERSION, "kind": "AgentTemplate", "metadata": metadata, "spec": {}});
    let rule = "at most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends";
    let long = "a".repeat(64);
    for (name, expected) in [
        (
            "My_Team",
            format!("metadata.name: must be a DNS label, got \"My_Team\": {rule}; try \"my-team\""),
        ),
        (
            "-a-",
            format!("metadata.name: must be a DNS label, got \"-a-\": {rule}; try \"a\""),
        ),
        (
            "",
            format!("metadata.name: must be a DNS label, got \"\": {rule}"),
        ),
        (
            "größe",
            format!("metadata.name: must be a DNS label, got \"größe\": {rule}; try \"gr-e\""),
        ),
        (
            &long,
            format!(
                "metadata.name: must be a DNS label, got \"{long}\" (64 characters): {rule}; try \"{}\"",
                &long[1..]
            ),
        ),
    ] {
        check(&with(json!({"name": name})), &[&expected]);
    }
    check(&with(json!({"name": "a".repeat(63), "namespace": "prod"})), &[]);
    check(
        &with(json!({"name": "a", "namespace": "Prod", "lables": {}})),
        &[
            "metadata.lables: unknown field (did you mean \"labels\"?)",
            &format!("metadata.namespace: must be a DNS label, got \"Prod\": {rule}; try \"prod\""),
        ],
    );
    check(
        &with(json!({"name": "a", "labels": {"x/y/z": "", "ok": "-"}, "annotations": {"n": 5}})),
        &[
            "metadata.annotations.n: must be a string, got a number: put it in quotes",
            "metadata.labels[x/y/z]: the key \"x/y/z\" must be a name of at most 63 letters, digits, \"-\", \"_\" and \
             \".\", perhaps after a DNS name and \"/\", as in \"app\" or \"example.com/app\"",
            "metadata.labels.ok: the value \"-\" must be empty or at most 63 letters, digits, \"-\", \"_\" and \".\", \
             with a letter or digit at both ends",
        ],
    );
    check(
        &with(json!({"name": "a", "creationTimestamp": "yesterday"})),
        &["metadata.creationTimestamp: must be a time like \"2026-03-01T10:00:00Z\", got \"yesterday\""],
    );
    check(
        &with(json!({"generateName": "a-"})),
        &["metadata.name: is required: of a generateName, a name is made only where an object is created"],
    );
    check(
        &with(json!({"name": "a", "annotations": {"a": "x".repeat(300 * 1024)}})),
        &["metadata.annotations: have 301 KiB; at most 256 KiB can be stored"],
    );
    let owner = json!({"apiVersion": "v1", "kind": "A", "name": "", "uid": "u", "controller": true});
    check(
        &with(json!({"name": "a", "ownerReferences": [owner, owner]})),
        &[
            "metadata.ownerReferences[0].name: must not be empty",
            "metadata.ownerReferences[1].name: must not be empty",
            "metadata.ownerReferences[1].uid: names an owner that is named already",
            "metadata.ownerReferences: 2 of them have controller set to true; only one may",
        ],
    );
    let owner =
        |number: u32| json!({"apiVersion": "a/b/c", "kind": "A", "name": "x", "uid": number.to_string()});
    check(
        &with(json!({"name": "a", "ownerReferences": [owner(0)]})),
        &[
            "metadata.ownerReferences[0].apiVersion: must be a version or a group and a version, as in \"chorus.services/v1\"",
        ],
    );
    let owner =
        |number: u32| json!({"apiVersion": "v1", "kind": "A", "name": "x", "uid": number.to_string()});
    let many: Vec<Value> = (0..65).map(owner).collect();
    check(
        &with(json!({"name": "a", "ownerReferences": many})),
        &["metadata.ownerReferences: are 65; at most 64 can be named"],
    );
}

#[test]
fn fields_must_fit_the_schema() {
    check(
        &team(json!({"project": 5, "taks": {}, "suspend": "yes", "roles": {}})),
        &[
            "spec.project: must be a string, got a number: put it in quotes",
            "spec.taks: unknown field (did you mean \"task\"?)",
            "spec.suspend: must be true or false, got a string",
            "spec.roles: must be a list, got an object",
        ],
    );
    check(&team(json!({})), &["spec.roles: is required"]);
    check(
        &team(json!({"roles": []})),
        &["spec.roles: must have at least 1 item"],
    );
    check(
        &team(
            json!({"task": {"priority": "hihg"}, "defaults": {"image": "a:1"}, "roles": [{"name": "a"}, 5]}),
        ),
        &[
            "spec.task.title: is required",
            "spec.task.priority: must be one of \"low\", \"medium\", \"high\", \"critical\", got \"hihg\" (did you mean \
             \"high\"?)",
            "spec.roles[1]: must be an object, got a number",
        ],
    );
    check(
        &agent(json!({"volumes": [], "imgae": "x"})),
        &[
            "spec.roles[0].agent.volumes: unknown field; known here: args, capabilities, command, configs, env, \
             expertise, healthCheck, host, image, model, mounts, networks, placement, resources, secrets, stopGracePeriod, \
             systemPrompt, user",
            "spec.roles[0].agent.imgae: unknown field (did you mean \"image\"?)",
        ],
    );
    check(
        &agent(json!({"model": "a\0b"})),
        &[
            "spec.roles[0].agent.model: must not contain a NUL character",
            "spec.roles[0].agent.model: must be a single line",
        ],
    );
}

#[test]
fn replicas_have_bounds() {
    let roles = |one: Value, other: Value| {
        team(
            json!({"defaults": {"image": "a:1"}, "roles": [{"name": "a", "replicas": one}, {"name": "b", "replicas": other}]}),
        )
    };
    check(&roles(json!(0), json!(10_000)), &[]);
    check(
        &roles(json!(-1), json!(10_000_000)),
        &[
            "spec.roles[0].replicas: must be between 0 and 10000, got -1",
            "spec.roles[1].replicas: must be between 0 and 10000, got 10000000",
        ],
    );
    check(
        &roles(json!(2.5), json!("3")),
        &[
            "spec.roles[0].replicas: must be a whole number, got 2.5",
            "spec.roles[1].replicas: must be a whole number, got a string: write it without quotes",
        ],
    );
    check(
        &roles(json!(6_000), json!(6_000)),
        &["spec.roles: must declare at most 10000 agents in all, got 12000: split them over several objects"],
    );
}

#[test]
fn roles_are_unique_and_have_an_image() {
    check(
        &team(
            json!({"roles": [{"name": "a", "agent": {"image": "a:1"}}, {"name": "b"}, {"name": "b", "template": "t"}]}),
        ),
        &[
            "spec.roles[2].name: duplicate \"b\"; it is at spec.roles[1].name already",
            "spec.roles[1].agent.image: is required: an agent's image is set in the role's agent block, in its \
             template or in spec.defaults",
        ],
    );
    check(
        &team(json!({"defaults": {"image": "a:1"}, "roles": [{"name": "a"}]})),
        &[],
    );
    check(&team(json!({"roles": [{"name": "a", "template": "later"}]})), &[]);
    check(
        &council(json!({})),
        &[
            "spec.defaults.image: is required: an agent's image is set in the role's agent block, in its template or in \
           spec.defaults",
        ],
    );
    let rule = "at most 63 of a-z, 0-9 and \"-\", with a letter or digit at both ends";
    check(
        &team(json!({"defaults": {"image": "a:1"}, "roles": [{"name": "A b", "template": "T"}]})),
        &[
            &format!("spec.roles[0].template: must be a DNS label, got \"T\": {rule}; try \"t\""),
            &format!("spec.roles[0].name: must be a DNS label, got \"A b\": {rule}; try \"a-b\""),
        ],
    );
}

#[test]
fn a_council_has_its_own_roles_alone() {
    let with = |mut spec: Value| {
        spec["defaults"] = json!({"image": "a:1"});
        council(spec)
    };
    check(
        &with(json!({"optionalRoles": ["ux-lead"], "roles": [{"name": "ux-lead", "replicas": 2}]})),
        &[],
    );
    check(
        &with(json!({"coreRoles": ["quality-led", "quality-lead", "quality-lead"], "optionalRoles": ["hr"]})),
        &[
            "spec.coreRoles[0]: must be one of \"product-manager\", \"engineering-lead\", \"quality-lead\", got \
             \"quality-led\" (did you mean \"quality-lead\"?)",
            "spec.coreRoles[2]: duplicate \"quality-lead\"; it is at spec.coreRoles[1] already",
            "spec.optionalRoles[0]: must be one of \"security-lead\", \"devops-lead\", \"ux-lead\", got \"hr\"",
        ],
    );
    check(
        &with(json!({"coreRoles": ["quality-lead"], "roles": [
            {"name": "quality-leed"}, {"name": "ux-lead"}, {"name": "product-manager"},
            {"name": "quality-lead", "required": false}
        ]})),
        &[
            "spec.roles[0].name: \"quality-leed\" is none of this council's roles (did you mean \"quality-lead\"?): \
             quality-lead",
            "spec.roles[1].name: \"ux-lead\" is none of this council's roles: add it to spec.optionalRoles",
            "spec.roles[2].name: \"product-manager\" is none of this council's roles: add it to spec.coreRoles",
            "spec.roles[3].required: must not be false for a core role: to do without it, leave it out of \
             spec.coreRoles",
        ],
    );
    check(
        &with(json!({"coreRoles": []})),
        &["spec.coreRoles: is empty, and so is spec.optionalRoles: a council needs a role"],
    );
    check(
        &with(json!({"formation": {"deadline": "0s"}, "designBrief": {"url": "ftp://x"}})),
        &[
            "spec.designBrief.url: must be a web address like \"https://git.example/acme/payments/issues/42\", got \
             \"ftp://x\"",
            "spec.formation.deadline: must be between 1s and 24h, got \"0s\"",
        ],
    );
}

#[test]
fn an_object_is_not_a_warehouse() {
    let data = "x".repeat(600 * 1024);
    check(
        &agent(json!({"configs": [{"name": "a", "data": data}, {"name": "b", "data": data}]})),
        &["the object has 1201 KiB; at most 1,024 KiB can be declared"],
    );
    let many: Vec<Value> = (0..300).map(|_| json!(5)).collect();
    let problems = problems(&agent(json!({"args": many})));
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100], "and 200 more problems");
}

#[test]
fn one_problem_hides_no_other() {
    check(
        &team(json!({
            "defaults": {"imgae": "a:1", "resources": {"limits": {"cpu": "1"}}},
            "roles": [{"name": "a", "replicas": -1, "agent": {"resources": {"requests": {"cpu": "2"}}, "x": 1}}, {"name": "b"}]
        })),
        &[
            "spec.defaults.imgae: unknown field (did you mean \"image\"?)",
            "spec.roles[0].replicas: must be between 0 and 10000, got -1",
            "spec.roles[0].agent.x: unknown field; known here: args, capabilities, command, configs, env, expertise, \
             healthCheck, host, image, model, mounts, networks, placement, resources, secrets, stopGracePeriod, systemPrompt, \
             user",
            "spec.roles[0].agent.image: is required: an agent's image is set in the role's agent block, in its \
             template or in spec.defaults",
            "spec.roles[0].agent.resources.requests.cpu: must not be above the limit of \"1\", got \"2\" (merged from template, defaults and role)",
            "spec.roles[1].agent.image: is required: an agent's image is set in the role's agent block, in its \
             template or in spec.defaults",
        ],
    );
}

#[test]
fn causes_have_kubernetes_reasons() {
    let raw = team(json!({"x": 1, "roles": [{"name": "a"}, {"name": "a", "replicas": -1, "template": 5}]}));
    let reasons: Vec<(String, &str)> = object(&raw)
        .unwrap_err()
        .causes
        .into_iter()
        .map(|cause| (cause.field, cause.reason.as_str()))
        .collect();
    for (field, reason) in [
        ("spec.x", "FieldValueUnknown"),
        ("spec.roles[1].name", "FieldValueDuplicate"),
        ("spec.roles[1].replicas", "FieldValueInvalid"),
        ("spec.roles[1].template", "FieldValueTypeInvalid"),
        ("spec.roles[0].agent.image", "FieldValueRequired"),
    ] {
        assert!(
            reasons.contains(&(field.to_owned(), reason)),
            "{field} {reason}: {reasons:?}"
        );
    }
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let raw = team(json!({
        "defaults": {"image": "registry.example:5000/agent"},
        "roles": [{"name": "a", "agent": {"image": "a:1", "env": [
            {"name": "GITHUB_TOKEN", "value": "ghp_x"}, {"name": "TOKEN_FILE", "value": "/run/secrets/t"}, {"name": "PASSWORD"}
        ]}}]
    }));
    assert_eq!(
        warnings(&object(&raw).unwrap()),
        [
            "spec.defaults.image: registry.example:5000/agent has no tag, so \"latest\" is run, whatever that is: name one",
            "spec.roles[0].agent.env[0].name: GITHUB_TOKEN looks like a secret, and everybody who can read the spec or the \
             service sees it: use secrets",
        ]
    );
}
