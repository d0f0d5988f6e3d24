//! `/nodes`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::{Object, array, labels};
use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::model::{Availability, Labels, Node};
use crate::sim::world::refusal::Refusal;

const FILTERS: &[&str] = &["id", "label", "membership", "name", "node.label", "role"];

/// What an engine comes with, by kind.
const PLUGINS: &[(&str, &[&str])] = &[
    (
        "Log",
        &[
            "awslogs",
            "fluentd",
            "gcplogs",
            "gelf",
            "journald",
            "json-file",
            "local",
            "logentries",
            "splunk",
            "syslog",
        ],
    ),
    (
        "Network",
        &["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
    ),
    ("Volume", &["local"]),
];

#[derive(Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
struct NodeSpec {
    #[serde(deserialize_with = "labels")]
    labels: Option<Labels>,
    role: String,
    availability: String,
}

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    for (name, words) in [
        ("role", ["worker", "manager"]),
        ("membership", ["pending", "accepted"]),
    ] {
        let mut values = filters.values(name).iter();
        let is_known = |value: &&String| words.iter().any(|word| word.eq_ignore_ascii_case(value));
        if let Some(bogus) = values.find(|value| !is_known(value)) {
            return Err(Refusal::new(500, format!("Invalid {name} filter: '{bogus}'")));
        }
    }
    let rows = world.nodes.back(ask.back).into_iter().filter(|row| {
        let node = &row.value;
        filters.starts("id", &node.id)
            && filters.starts("name", &node.hostname)
            && filters.labels("node.label", &node.labels)
            && filters.labels("label", &Labels::new())
            && filters.any("role", |wanted| wanted.eq_ignore_ascii_case(role(node)))
            && filters.any("membership", |wanted| wanted.eq_ignore_ascii_case("accepted"))
    });
    Ok(Reply::ok(array(rows.map(|row| row.json(view).to_owned()))))
}

pub(super) fn inspect(world: &World, name: &str) -> Result<Reply, Refusal> {
    let id = &world.find_node(name)?.id;
    let json = world.nodes.row(id).map_or("", |row| row.json(view));
    Ok(Reply::ok(json.to_owned()))
}

pub(super) fn update(world: &mut World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    let spec: NodeSpec = ask.json()?;
    let version = ask.query.version("node")?;
    let manager = match spec.role.as_str() {
        "manager" => true,
        "worker" => false,
        other => return Err(Refusal::new(400, format!("invalid Role: {other:?}"))),
    };
    let word = &spec.availability;
    let availability = Availability::of(word);
    let availability =
        availability.ok_or_else(|| Refusal::new(400, format!("invalid Availability: {word:?}")))?;
    world.update_node(
        name,
        version,
        availability,
        spec.labels.unwrap_or_default(),
        manager,
    )?;
    Ok(Reply::Empty(200))
}

pub(super) fn remove(world: &mut World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    world.remove_node(name, ask.query.flag("force"))?;
    Ok(Reply::Empty(200))
}

fn role(node: &Node) -> &'static str {
    if node.manager { "manager" } else { "worker" }
}

fn view(node: &Node) -> String {
    let plugins: Vec<Value> = PLUGINS
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| json!({"Type": kind, "Name": name})))
        .collect();
    let mut engine = json!({"EngineVersion": super::engine::VERSION, "Plugins": plugins});
    if !node.engine_labels.is_empty() {
        engine["Labels"] = json!(node.engine_labels);
    }
    let description = json!({
        "Hostname": node.hostname,
        "Platform": {"Architecture": node.platform.architecture, "OS": node.platform.os},
        "Resources": {"NanoCPUs": node.nano_cpus, "MemoryBytes": node.memory_bytes},
        "Engine": engine,
        "TLSInfo": super::engine::tls_info(),
    });
    let status = Object::new()
        .with("State", if node.ready { "ready" } else { "down" })
        .when(!node.message.is_empty(), |object| {
            object.with("Message", node.message)
        })
        .with("Addr", &node.address)
        .end();
    Object::new()
        .meta(&node.id, node.meta)
        .with(
            "Spec",
            &json!({"Labels": node.labels, "Role": role(node), "Availability": node.availability.word()}),
        )
        .with("Description", &description)
        .raw("Status", status)
        .when(node.manager, |object| {
            object.with("ManagerStatus", &manager_status(node))
        })
        .end()
}

fn manager_status(node: &Node) -> Value {
    let mut status = Map::new();
    // As the engine writes it, which says nothing of those that do not lead.
    if node.leads {
        status.insert("Leader".to_owned(), json!(true));
    }
    let reachability = if node.alive { "reachable" } else { "unreachable" };
    status.insert("Reachability".to_owned(), json!(reachability));
    status.insert("Addr".to_owned(), json!(super::engine::manager_address(node)));
    status.into()
}
