//! What is refused, as a table: Policies, an agent's block, and what it is told.

use serde_json::{Value, json};

use super::*;
use crate::resource::Key;
use crate::resource::agent_spec::AgentSpec;
use crate::resource::kind::Kind;

fn policy(name: &str, spec: Value) -> Object {
    Object::new(&Key::new(Kind::Policy, "default", name), spec)
}

/// What Policies, named p0, p1 and so on, refuse of a whole block: lines as `mounts: why`.
fn refused(policies: &[&Value], agent: Value) -> Vec<String> {
    let policies: Vec<Object> = policies
        .iter()
        .enumerate()
        .map(|(number, spec)| policy(&format!("p{number}"), Value::clone(spec)))
        .collect();
    let agent: AgentSpec = serde_json::from_value(agent).unwrap();
    let mut asked = Asked::of(&agent);
    asked.is_whole = true;
    let causes = Rules::of(&policies).judge(&asked, "at");
    causes.iter().map(ToString::to_string).collect()
}

/// Expects each refusal to hold its part, in order.
#[track_caller]
fn check(policies: &[&Value], agent: Value, expected: &[&str]) {
    let found = refused(policies, agent);
    let same = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, part)| found.contains(part));
    assert!(same, "{expected:#?}: {found:#?}");
}

fn bind(source: &str, read_only: bool) -> Value {
    json!({"mounts": [{"target": "/x", "type": "bind", "source": source, "readOnly": read_only}]})
}

#[test]
fn without_a_policy_an_agent_has_no_power_over_its_node() {
    let agent = json!({
        "image": "agent:dev",
        "user": "root",
        "mounts": [
            {"target": "/a", "type": "bind", "source": "/srv"},
            {"target": "/b", "type": "volume", "source": "data"},
            {"target": "/c", "type": "tmpfs"},
        ],
        "placement": {"constraints": ["node.role == manager"]},
        "host": {
            "capabilities": ["CAP_NET_RAW"],
            "sysctls": [{"name": "net.core.somaxconn", "value": "1"}],
            "ports": [{"port": 80}],
        },
    });
    let expected = [
        "at.mounts: mounts /srv of its node to write to it, which no Policy of the namespace allows \
         (spec.allow.hostPaths)",
        "at.mounts: mounts the volume data of its node, which no Policy of the namespace allows (spec.allow.volumes)",
        "at.host.capabilities: adds the capability NET_RAW, which",
        "at.host.sysctls: sets the kernel parameter net.core.somaxconn, which",
        "at.host.ports: takes port 80 of its node, which",
        "at.placement.constraints: asks for managers by node.role == manager, which",
    ];
    check(&[], agent.clone(), &expected);
    check(&[&json!({})], agent.clone(), &expected);
    let all = json!({"allow": {
        "hostPaths": [{"path": "/srv", "writable": true}],
        "volumes": ["da*"],
        "capabilities": ["NET_RAW"],
        "sysctls": ["net.*"],
        "hostPorts": [{"from": 80}],
        "managers": true,
    }});
    check(&[&json!({}), &all], agent, &[]);
    check(&[], json!({"image": "agent:dev", "user": "root"}), &[]);
}

#[test]
fn paths_of_the_node_are_allowed_with_all_below_them() {
    let read = json!({"allow": {"hostPaths": [{"path": "/srv/models"}]}});
    let written = json!({"allow": {"hostPaths": [{"path": "/srv", "writable": true}]}});
    for (policy, source, read_only, allowed) in [
        (&read, "/srv/models", true, true),
        (&read, "/srv/models/llama", true, true),
        (&read, "/srv/models", false, false),
        (&read, "/srv", true, false),
        (&read, "/srv/models2", true, false),
        (&written, "/srv/models", false, true),
        (&written, "/etc", true, false),
    ] {
        let found = refused(&[policy], bind(source, read_only));
        assert_eq!(
            found.is_empty(),
            allowed,
            "{policy} {source} {read_only}: {found:?}"
        );
    }
}

#[test]
fn a_path_that_the_engine_would_expand_is_in_no_policys_power() {
    let all = json!({"allow": {"dockerSocket": true, "hostPaths": [{"path": "/srv", "writable": true}]}});
    for source in ["/srv/{{\"..\"}}/run/docker.sock", "/srv/../etc", "srv"] {
        check(&[&all], bind(source, true), &["is no plain path"]);
    }
}

#[test]
fn the_docker_socket_takes_a_power_of_its_own() {
    let paths = json!({"allow": {"hostPaths": [
        {"path": "/run", "writable": true}, {"path": "/var/run/docker.sock", "writable": true}
    ]}});
    for source in ["/var/run/docker.sock", "/run/docker.sock", "/run", "/var"] {
        check(&[&paths], bind(source, true), &["leads to the Docker socket"]);
    }
    check(&[&paths], bind("/run/agent", false), &[]);
    let socket = json!({"allow": {"dockerSocket": true}});
    check(&[&socket], bind("/var/run/docker.sock", false), &[]);
    // A folder that holds it holds more than it.
    check(&[&socket], bind("/run", false), &["hostPaths"]);
    check(&[&socket, &paths], bind("/run", false), &[]);
}

#[test]
fn each_limit_of_each_policy_holds() {
    let agent = json!({
        "image": "registry.example/agents/writer:1",
        "user": "1000",
        "networks": ["prod-data"],
        "secrets": [{"name": "token"}],
        "mounts": [{"target": "/cache", "type": "volume", "source": "prod-cache"}, {"target": "/tmp", "type": "tmpfs"}],
    });
    let kept = json!({"allow": {"volumes": ["*"]}, "limits": {
        "images": ["registry.example/agents/*"],
        "nonRoot": true,
        "networks": ["prod-*"],
        "secrets": ["token"],
        "volumes": ["prod-*"],
    }});
    check(&[&kept], agent.clone(), &[]);
    let strict = json!({"limits": {
        "images": ["registry.example/other/*"],
        "imageDigests": true,
        "workersOnly": true,
        "networks": ["prod-web"],
        "secrets": [],
        "volumes": ["web-*"],
    }});
    check(
        &[&kept, &strict],
        agent,
        &[
            "at.image: \"registry.example/agents/writer:1\" is none of [registry.example/other/*] (by the limit images \
             of the Policy \"p1\")",
            "at.image: \"registry.example/agents/writer:1\" must have a digest",
            "at.placement.constraints: must hold \"node.role==worker\"",
            "at.networks: \"prod-data\" is none of [prod-web]",
            "at.secrets: \"token\" is none of []",
            "at.mounts: \"prod-cache\" is none of [web-*] (by the limit volumes of the Policy \"p1\")",
        ],
    );
}

#[test]
fn an_image_is_known_by_all_of_its_names() {
    for (pattern, image, allowed) in [
        ("nginx", "nginx:1", true),
        ("docker.io/library/nginx", "nginx", true),
        ("docker.io/library/*", "nginx", true),
        ("acme/*", "library/acme/x:1", false),
        ("acme/*", "docker.io/library/acme/x:1", false),
        ("docker.io/acme/*", "acme/agent", true),
        ("acme/*", "docker.io/acme/agent:1", true),
        ("nginx", "docker.io/library/nginx:1", true),
        ("acme/*", "registry.example/acme/agent", false),
        ("docker.io/*", "registry.example/agent", false),
        ("registry.example/*", "registry.example/a/b:1@sha256:x", true),
        ("registry.example/*", "registry.example.evil/a", false),
        ("registry.example/*", "evil/registry.example/a", false),
        ("localhost:5000/*", "localhost:5000/a:1", true),
    ] {
        let policy = json!({"limits": {"images": [pattern]}});
        let found = refused(&[&policy], json!({"image": image}));
        assert_eq!(found.is_empty(), allowed, "{pattern} {image}: {found:?}");
    }
}

#[test]
fn a_user_that_may_be_root_is_refused_where_none_may() {
    let policy = json!({"limits": {"nonRoot": true}});
    for (user, allowed) in [
        (json!("1000"), true),
        (json!("1000:0"), true),
        (json!("0"), false),
        (json!("0:1000"), false),
        (json!("root"), false),
        (json!("agent"), false),
        (json!("00"), false),
        (Value::Null, false),
    ] {
        let found = refused(&[&policy], json!({"image": "a", "user": user}));
        assert_eq!(found.is_empty(), allowed, "{user}: {found:?}");
    }
}

#[test]
fn managers_are_kept_off_by_a_constraint_alone() {
    let policy = json!({"allow": {"managers": true}, "limits": {"workersOnly": true}});
    for (constraint, allowed) in [
        ("node.role==worker", true),
        ("node.role != manager", true),
        ("node.role==manager", false),
        ("node.hostname==n1", false),
    ] {
        let agent = json!({"placement": {"constraints": [constraint]}});
        let found = refused(&[&policy], agent);
        assert_eq!(found.is_empty(), allowed, "{constraint}: {found:?}");
    }
    check(
        &[],
        json!({"placement": {"constraints": ["node.role!=worker"]}}),
        &["asks for managers"],
    );
}

#[test]
fn one_node_may_be_a_manager() {
    for (constraints, allowed) in [
        (json!(["node.hostname==n1"]), false),
        (json!(["NODE.ID == z4xw6hl49g98"]), false),
        (json!(["node.ip==10.0.0.1"]), false),
        (json!(["node.hostname==n1", "node.role==worker"]), true),
        (json!(["node.hostname!=n1"]), true),
        (json!(["node.labels.zone==a"]), true),
    ] {
        let agent = json!({"placement": {"constraints": constraints}});
        let found = refused(&[], agent.clone());
        assert_eq!(found.is_empty(), allowed, "{constraints}: {found:?}");
        let managers = json!({"allow": {"managers": true}});
        assert_eq!(
            refused(&[&managers], agent),
            Vec::<String>::new(),
            "{constraints}"
        );
    }
}

#[test]
fn what_a_template_leaves_open_is_not_missed() {
    let rules = Rules::of(&[policy(
        "p",
        json!({"limits": {"nonRoot": true, "workersOnly": true}}),
    )]);
    let agent = AgentSpec::default();
    assert_eq!(rules.judge(&Asked::of(&agent), "spec"), []);
    let agent = AgentSpec {
        user: Some("root".to_owned()),
        ..agent
    };
    assert_eq!(rules.judge(&Asked::of(&agent), "spec").len(), 1);
}

#[test]
fn a_policy_that_cannot_be_read_allows_nothing() {
    check(
        &[
            &json!({"allow": {"managers": true}}),
            &json!({"allow": {"fromLater": 1}}),
        ],
        json!({"image": "a"}),
        &["the Policy \"p1\" cannot be read"],
    );
}

#[test]
fn a_quota_counts_what_all_declare() {
    let usage = |agents: i64, cpus: i64, mebibytes: i64| Usage {
        agents,
        nano_cpus: cpus * 1_000_000_000,
        memory_bytes: mebibytes << 20,
    };
    let quota = json!({"agents": 4, "cpu": "2", "memory": "1Gi"});
    let rules = Rules::of(&[policy("small", json!({"limits": {"quota": quota}}))]);
    for (before, after, expected) in [
        (usage(0, 0, 0), usage(4, 2, 1024), &[][..]),
        (
            usage(4, 1, 1),
            usage(5, 1, 1),
            &["5 agents, and the quota of the Policy \"small\" is 4 agents"],
        ),
        (
            usage(1, 1, 1),
            usage(1, 3, 2048),
            &["3000m of processor limits", "2048Mi of memory limits"],
        ),
        // What is over it already may become less, and stay as it is.
        (usage(9, 1, 1), usage(8, 1, 1), &[]),
        (usage(9, 1, 1), usage(9, 1, 1), &[]),
    ] {
        let found = rules.over_quota(&before, &after);
        let same = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, part)| found.message.contains(part));
        assert!(same, "{expected:?}: {found:?}");
    }
}

#[test]
fn who_does_not_know_the_policies_refuses_nothing() {
    let agent: AgentSpec = serde_json::from_value(bind("/", false)).unwrap();
    assert_eq!(Rules::unknown().judge(&Asked::of(&agent), "at"), []);
}
