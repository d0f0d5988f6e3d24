//! The same requests to a simulated and to a real engine have the same answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use whoosh::sim::Settings;

use super::stage::Sim;
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::http;

/// One engine, real or not.
pub(super) struct Door {
    client: Client,
}

impl Door {
    pub(super) fn new(socket: PathBuf) -> Self {
        let client = http().unix_socket(socket).build().unwrap();
        Self { client }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = self.filled_in(path).await;
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("http://engine/v1.41{path}"));
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// `<services/x>` becomes the version of that object.
    async fn filled_in(&self, path: &str) -> String {
        let Some((before, rest)) = path.split_once('<') else {
            return path.to_owned();
        };
        let (object, after) = rest.split_once('>').unwrap();
        let found = Box::pin(self.ask("GET", &format!("/{object}"), &Value::Null)).await;
        format!("{before}{}{after}", found.1["Version"]["Index"])
    }
}

/// An answer without what differs between any two engines: ids are numbered, times and versions are taken out.
fn plain(answer: &(u16, Value), ids: &mut BTreeMap<String, usize>) -> String {
    let mut text = format!("{} {}", answer.0, strip(answer.1.clone()));
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| matches!(word.len(), 25 | 64) && word.bytes().any(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect();
    for word in words {
        let next = ids.len();
        let number = *ids.entry(word.clone()).or_insert(next);
        text = text.replace(&word, &format!("<id {number}>"));
    }
    text
}

fn strip(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "Created"
                        | "CreatedAt"
                        | "UpdatedAt"
                        | "StartedAt"
                        | "CompletedAt"
                        | "Timestamp"
                        | "Version"
                )
            });
            Value::Object(
                kept.map(|(key, value)| {
                    // The number of a network is its engine's own matter.
                    let is_vxlan = key.ends_with("vxlanid_list");
                    (key, if is_vxlan { Value::Null } else { strip(value) })
                })
                .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(strip).collect(),
        other => other,
    }
}

fn service(name: &str, more: Value) -> Value {
    let mut spec = json!({
        "Name": name,
        "TaskTemplate": {"ContainerSpec": {"Image": "nowhere:1", "Args": ["-c", "true"]}},
        "Mode": {"Replicated": {"Replicas": 0}},
        "EndpointSpec": {"Mode": "dnsrr"},
    });
    json_patch::merge(&mut spec, &more);
    spec
}

fn template(more: Value) -> Value {
    service("like-bad", json!({"TaskTemplate": more}))
}

fn full() -> Value {
    json!({
        "Name": "like-full",
        "Labels": {"b": "2", "a": "1"},
        "Bogus": 1,
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "nowhere:1", "Labels": {"x": "y"}, "Command": ["/a"], "Args": [], "Hostname": "h",
                "Env": ["A=1"], "Dir": "/", "User": "1:1", "Groups": ["5"], "TTY": false, "ReadOnly": true,
                "Mounts": [
                    {"Type": "tmpfs", "Target": "/t", "Source": "", "ReadOnly": false},
                    {"Type": "volume", "Target": "/v", "Source": "vol", "ReadOnly": true},
                ],
                "StopSignal": "SIGTERM", "StopGracePeriod": 10_000_000_000_u64,
                "Healthcheck": {"Test": ["CMD", "a"], "Interval": 0, "Timeout": 3_000_000_000_u64, "Retries": 0},
                "Hosts": ["1.2.3.4 h"], "DNSConfig": {"Nameservers": ["8.8.8.8"]}, "Secrets": [], "Configs": null,
                "Init": false, "Sysctls": {"a": "b"}, "CapabilityAdd": ["NET_ADMIN"], "Isolation": "",
                "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
            },
            "Resources": {
                "Limits": {"NanoCPUs": 500_000_000, "MemoryBytes": 67_108_864, "Pids": 99},
                "Reservations": {"NanoCPUs": 0},
            },
            "RestartPolicy": {"Condition": "any", "Delay": 1_000_000_000, "MaxAttempts": 0, "Window": 0},
            "Placement": {
                "Constraints": [], "MaxReplicas": 3, "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
                "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
            },
            "ForceUpdate": 2,
            "LogDriver": {"Name": "json-file", "Options": {}},
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "UpdateConfig": {"Parallelism": 1, "Order": "stop-first", "FailureAction": "pause"},
        "RollbackConfig": {"Parallelism": 2},
        "EndpointSpec": {"Mode": "vip"},
    })
}

/// Method, path and body of every request, in order.
fn script() -> Vec<(&'static str, &'static str, Value)> {
    let none = || Value::Null;
    let pool = |subnet: &str| json!({"Config": [{"Subnet": subnet}]});
    let file = |kind: &str| {
        let target = json!({"Name": "x", "UID": "0", "GID": "0", "Mode": 292});
        json!({"ContainerSpec": {format!("{kind}s"): [
            {format!("{kind}ID"): "nope", format!("{kind}Name"): "n", "File": target},
        ]}})
    };
    let create = "/services/create";
    let mut steps = vec![
        (
            "POST",
            "/networks/create",
            json!({"Name": "like-net", "Driver": "overlay", "Attachable": true,
            "IPAM": pool("10.201.0.0/20"), "Labels": {"a": "b"}}),
        ),
        ("GET", "/networks/like-net", none()),
        (
            "POST",
            "/networks/create",
            json!({"Name": "like-net", "Driver": "overlay"}),
        ),
        (
            "POST",
            "/networks/create",
            json!({"Name": "like net", "Driver": "overlay"}),
        ),
        (
            "POST",
            "/networks/create",
            json!({"Name": "", "Driver": "overlay"}),
        ),
        (
            "POST",
            "/networks/create",
            json!({"Name": "like-x", "Driver": "overlay", "IPAM": pool("bad")}),
        ),
        (
            "POST",
            "/networks/create",
            json!({"Name": "like-x", "Driver": "nodriver"}),
        ),
        (
            "POST",
            "/networks/create",
            json!({"Name": "like-over", "Driver": "overlay", "IPAM": pool("10.201.1.0/24")}),
        ),
        ("GET", "/networks/like-over", none()),
        ("DELETE", "/networks/like-over", none()),
        ("DELETE", "/networks/docker_gwbridge", none()),
        ("DELETE", "/networks/bridge", none()),
        ("POST", create, service("like-a", json!({}))),
        ("GET", "/services/like-a", none()),
        ("POST", create, service("like-a", json!({}))),
        ("POST", create, full()),
        ("GET", "/services/like-full", none()),
        (
            "POST",
            create,
            service(
                "like-vip",
                json!({"EndpointSpec": null, "Labels": null,
            "TaskTemplate": {"Networks": [{"Target": "like-net"}], "RestartPolicy": {}, "Placement": {}}}),
            ),
        ),
        ("GET", "/services/like-vip", none()),
        (
            "POST",
            create,
            service(
                "like-old",
                json!({"EndpointSpec": {}, "UpdateConfig": {},
            "Networks": [{"Target": "like-net"}], "TaskTemplate": {"Resources": {"Limits": {"MemoryBytes": 0}}}}),
            ),
        ),
        ("GET", "/services/like-old", none()),
        ("DELETE", "/services/like-old", none()),
        ("DELETE", "/networks/like-net", none()),
        (
            "POST",
            "/services/like-a/update?version=<services/like-a>",
            service("like-a", json!({"Labels": {"a": "b"}})),
        ),
        ("GET", "/services/like-a", none()),
        (
            "POST",
            "/services/like-a/update?version=<services/like-a>&rollback=previous",
            service("like-a", json!({})),
        ),
        ("GET", "/services/like-a", none()),
        (
            "POST",
            "/services/like-a/update?version=1",
            service("like-a", json!({})),
        ),
        (
            "POST",
            "/services/like-a/update?version=x",
            service("like-a", json!({})),
        ),
        ("POST", "/services/like-a/update", service("like-a", json!({}))),
        (
            "POST",
            "/services/like-full/update?version=<services/like-full>&rollback=previous",
            full(),
        ),
        (
            "POST",
            "/services/like-a/update?version=<services/like-a>",
            service("like-b", json!({})),
        ),
        (
            "POST",
            "/services/like-a/update?version=<services/like-a>",
            service("like-a", json!({"Mode": {"Replicated": null, "Global": {}}})),
        ),
        (
            "POST",
            "/services/like-none/update?version=1",
            service("like-none", json!({})),
        ),
        (
            "GET",
            "/services?filters={\"name\":[\"like-\"],\"label\":[\"a=1\",\"b\"]}&status=true",
            none(),
        ),
        ("GET", "/services?filters={\"name\":[\"like-f\"]}", none()),
        ("GET", "/services?filters={\"bogus\":[\"x\"]}", none()),
        ("GET", "/tasks?filters={\"service\":[\"like-none\"]}", none()),
        ("GET", "/tasks?filters={\"service\":[\"like-a\"]}", none()),
        ("GET", "/tasks?filters={\"desired-state\":[\"x\"]}", none()),
        (
            "POST",
            "/secrets/create",
            json!({"Name": "like-s", "Labels": {"a": "b"}, "Data": "Zm9v"}),
        ),
        (
            "POST",
            "/secrets/create",
            json!({"Name": "like-s", "Data": "Zm9v"}),
        ),
        ("POST", "/secrets/create", json!({"Name": "like-t", "Data": ""})),
        (
            "POST",
            "/secrets/create",
            json!({"Name": "like t", "Data": "Zm9v"}),
        ),
        ("GET", "/secrets/like-s", none()),
        (
            "POST",
            "/secrets/like-s/update?version=<secrets/like-s>",
            json!({"Name": "like-s", "Labels": {"z": "z"}}),
        ),
        (
            "POST",
            "/secrets/like-s/update?version=1",
            json!({"Name": "like-s"}),
        ),
        ("GET", "/secrets?filters={\"name\":[\"like-\"]}", none()),
        ("DELETE", "/secrets/like-s", none()),
        (
            "POST",
            "/configs/create",
            json!({"Name": "like-c", "Data": "Zm9v"}),
        ),
        (
            "POST",
            "/configs/create",
            json!({"Name": "like-c", "Data": "Zm9v"}),
        ),
        ("POST", "/configs/create", json!({"Name": "like-d"})),
        ("GET", "/configs/like-c", none()),
        (
            "POST",
            "/configs/like-c/update?version=<configs/like-c>",
            json!({"Name": "like-c", "Data": "Zm8="}),
        ),
        ("DELETE", "/configs/like-c", none()),
        ("POST", create, template(file("Secret"))),
        ("POST", create, template(file("Config"))),
        ("POST", create, service("like bad", json!({}))),
        ("POST", create, service(&"a".repeat(64), json!({}))),
        (
            "POST",
            create,
            template(json!({"Placement": {"Constraints": ["gibberish"]}})),
        ),
        (
            "POST",
            create,
            template(json!({"Placement": {"Constraints": ["node.role== "]}})),
        ),
        (
            "POST",
            create,
            template(json!({"Networks": [{"Target": "like-none"}]})),
        ),
        (
            "POST",
            create,
            template(json!({"Resources": {"Limits": {"NanoCPUs": 5}}})),
        ),
        (
            "POST",
            create,
            template(json!({"Resources": {"Limits": {"NanoCPUs": 999_999}}})),
        ),
        (
            "POST",
            create,
            template(json!({"Resources": {"Limits": {"MemoryBytes": 5}}})),
        ),
        ("POST", create, template(json!({"RestartPolicy": {"Delay": -5}}))),
        (
            "POST",
            create,
            template(json!({"RestartPolicy": {"Condition": "x"}})),
        ),
        ("POST", create, template(json!({"ContainerSpec": {"Image": ""}}))),
        (
            "POST",
            create,
            template(json!({"ContainerSpec": {"Image": "UPPER:x"}})),
        ),
        (
            "POST",
            create,
            template(
                json!({"ContainerSpec": {"Mounts": [{"Type": "tmpfs", "Target": "/x"},
            {"Type": "tmpfs", "Target": "/x"}]}}),
            ),
        ),
        (
            "POST",
            create,
            service("like-bad", json!({"UpdateConfig": {"Delay": -1}})),
        ),
        (
            "POST",
            create,
            service("like-bad", json!({"UpdateConfig": {"FailureAction": "x"}})),
        ),
        (
            "POST",
            create,
            service("like-bad", json!({"Mode": {"Replicated": {"Replicas": -1}}})),
        ),
        ("POST", create, json!({"Name": "like-bad", "TaskTemplate": {}})),
        ("POST", create, json!({"Name": 5})),
        ("GET", "/services/like-a/logs", none()),
        ("GET", "/services/like-none/logs?stdout=1", none()),
        ("GET", "/images/like-none/json", none()),
        ("GET", "/containers/like-none/json", none()),
        ("POST", "/swarm/init", json!({})),
        ("GET", "/nonsense", none()),
    ];
    for kind in [
        "/services/",
        "/networks/",
        "/secrets/",
        "/configs/",
        "/nodes/",
        "/tasks/",
    ] {
        let path: &'static str = Box::leak(format!("{kind}like-none").into_boxed_str());
        steps.push(("GET", path, none()));
        if kind != "/tasks/" {
            steps.push(("DELETE", path, none()));
        }
    }
    for name in ["a", "full", "vip"] {
        let path: &'static str = Box::leak(format!("/services/like-{name}").into_boxed_str());
        steps.push(("DELETE", path, none()));
    }
    steps.push(("DELETE", "/networks/like-net", none()));
    steps
}

#[tokio::test]
async fn requests_are_answered_as_the_engine_answers_them() {
    let sim = Sim::start(Settings::default());
    sim.simulation.set_image("like-none", false, None);
    let doors = [
        Door::new(Engine::shared().await.socket()),
        Door::new(sim.socket()),
    ];
    let mut ids = [BTreeMap::new(), BTreeMap::new()];
    let mut different = Vec::new();
    for (method, path, body) in script() {
        let mut answers = Vec::new();
        for (door, ids) in doors.iter().zip(&mut ids) {
            answers.push(plain(&door.ask(method, path, &body).await, ids));
            if path == "/networks/create" {
                settled(door, &body).await;
            }
        }
        if answers[0] != answers[1] {
            different.push(format!(
                "{method} {path} {body}\n   real {}\n   ours {}",
                answers[0], answers[1]
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Waits until a network that should get addresses has them.
async fn settled(door: &Door, body: &Value) {
    if body["Name"] == "like-net" {
        eventually(
            Duration::from_secs(10),
            "the network has its addresses",
            async || {
                let (_, network) = door.ask("GET", "/networks/like-net", &Value::Null).await;
                if network["Driver"] == "overlay" {
                    Ok(())
                } else {
                    Err(network)
                }
            },
        )
        .await;
    }
}
