//! What there is, without what differs from run to run: ids, versions and times.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use whoosh::sim::Simulation;

use super::seen::AgentSeen;

/// The Swarm's services, networks, secrets and configs, each with what counts of it, by kind and name.
pub(super) fn world(simulation: &Simulation) -> Value {
    let [services, networks, secrets, configs, tasks] =
        ["services", "networks", "secrets", "configs", "tasks"].map(|kind| list(simulation, kind));
    let mut names = BTreeMap::new();
    for object in services.iter().chain(&networks).chain(&secrets).chain(&configs) {
        names.insert(id(object).to_owned(), name(object).to_owned());
    }
    let mut world = Map::new();
    for service in &services {
        let runs = |task: &&Value| {
            task["ServiceID"] == service["ID"]
                && task["DesiredState"] == "running"
                && task["Status"]["State"] == "running"
        };
        let running = tasks.iter().filter(runs).count();
        world.insert(
            format!("service {}", name(service)),
            json!({"spec": named(&service["Spec"], &names), "running": running}),
        );
    }
    for network in networks.iter().filter(|network| network["Scope"] == "swarm") {
        let spec = json!({"labels": network["Labels"], "ipam": network["IPAM"], "driver": network["Driver"]});
        world.insert(format!("network {}", name(network)), spec);
    }
    for (kind, blobs) in [("secret", &secrets), ("config", &configs)] {
        for blob in blobs {
            world.insert(format!("{kind} {}", name(blob)), named(&blob["Spec"], &names));
        }
    }
    Value::Object(world)
}

/// A status without times.
pub(super) fn status(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        if let Some(condition) = condition.as_object_mut() {
            condition.remove("lastTransitionTime");
        }
    }
    status
}

/// The agent of each service of the workload.
pub(super) fn agents(simulation: &Simulation) -> BTreeMap<String, AgentSeen> {
    let tasks = list(simulation, "tasks");
    let services = list(simulation, "services");
    let of = |service: &Value| {
        let all = || tasks.iter().filter(|task| task["ServiceID"] == service["ID"]);
        let runs =
            all().filter(|task| task["DesiredState"] == "running" && task["Status"]["State"] == "running");
        let since = runs.filter_map(|task| task["Status"]["Timestamp"].as_str()?.parse().ok());
        let agent = AgentSeen {
            running_since: since.max(),
            started: all().count(),
        };
        (name(service).to_owned(), agent)
    };
    let of_workload = services
        .iter()
        .filter(|service| name(service).contains("_default_pay_"));
    of_workload.map(of).collect()
}

/// Where two of them differ, for people; empty when they do not.
pub(super) fn difference(expected: &Value, found: &Value) -> String {
    let mut told = Vec::new();
    compare("", expected, found, &mut told);
    told.join("; ")
}

fn compare(path: &str, expected: &Value, found: &Value, told: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
            for key in keys {
                let [expected, found] = [expected, found].map(|map| map.get(key).unwrap_or(&Value::Null));
                compare(&format!("{path}/{key}"), expected, found, told);
            }
        }
        _ if expected == found => {}
        _ => told.push(format!("{path} is {found} instead of {expected}")),
    }
}

pub(super) fn list(simulation: &Simulation, kind: &str) -> Vec<Value> {
    let answer = simulation.look(&format!("/{kind}")).unwrap();
    answer.as_array().cloned().unwrap_or_default()
}

pub(super) fn name(object: &Value) -> &str {
    let name = object.pointer("/Spec/Name").unwrap_or(&object["Name"]);
    name.as_str().unwrap_or_default()
}

fn id(object: &Value) -> &str {
    let id = object.get("ID").unwrap_or(&object["Id"]);
    id.as_str().unwrap_or_default()
}

/// The same with names for ids.
fn named(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => names.get(text).map_or_else(|| value.clone(), |name| json!(name)),
        Value::Array(items) => items.iter().map(|item| named(item, names)).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), named(value, names)));
            Value::Object(members.collect())
        }
        _ => value.clone(),
    }
}
