//! `/networks`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::json::{Object, array, labels};
use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::dice::Dice;
use crate::sim::world::model::{Labels, Network, Scope};
use crate::sim::world::networks::{NewNetwork, Pool};
use crate::sim::world::refusal::Refusal;

const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];
const VXLAN: &str = "com.docker.network.driver.overlay.vxlanid_list";

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Request {
    name: String,
    driver: Option<String>,
    #[serde(deserialize_with = "labels")]
    labels: Option<Labels>,
    scope: Option<String>,
    attachable: bool,
    internal: bool,
    ingress: bool,
    #[serde(rename = "IPAM")]
    ipam: Option<Ipam>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Ipam {
    driver: Option<String>,
    config: Option<Vec<Option<Block>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Block {
    subnet: Option<String>,
    gateway: Option<String>,
    #[serde(rename = "IPRange")]
    range: Option<String>,
}

impl From<Block> for Pool {
    fn from(block: Block) -> Self {
        let Block {
            subnet,
            gateway,
            range,
        } = block;
        Self {
            subnet: subnet.unwrap_or_default(),
            gateway: gateway.unwrap_or_default(),
            range: range.unwrap_or_default(),
        }
    }
}

/// Who is to be on a network, or no longer.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct End {
    container: String,
    force: bool,
}

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    let dangling = filters.truth("dangling")?;
    for kind in filters.values("type") {
        if !["builtin", "custom"].contains(&kind.as_str()) {
            return Err(Refusal::new(500, format!("invalid filter: 'type'='{kind}'")));
        }
    }
    let has_managers = world.require_managers().is_ok();
    let rows = world.networks.back(ask.back).into_iter().filter(|row| {
        let network = &row.value;
        if !has_managers && !world.is_on_own_node(network) {
            return false;
        }
        // Unlike other lists, this one takes a part of a name.
        filters.any("name", |wanted| network.name.contains(wanted))
            && filters.any("id", |wanted| network.id.contains(wanted))
            && filters.is("driver", driver(network))
            && filters.is("scope", scope(network))
            && filters.labels("label", network.labels.as_ref().unwrap_or(&Labels::new()))
            // Of a list the engine does not see who is on a network.
            && dangling.is_none_or(|dangling| dangling != network.is_predefined())
            && filters.any("type", |wanted| network.is_predefined() == (wanted == "builtin"))
    });
    Ok(Reply::ok(array(
        rows.map(|row| row.json(|network| view(network, None)).to_owned()),
    )))
}

pub(super) fn inspect(world: &World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    if ask.back > 0 {
        let rows = world.networks.back(ask.back);
        let found = rows
            .iter()
            .find(|row| &*row.value.id == name || row.value.name == name);
        let row = found.ok_or_else(|| Refusal::not_found("network", name))?;
        return Ok(Reply::ok(view(&row.value, None)));
    }
    let network = world.find_network(name)?;
    if world.require_managers().is_err() && !world.is_on_own_node(network) {
        return Err(Refusal::not_found("network", name));
    }
    let mut containers = BTreeMap::new();
    for (task, container) in world.containers().filter(|(task, _)| task.is_alive()) {
        let end = task
            .attachments
            .iter()
            .find(|attachment| attachment.network.value.id == network.id);
        if let Some((address, prefix)) = end.and_then(|end| Some((end.address?, end.prefix))) {
            containers.insert(container.id.to_string(), endpoint(&task.name(), address, prefix));
        }
    }
    let balancer = world.balancer(&network.id, &world.own_node);
    if let Some((address, prefix)) = balancer.and_then(|end| Some((end.address?, end.prefix))) {
        let name = &network.name;
        let id = if network.ingress {
            "ingress-sbox".to_owned()
        } else {
            format!("lb-{name}")
        };
        containers.insert(id, endpoint(&format!("{name}-endpoint"), address, prefix));
    }
    let containers = (!containers.is_empty()).then_some(containers);
    Ok(Reply::ok(view(network, containers.as_ref())))
}

/// An end on a network, as the network shows it.
fn endpoint(name: &str, address: Ipv4Addr, prefix: u8) -> Value {
    let [a, b, c, d] = address.octets();
    json!({
        "Name": name,
        "EndpointID": &*Dice::of(&format!("{name} {address}")).hex(),
        "MacAddress": format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}"),
        "IPv4Address": format!("{address}/{prefix}"),
        "IPv6Address": "",
    })
}

pub(super) fn create(world: &mut World, ask: &Ask) -> Result<Reply, Refusal> {
    ask.require_json()?;
    let request: Request = ask.json()?;
    let ipam = request.ipam.unwrap_or_default();
    let blocks = ipam.config.into_iter().flatten();
    let id = world.create_network(NewNetwork {
        name: request.name,
        driver: request.driver.unwrap_or_default(),
        scope: request.scope.unwrap_or_default(),
        labels: request.labels,
        address_driver: ipam.driver.unwrap_or_default(),
        pools: blocks.map(|block| block.unwrap_or_default().into()).collect(),
        attachable: request.attachable,
        internal: request.internal,
        ingress: request.ingress,
    })?;
    Ok(Reply::Json(201, json!({"Id": &*id, "Warning": ""}).to_string()))
}

/// Puts a container on a network, or takes it off: tasks' containers are the managers' business alone.
pub(super) fn change_end(world: &World, ask: &Ask, network: &str, connects: bool) -> Result<Reply, Refusal> {
    ask.require_json()?;
    let End { container, force } = ask.json()?;
    if !connects && force && world.find_container(&container).is_err() {
        world.find_network(network)?;
        return Err(Refusal::new(404, format!("endpoint {container} not found")));
    }
    if container.is_empty() {
        return Err(Refusal::new(400, "invalid name or ID supplied: \"\""));
    }
    world.find_container(&container)?;
    Err(Refusal::new(
        501,
        "the simulation changes no container's networks",
    ))
}

pub(super) fn remove(world: &mut World, name: &str) -> Result<Reply, Refusal> {
    world.remove_network(name)?;
    Ok(Reply::Empty(204))
}

fn is_allocated(network: &Network) -> bool {
    network.scope != Scope::Swarm || network.subnet.is_some()
}

fn driver(network: &Network) -> &'static str {
    match network.scope {
        Scope::Local(driver) => driver,
        Scope::Swarm if is_allocated(network) => "overlay",
        // Until it has its addresses, it shows none.
        Scope::Swarm => "",
    }
}

fn scope(network: &Network) -> &'static str {
    match network.scope {
        Scope::Local(_) => "local",
        Scope::Swarm => "swarm",
    }
}

fn pools(network: &Network) -> Value {
    match network.subnet {
        Some(subnet) if network.name == "bridge" => json!([{"Subnet": subnet.to_string()}]),
        Some(subnet) => json!([{"Subnet": subnet.to_string(), "Gateway": network.gateway()}]),
        None if is_allocated(network) => json!([]),
        None => Value::Null,
    }
}

fn view(network: &Network, containers: Option<&BTreeMap<String, Value>>) -> String {
    let is_swarm = network.scope == Scope::Swarm;
    let options = match (is_swarm, network.subnet) {
        (true, None) => Value::Null,
        (true, Some(_)) => json!({VXLAN: network.vxlan.to_string()}),
        (false, _) => json!(network.options),
    };
    // A network that the engine has itself, too, shows what it has not as empty.
    let labels = match (&network.labels, containers) {
        (None, Some(_)) => Some(Labels::new()),
        (labels, _) => labels.clone(),
    };
    let none = if is_swarm { Value::Null } else { json!({}) };
    let ipam = json!({
        "Driver": if is_allocated(network) { "default" } else { "" },
        "Options": null,
        "Config": pools(network),
    });
    Object::new()
        .with("Name", &network.name)
        .with("Id", &*network.id)
        .time("Created", network.meta.created)
        .with("Scope", scope(network))
        .with("Driver", driver(network))
        .raw("EnableIPv6", false)
        .with("IPAM", &ipam)
        .raw("Internal", network.internal)
        .raw("Attachable", network.attachable)
        .raw("Ingress", network.ingress)
        .raw("ConfigFrom", r#"{"Network":""}"#)
        .raw("ConfigOnly", false)
        .raw(
            "Containers",
            containers.map_or(none, |containers| json!(containers)),
        )
        .with("Options", &options)
        .with("Labels", &labels)
        .end()
}

/// A network as a task on it shows it.
pub(super) fn attached(network: &Network) -> String {
    let ipam = json!({"Driver": {"Name": "default"}, "Configs": pools(network)});
    // That of published ports the managers made themselves, and asked for nothing.
    let (asked_driver, asked_ipam) = if network.ingress {
        (json!({}), json!({"Driver": {}}))
    } else {
        (json!({"Name": driver(network)}), ipam.clone())
    };
    let flags = [
        ("Internal", network.internal),
        ("Attachable", network.attachable),
        ("Ingress", network.ingress),
    ];
    let spec = Object::new()
        .with("Name", &network.name)
        .with("Labels", network.labels.as_ref().unwrap_or(&Labels::new()))
        .with("DriverConfiguration", &asked_driver);
    let set = flags.into_iter().filter(|(_, is_set)| *is_set);
    let spec = set
        .fold(spec, |spec, (name, _)| spec.raw(name, true))
        .with("IPAMOptions", &asked_ipam)
        .with("Scope", scope(network))
        .end();
    Object::new()
        .meta(&network.id, network.meta)
        .raw("Spec", spec)
        .with(
            "DriverState",
            &json!({"Name": driver(network), "Options": {VXLAN: network.vxlan.to_string()}}),
        )
        .with("IPAMOptions", &ipam)
        .end()
}
