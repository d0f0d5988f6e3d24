//! What agents come out of a declaration.

use serde_json::{Value, json};

use super::super::env;
use super::super::kind::Kind;
use super::super::object::Key;
use super::super::workload::{Amount, DesiredAgent, DesiredFile, DesiredHealthCheck};
use super::*;

const UID: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";

fn object(kind: Kind, spec: Value) -> Object {
    let mut object = Object::new(&Key::new(kind, "default", "payments"), spec);
    object.metadata.uid = Some(UID.to_owned());
    object.metadata.generation = Some(3);
    object
}

fn endpoints() -> Endpoints {
    Endpoints {
        nats_url: Some(NatsUrl::of("nats://bus:4222")),
        whoosh_endpoint: Some("http://whoosh:8080".to_owned()),
    }
}

fn lowered(kind: Kind, spec: Value, templates: Value) -> Result<Workload, Invalid> {
    let templates = templates.as_object().unwrap().iter();
    let templates = templates.filter_map(|(name, spec)| template(&stored_template(name, spec.clone())));
    let templates = templates.collect();
    lower(&object(kind, spec), &templates, &endpoints(), &Rules::default())
}

fn stored_template(name: &str, spec: Value) -> Object {
    let mut object = Object::new(&Key::new(Kind::AgentTemplate, "default", name), spec);
    object.metadata.uid = Some(format!("uid-of-{name}"));
    object.metadata.generation = Some(7);
    object
}

/// The agent of a Team's one role.
fn agent(defaults: Value, block: Value) -> DesiredAgent {
    let spec = json!({"defaults": defaults, "roles": [{"name": "a", "agent": block}]});
    lowered(Kind::Team, spec, json!({}))
        .unwrap()
        .roles
        .remove(0)
        .agent
        .unwrap()
}

fn problems(result: Result<Workload, Invalid>) -> Vec<String> {
    let Invalid { causes } = result.unwrap_err();
    causes.iter().map(Cause::to_string).collect()
}

#[test]
fn a_bare_team_gets_every_default() {
    let spec = json!({"roles": [{"name": "a", "agent": {"image": "agent:1"}}]});
    let workload = lowered(Kind::Team, spec, json!({})).unwrap();
    assert_eq!((workload.owner.uid.as_str(), workload.owner.generation), (UID, 3));
    assert_eq!(
        (workload.network.as_str(), workload.suspended),
        ("chorus_net", false)
    );
    assert_eq!(workload.progress_deadline, Duration::from_secs(600));
    let [role] = workload.roles.as_slice() else {
        panic!("one role");
    };
    assert_eq!((role.name.as_str(), role.replicas, role.required), ("a", 1, true));
    let known = [
        (env::TEAM_ID, UID),
        (env::OWNER_UID, UID),
        (env::ROLE, "a"),
        (env::COORDINATOR, "true"),
        (env::ENDPOINT, "http://whoosh:8080"),
        (env::NATS_URL, "nats://bus:4222"),
        (env::STOP_GRACE, "10s"),
    ];
    let expected = DesiredAgent {
        image: "agent:1".to_owned(),
        command: Vec::new(),
        args: Vec::new(),
        env: known
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        limits: Amount {
            nano_cpus: 1_000_000_000,
            memory_bytes: 1 << 30,
        },
        reservations: Amount {
            nano_cpus: 500_000_000,
            memory_bytes: 512 << 20,
        },
        mounts: Vec::new(),
        capabilities: Vec::new(),
        sysctls: BTreeMap::new(),
        ports: Vec::new(),
        secrets: Vec::new(),
        configs: Vec::new(),
        health_check: None,
        constraints: Vec::new(),
        preferences: Vec::new(),
        stop_grace_period: Duration::from_secs(10),
        user: None,
        networks: Vec::new(),
        model: None,
    };
    assert_eq!(role.agent, Ok(expected));
}

#[test]
fn replicas_and_required_come_from_role_spec_or_kind() {
    let spec = json!({
        "replicas": 2, "suspend": true, "network": "net", "defaults": {"image": "a:1"},
        "roles": [{"name": "a"}, {"name": "b", "replicas": 0}, {"name": "c", "replicas": 3, "required": false}]
    });
    let workload = lowered(Kind::Team, spec, json!({})).unwrap();
    assert_eq!((workload.network.as_str(), workload.suspended), ("net", true));
    let roles: Vec<_> = workload
        .roles
        .iter()
        .map(|role| (role.name.as_str(), role.replicas, role.required))
        .collect();
    assert_eq!(roles, [("a", 2, true), ("b", 0, true), ("c", 3, false)]);
}

#[test]
fn a_council_has_core_roles_first() {
    let spec = json!({
        "optionalRoles": ["ux-lead", "security-lead"], "defaults": {"image": "a:1"}, "formation": {"deadline": "60s"},
        "designBrief": {"url": "https://git.example/1"},
        "roles": [{"name": "ux-lead", "replicas": 2, "agent": {"image": "ux:1"}}, {"name": "security-lead", "required": true}]
    });
    let workload = lowered(Kind::Council, spec, json!({})).unwrap();
    assert_eq!(workload.progress_deadline, Duration::from_secs(60));
    let roles: Vec<_> = workload
        .roles
        .iter()
        .map(|role| {
            (
                role.name.as_str(),
                role.replicas,
                role.required,
                role.agent.as_ref().unwrap().image.as_str(),
            )
        })
        .collect();
    assert_eq!(
        roles,
        [
            ("product-manager", 1, true, "a:1"),
            ("engineering-lead", 1, true, "a:1"),
            ("quality-lead", 1, true, "a:1"),
            ("ux-lead", 2, false, "ux:1"),
            ("security-lead", 1, true, "a:1"),
        ]
    );
    assert_eq!(
        workload.agents().next().unwrap().env[env::EXTERNAL_URL],
        "https://git.example/1"
    );
    let few = json!({"coreRoles": ["quality-lead"], "defaults": {"image": "a:1"}});
    assert_eq!(lowered(Kind::Council, few, json!({})).unwrap().roles.len(), 1);
}

#[test]
fn reservations_never_exceed_limits() {
    let mib = |count: i64| count << 20;
    for (resources, limits, reservations) in [
        (
            json!({"limits": {"cpu": "250m", "memory": "64Mi"}}),
            (250, mib(64)),
            (250, mib(64)),
        ),
        (
            json!({"limits": {"cpu": "2", "memory": "2Gi"}}),
            (2000, mib(2048)),
            (500, mib(512)),
        ),
        (
            json!({"requests": {"cpu": "4", "memory": "3Gi"}}),
            (4000, mib(3072)),
            (4000, mib(3072)),
        ),
        (
            json!({"requests": {"cpu": "0", "memory": "8Mi"}}),
            (1000, mib(1024)),
            (0, mib(8)),
        ),
        (
            json!({"limits": {"cpu": 0.25}, "requests": {"cpu": "5m"}}),
            (250, mib(1024)),
            (5, mib(512)),
        ),
    ] {
        let agent = agent(json!({"image": "a:1"}), json!({"resources": resources}));
        let amount = |(milli, memory_bytes): (i64, i64)| Amount {
            nano_cpus: milli * 1_000_000,
            memory_bytes,
        };
        assert_eq!(
            (agent.limits, agent.reservations),
            (amount(limits), amount(reservations)),
            "{resources}"
        );
    }
}

#[test]
fn an_agent_learns_who_it_is() {
    let spec = json!({
        "project": "acme/payments",
        "task": {"id": "42", "title": "Refunds", "description": "", "url": "https://git.example/42", "priority": "high"},
        "roles": [{"name": "reviewer", "agent": {
            "image": "a:1", "model": "llama3.1:8b", "systemPrompt": "Review.\n", "capabilities": ["review", "test"],
            "expertise": ["money"], "stopGracePeriod": "1m30s",
            "env": [{"name": "RUST_LOG", "value": "debug"}, {"name": "NATS_URL", "value": "nats://own:4222"}]
        }}]
    });
    let env = lowered(Kind::Team, spec, json!({}))
        .unwrap()
        .roles
        .remove(0)
        .agent
        .unwrap()
        .env;
    let expected = [
        ("CHORUS_CAPABILITIES", "review,test"),
        ("CHORUS_EXPERTISE", "money"),
        ("CHORUS_EXTERNAL_URL", "https://git.example/42"),
        ("CHORUS_MODEL", "llama3.1:8b"),
        ("CHORUS_OWNER_UID", UID),
        ("CHORUS_PRIORITY", "high"),
        ("CHORUS_PROJECT", "acme/payments"),
        ("CHORUS_ROLE", "reviewer"),
        ("CHORUS_SYSTEM_PROMPT", "Review.\n"),
        ("CHORUS_TASK_ID", "42"),
        ("CHORUS_TASK_TITLE", "Refunds"),
        ("CHORUS_TEAM_ID", UID),
        ("NATS_URL", "nats://own:4222"),
        ("RUST_LOG", "debug"),
        ("WHOOSH_COORDINATOR", "true"),
        ("WHOOSH_ENDPOINT", "http://whoosh:8080"),
        ("WHOOSH_STOP_GRACE", "1m30s"),
    ];
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(env, expected);
}

#[test]
fn a_file_that_names_the_servers_of_nats_stands_alone() {
    let file = json!([{"name": "NATS_URL_FILE", "value": "/run/secrets/nats-url"}]);
    let env = agent(json!({"image": "a:1"}), json!({"env": file})).env;
    assert!(
        env.contains_key("NATS_URL_FILE") && !env.contains_key("NATS_URL"),
        "{env:?}"
    );
}

#[test]
fn an_address_of_nats_with_a_password_is_a_file() {
    let endpoints = Endpoints {
        nats_url: Some(NatsUrl::of("nats://bus:4222,nats://whoosh:hunter2@bus:4223")),
        whoosh_endpoint: None,
    };
    assert!(!format!("{endpoints:?}").contains("hunter2"), "{endpoints:?}");
    let own = DesiredFile {
        name: NATS_URL_SECRET.to_owned(),
        path: env::NATS_URL_PATH.to_owned(),
        data: None,
    };
    for (variables, url, file, secrets) in [
        (json!([]), None, Some(env::NATS_URL_PATH), vec![own]),
        (
            json!([{"name": "NATS_URL", "value": "nats://own"}]),
            Some("nats://own"),
            None,
            vec![],
        ),
        (
            json!([{"name": "NATS_URL_FILE", "value": "/etc/own"}]),
            None,
            Some("/etc/own"),
            vec![],
        ),
    ] {
        let spec = json!({"roles": [{"name": "a", "agent": {"image": "a:1", "env": variables}}]});
        // What a namespace may read of its own does not concern it.
        let policy = Key::new(Kind::Policy, "default", "strict");
        let policy = Object::new(&policy, json!({"limits": {"secrets": []}}));
        let rules = Rules::of([&policy]);
        let workload = lower(&object(Kind::Team, spec), &Templates::new(), &endpoints, &rules);
        let agent = workload.unwrap().roles.remove(0).agent.unwrap();
        let variable = |name: &str| agent.env.get(name).map(String::as_str);
        assert_eq!(
            (variable("NATS_URL"), variable("NATS_URL_FILE"), &agent.secrets),
            (url, file, &secrets),
            "{variables}"
        );
    }
}

#[test]
fn files_checks_and_networks_are_in_the_engines_words() {
    let agent = agent(
        json!({"image": "a:1", "networks": ["chorus_net", "extra", "extra"]}),
        json!({
            "secrets": [{"name": "key"}, {"name": "cert", "path": "/etc/cert"}],
            "configs": [{"name": "app.toml", "data": "x = 1"}],
            "healthCheck": {"command": ["check"], "interval": "5s", "retries": 2},
            "placement": {"constraints": ["node.role==worker"], "preferences": ["node.labels.zone"]}
        }),
    );
    let file = |name: &str, path: &str, data: Option<&str>| DesiredFile {
        name: name.to_owned(),
        path: path.to_owned(),
        data: data.map(str::to_owned),
    };
    assert_eq!(
        agent.secrets,
        [file("key", "key", None), file("cert", "/etc/cert", None)]
    );
    assert_eq!(agent.configs, [file("app.toml", "/app.toml", Some("x = 1"))]);
    assert_eq!(agent.networks, ["extra"]);
    assert_eq!(
        (agent.constraints, agent.preferences),
        (
            vec!["node.role==worker".to_owned()],
            vec!["node.labels.zone".to_owned()]
        )
    );
    let check = DesiredHealthCheck {
        command: vec!["check".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::ZERO,
        start_period: Duration::ZERO,
        retries: 2,
    };
    assert_eq!(agent.health_check, Some(check));
}

#[test]
fn a_template_lies_under_the_defaults() {
    let spec = json!({
        "defaults": {"model": "defaults"},
        "roles": [{"name": "a", "template": "t", "agent": {"args": ["role"]}}]
    });
    let templates =
        json!({"t": {"image": "template:1", "model": "template", "args": ["template"], "user": "7"}});
    let agent = lowered(Kind::Team, spec, templates)
        .unwrap()
        .roles
        .remove(0)
        .agent
        .unwrap();
    assert_eq!(
        (agent.image.as_str(), agent.model.as_deref()),
        ("template:1", Some("defaults"))
    );
    assert_eq!(
        (agent.args, agent.user.as_deref()),
        (vec!["role".to_owned()], Some("7"))
    );
}

#[test]
fn a_template_that_is_not_there_is_waited_for() {
    let spec = json!({"roles": [
        {"name": "a", "template": "code-reviwer"}, {"name": "b", "template": "tester"}, {"name": "c", "template": "code-reviewer"}
    ]});
    let team = object(Kind::Team, spec.clone());
    assert_eq!(
        template_names(&team.spec).into_iter().collect::<Vec<_>>(),
        ["code-reviewer", "code-reviwer", "tester"]
    );
    let workload = lowered(Kind::Team, spec, json!({"code-reviewer": {"image": "a:1"}})).unwrap();
    let missing: Vec<_> = workload.missing_templates().map(ToString::to_string).collect();
    assert_eq!(workload.agents().count(), 1, "the others are not held up");
    assert_eq!(
        missing,
        [
            "role a waits for the AgentTemplate \"code-reviwer\", which does not exist (did you mean \"code-reviewer\"?)",
            "role b waits for the AgentTemplate \"tester\", which does not exist",
        ]
    );
}

#[test]
fn a_workload_knows_which_state_of_its_templates_it_has() {
    let spec = json!({"roles": [{"name": "a", "template": "t"}, {"name": "b", "template": "t"}]});
    let workload = lowered(
        Kind::Team,
        spec,
        json!({"other": {"image": "a:1"}, "t": {"image": "a:1"}}),
    )
    .unwrap();
    let expected = TemplateStatus {
        name: "t".to_owned(),
        uid: "uid-of-t".to_owned(),
        observed_generation: 7,
    };
    assert_eq!(workload.templates, [expected]);
}

#[test]
fn what_shows_after_merging_is_told() {
    let spec = json!({"roles": [
        {"name": "a", "template": "t"},
        {"name": "b", "template": "t", "agent": {"image": "a:1", "resources": {"requests": {"cpu": "2"}}}},
        {"name": "c", "template": "t", "agent": {"image": "a:1", "configs": [{"name": "x", "path": "/t", "data": ""}]}}
    ]});
    let template =
        json!({"resources": {"limits": {"cpu": "1"}}, "mounts": [{"target": "/t", "type": "tmpfs"}]});
    assert_eq!(
        problems(lowered(Kind::Team, spec, json!({"t": template}))),
        [
            "spec.roles[0].agent.image: is required: an agent's image is set in the role's agent block, in its template \
             or in spec.defaults",
            "spec.roles[1].agent.resources.requests.cpu: must not be above the limit of \"1\", got \"2\" (merged from template, defaults and role)",
            "spec.roles[2].agent.configs: two of the agent's files are at \"/t\" (in mounts and configs); move one of \
             them",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_no_panic() {
    assert_eq!(
        problems(lowered(Kind::AgentTemplate, json!({}), json!({}))),
        ["kind: AgentTemplate declares no agents"]
    );
    assert_eq!(
        problems(lowered(Kind::Team, json!({"roles": 5}), json!({}))).len(),
        1
    );
    let negative = json!({"roles": [{"name": "a", "replicas": -1, "agent": {"image": "a:1"}}]});
    assert_eq!(
        problems(lowered(Kind::Team, negative, json!({}))),
        ["spec.roles: role a cannot have -1 agents"]
    );
}

#[test]
fn an_agent_that_the_swarm_could_not_carry_is_refused() {
    let variables = |count: usize| {
        let variable = |number| json!({"name": format!("V{number}"), "value": "x".repeat(100 << 10)});
        let env: Vec<Value> = (0..count).map(variable).collect();
        let data = "x".repeat(900 << 10);
        let config = json!({"name": "large", "path": "/large", "data": data});
        json!({"image": "agent:1", "env": env, "configs": [config]})
    };
    let spec = |own| json!({"roles": [{"name": "a", "template": "base", "agent": {"args": [own]}}]});
    let lowered = |own: usize| {
        let templates = json!({"base": variables(6)});
        lowered(Kind::Team, spec("y".repeat(own)), templates)
    };
    assert!(lowered(90 << 10).is_ok());
    assert_eq!(
        problems(lowered(100 << 10)),
        [
            "spec.roles[0].agent: makes an agent with 701 KiB of text in its environment, arguments and paths; the \
          Swarm takes 700 KiB: move what is large into configs"
        ]
    );
}

#[test]
fn what_no_policy_allows_is_withheld_from_its_role_alone() {
    let bind = json!([{"target": "/host", "type": "bind", "source": "/srv"}]);
    for (template, defaults, role) in [
        (json!({"mounts": bind.clone()}), json!({}), json!({})),
        (json!({}), json!({"mounts": bind.clone()}), json!({})),
        (json!({}), json!({}), json!({"mounts": bind.clone()})),
    ] {
        let mut defaults = defaults;
        defaults["image"] = json!("agent:1");
        let spec = json!({
            "defaults": defaults,
            "roles": [{"name": "a", "template": "t", "agent": role}, {"name": "b"}],
        });
        let workload = lowered(Kind::Team, spec, json!({"t": template})).unwrap();
        let denied: Vec<_> = workload.denied().map(|cause| cause.field.as_str()).collect();
        assert_eq!(denied[0], "spec.roles[0].agent.mounts");
        let in_defaults = workload.roles[1].agent.is_err();
        assert_eq!(in_defaults, defaults.get("mounts").is_some());
        assert_eq!(workload.missing_templates().count(), 0);
    }
}
