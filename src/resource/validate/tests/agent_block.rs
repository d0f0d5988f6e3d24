//! What is refused of an agent block.

use serde_json::json;

use super::{agent, check, team};

#[test]
fn quantities_and_durations_are_explained() {
    check(
        &agent(json!({"resources": {"limits": {"cpu": "lots", "memory": "64MB", "gpus": 1}}})),
        &[
            "spec.roles[0].agent.resources.limits.gpus: unknown field; known here: cpu, memory",
            "spec.roles[0].agent.resources.limits.cpu: \"lots\" is not an amount of processor time: write it like \
             \"500m\" or \"2\"",
            "spec.roles[0].agent.resources.limits.memory: \"64MB\" is not an amount of memory: write it like \"128Mi\" \
             or \"1G\"",
        ],
    );
    check(
        &agent(json!({"resources": {
            "limits": {"cpu": 0, "memory": "5Mi"}, "requests": {"cpu": 0.5, "memory": true}
        }})),
        &[
            "spec.roles[0].agent.resources.requests.cpu: must be a whole number or a string, got 0.5: write \"0.5\"",
            "spec.roles[0].agent.resources.requests.memory: must be a string or a whole number, got the boolean true",
            "spec.roles[0].agent.resources.limits.cpu: must be at least 1m, the least that the engine takes, got \"0\"",
            "spec.roles[0].agent.resources.limits.memory: must be at least 6Mi, the least that the engine takes, got \
             \"5Mi\"",
        ],
    );
    check(
        &agent(json!({"stopGracePeriod": "2h", "healthCheck": {
            "command": ["x"], "interval": "soon", "timeout": "0s", "startPeriod": 5, "retries": 2000
        }})),
        &[
            "spec.roles[0].agent.healthCheck.interval: \"soon\" is not a duration: write it like \"60s\" or \"1m30s\"",
            "spec.roles[0].agent.healthCheck.startPeriod: must be a duration like \"60s\", got a number",
            "spec.roles[0].agent.healthCheck.retries: must be between 0 and 1000, got 2000",
            "spec.roles[0].agent.stopGracePeriod: must be between 0s and 1h, got \"2h\"",
            "spec.roles[0].agent.healthCheck.timeout: must be between 1ms and 24h, got \"0s\"",
        ],
    );
    check(
        &agent(json!({"stopGracePeriod": "-5s"})),
        &["spec.roles[0].agent.stopGracePeriod: must not be negative, got \"-5s\""],
    );
}

#[test]
fn a_request_stays_within_its_limit() {
    check(
        &agent(json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": 2}}})),
        &["spec.roles[0].agent.resources.requests.cpu: must not be above the limit of \"1\", got \"2\""],
    );
    check(
        &team(json!({
            "defaults": {"image": "a:1", "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "2"}}},
            "roles": [
                {"name": "a", "agent": {"resources": {"requests": {"memory": "65Mi"}}}},
                {"name": "b", "agent": {"resources": {"limits": {"cpu": "1", "memory": "128Mi"}}}},
                {"name": "c", "agent": {"resources": {"requests": {"memory": "64Mi"}}}}
            ]
        })),
        &[
            "spec.roles[0].agent.resources.requests.memory: must not be above the limit of \"64Mi\", got \"65Mi\" (merged from template, defaults and role)",
            "spec.roles[1].agent.resources.requests.cpu: must not be above the limit of \"1\", got \"2\" (merged from template, defaults and role)",
        ],
    );
}

#[test]
fn an_environment_belongs_to_the_agent() {
    check(
        &agent(json!({"env": [
            {"name": "1ST"}, {"name": "CHORUS_AGENT_NAME", "value": "x"}, {"name": "WHOOSH_ENDPOINT", "value": "x"},
            {"name": "RUST_LOG", "value": "info"}, {"name": "RUST_LOG"}, {"name": "PIN", "value": 1234},
            {"value": "x"}, {"name": "NATS_URL", "value": "nats://own:4222"}
        ]})),
        &[
            "spec.roles[0].agent.env[5].value: must be a string, got a number: put it in quotes",
            "spec.roles[0].agent.env[6].name: is required",
            "spec.roles[0].agent.env[4].name: duplicate \"RUST_LOG\"; it is at spec.roles[0].agent.env[3].name already",
            "spec.roles[0].agent.env[0].name: must be a name like \"RUST_LOG\": letters, digits, \"_\", \"-\" and \".\", \
             not starting with a digit, got \"1ST\"",
            "spec.roles[0].agent.env[1].name: CHORUS_AGENT_NAME is set by the operator for every agent; choose another \
             name",
            "spec.roles[0].agent.env[2].name: WHOOSH_ENDPOINT is set by the operator for every agent; choose another \
             name",
        ],
    );
    check(
        &agent(json!({"env": [{"name": "A", "value": "x".repeat(200_000)}], "capabilities": ["a,b", ""]})),
        &[
            "spec.roles[0].agent.capabilities[0]: must be one word or phrase without commas, got \"a,b\"",
            "spec.roles[0].agent.capabilities[1]: must not be empty",
            "spec.roles[0].agent.env[0].value: has 200000 bytes; an environment variable carries it, which holds at most \
             128000",
        ],
    );
}

#[test]
fn a_port_is_taken_once_by_each_protocol() {
    check(
        &agent(json!({"host": {"ports": [
            {"port": 80}, {"port": 80, "protocol": "udp"}, {"port": 81}, {"port": 80, "protocol": "tcp", "target": 8080}
        ]}})),
        &[
            "spec.roles[0].agent.host.ports[3]: duplicate port 80, protocol \"tcp\"; it is at \
           spec.roles[0].agent.host.ports[0] already",
        ],
    );
}

#[test]
fn long_texts_are_told_apart_to_their_ends() {
    let target = |end: &str| json!({"target": format!("/{}{end}", "a".repeat(100)), "type": "tmpfs"});
    check(&agent(json!({"mounts": [target("1"), target("2")]})), &[]);
}

#[test]
fn mounts_and_files_have_their_places() {
    check(
        &agent(json!({"mounts": [
            {"target": "/a", "source": "cache"}, {"target": "/a/../b", "source": "cache"},
            {"target": "/c"}, {"target": "/d", "type": "tmpfs", "source": "x"},
            {"target": "/e", "source": "/var/run"}, {"target": "/a", "type": "tmpfs"}
        ]})),
        &[
            "spec.roles[0].agent.mounts[5].target: duplicate \"/a\"; it is at spec.roles[0].agent.mounts[0].target \
             already",
            "spec.roles[0].agent.mounts[1].target: must be an absolute path like \"/var/cache/agent\", without \".\", \
             \"..\", doubled or trailing \"/\", got \"/a/../b\"",
            "spec.roles[0].agent.mounts[2].source: is required: the name of the volume, like \"agent-cache\"",
            "spec.roles[0].agent.mounts[3].source: must not be set for a tmpfs, which comes from nowhere",
            "spec.roles[0].agent.mounts[4].source: must be the name of a volume, got the path \"/var/run\": a path of \
             the node is mounted with `type: bind`, where a Policy allows it",
            "spec.roles[0].agent.mounts: two of the agent's files are at \"/a\" (in mounts and mounts); move one of them",
        ],
    );
    check(
        &agent(json!({
            "secrets": [{"name": "../key"}, {"name": "key", "path": "/run/x"}],
            "configs": [{"name": "c", "path": "c", "data": "x".repeat(1_024_000)}, {"name": "d", "path": "/run/x", "data": ""}, {"name": "e", "data": "e"}]
        })),
        &[
            "spec.roles[0].agent.secrets[0].name: must be a file name of at most 63 letters, digits, \"-\", \"_\" and \
             \".\", starting with a letter or digit, got \"../key\"",
            "spec.roles[0].agent.configs[0].path: must be an absolute path like \"/var/cache/agent\", without \".\", \
             \"..\", doubled or trailing \"/\", got \"c\"",
            "spec.roles[0].agent.configs[0].data: must be less than 1,000 KiB, got 1000 KiB",
            "spec.roles[0].agent.configs[1].data: must not be empty: the engine takes no config without content; take the \
             config out",
            "spec.roles[0].agent.configs: two of the agent's files are at \"/run/x\" (in secrets and configs); move one \
             of them",
        ],
    );
    check(
        &agent(json!({"secrets": [{"name": "whoosh-nats-url"}]})),
        &[
            "spec.roles[0].agent.secrets: two of the agent's files are at \"/run/secrets/whoosh-nats-url\" (in the \
             operator's own and secrets); move one of them",
        ],
    );
    check(
        &agent(json!({"healthCheck": {"interval": "5s"}})),
        &["spec.roles[0].agent.healthCheck.command: is required: the image's own check keeps its own times"],
    );
}

#[test]
fn images_are_references() {
    for good in [
        "agent",
        "chorus-agent:dev",
        "localhost:5000/a/b:1.2",
        "registry.example/team/agent:1.2",
        "ghcr.io/acme/agent@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "a__b/c.d-e:V_1",
    ] {
        check(&agent(json!({"image": good})), &[]);
    }
    for bad in [
        "",
        "a b",
        "-a",
        "a:",
        "a:b:c",
        "a@sha256:12",
        "a//b",
        "/a",
        "a/",
        "host:99999/a",
        "a..b",
        "a:-x",
    ] {
        let expected = format!(
            "spec.roles[0].agent.image: \"{bad}\" is not an image reference: write it like \"chorus-agent:dev\" or \
             \"registry.example/team/agent:1.2\""
        );
        check(&agent(json!({"image": bad})), &[&expected]);
    }
    check(
        &agent(json!({"image": "Chorus-Agent:dev"})),
        &[
            "spec.roles[0].agent.image: \"Chorus-Agent:dev\" is not an image reference: write it like \"chorus-agent:dev\" \
           or \"registry.example/team/agent:1.2\"; try \"chorus-agent:dev\"",
        ],
    );
}

#[test]
fn placement_speaks_of_nodes() {
    for good in [
        "node.role==manager",
        "node.role != worker",
        "node.labels.gpu==true",
        "engine.labels.operatingsystem==debian 12",
        "node.platform.arch==x86_64",
        "node.ip!=10.0.0.1",
        "node.labels.example.com/zone==a",
    ] {
        check(&agent(json!({"placement": {"constraints": [good]}})), &[]);
    }
    let facts = "use node.id, node.hostname, node.ip, node.role, node.platform.os, node.platform.arch, node.labels.NAME \
                 or engine.labels.NAME";
    for (bad, message) in [
        (
            "node.role=manager",
            "must be \"key==value\" or \"key!=value\", got \"node.role=manager\"; try \"node.role==manager\""
                .to_owned(),
        ),
        (
            "gpu",
            "must be \"key==value\" or \"key!=value\", got \"gpu\"".to_owned(),
        ),
        (
            "node.hostnme==a",
            format!(
                "\"node.hostnme\" is nothing that is known of a node (did you mean \"node.hostname\"?): {facts}"
            ),
        ),
        (
            "node.label.gpu==true",
            format!(
                "\"node.label.gpu\" is nothing that is known of a node (did you mean \"node.labels.gpu\"?): {facts}"
            ),
        ),
        (
            "gpu==true",
            format!("\"gpu\" is nothing that is known of a node: {facts}"),
        ),
        (
            "node.role==mananger",
            "node.role is \"manager\" or \"worker\", got \"mananger\" (did you mean \"manager\"?)".to_owned(),
        ),
        (
            "node.id==",
            "\"\" is no value that a node can be compared with".to_owned(),
        ),
    ] {
        let expected = format!("spec.roles[0].agent.placement.constraints[0]: {message}");
        check(&agent(json!({"placement": {"constraints": [bad]}})), &[&expected]);
    }
    check(
        &agent(json!({"placement": {"preferences": ["node.labels.zone", "engine.labels.rack"]}})),
        &[],
    );
    check(
        &agent(json!({"placement": {"preferences": ["node.lables.zone", "zone"]}})),
        &[
            "spec.roles[0].agent.placement.preferences[0]: must be a node label to spread over, like \
             \"node.labels.zone\", got \"node.lables.zone\" (did you mean \"node.labels.zone\"?)",
            "spec.roles[0].agent.placement.preferences[1]: must be a node label to spread over, like \
             \"node.labels.zone\", got \"zone\"",
        ],
    );
}

#[test]
fn users_and_networks_have_names() {
    for good in ["65532", "65532:65532", "agent", "agent:staff"] {
        check(&agent(json!({"user": good})), &[]);
    }
    check(
        &agent(json!({"user": "a:b:c", "networks": ["extra", "host", "a b", "extra"]})),
        &[
            "spec.roles[0].agent.user: must be a user or user:group, like \"65532:65532\" or \"agent\", got \"a:b:c\"",
            "spec.roles[0].agent.networks[1]: \"host\" is the engine's own network; name an overlay network, like \
             \"chorus_net\"",
            "spec.roles[0].agent.networks[2]: must be a network's name: at most 63 letters, digits, \"-\", \"_\" and \
             \".\", starting with a letter or digit, got \"a b\"",
            "spec.roles[0].agent.networks[3]: is in the list already",
        ],
    );
}
