//! What a request or event is called in a plan of faults: without anything random in it.

use hyper::Method;
use serde_json::Value;

use super::Ask;
use crate::sim::faults::Class;
use crate::sim::world::World;
use crate::sim::world::blobs::BlobKind;
use crate::sim::world::events::Event;

/// The class and name of a request.
pub(super) fn of_request(world: &World, ask: &Ask) -> (Class, String) {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let kind = path.first().copied().unwrap_or_default();
    let singular = kind.trim_end_matches('s');
    let name = |id: &str| stable(world, kind, id);
    if matches!(ask.method, Method::GET | Method::HEAD) {
        let mut told = format!("list /{kind}");
        for (place, part) in path.iter().enumerate().skip(1) {
            told.push('/');
            told.push_str(&if place == 1 {
                name(part)
            } else {
                (*part).to_owned()
            });
        }
        return (Class::List, told);
    }
    let told = match (&ask.method, path.as_slice()) {
        (&Method::POST, [_, "create"]) => {
            let body: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
            format!("create {singular} {}", body["Name"].as_str().unwrap_or_default())
        }
        (&Method::DELETE, [_, id, ..]) => format!("remove {singular} {}", name(id)),
        (&Method::POST, ["swarm", verb]) => format!("{verb} swarm"),
        (_, [_, id, verb, ..]) => format!("{verb} {singular} {}", name(id)),
        _ => format!("{} /{}", ask.method, path.join("/")),
    };
    (Class::Call, told)
}

/// The name of an event.
pub(super) fn of_event(event: &Event) -> String {
    format!("event {} {} {}", event.kind, event.action, event.name)
}

fn stable(world: &World, kind: &str, id: &str) -> String {
    let found = match kind {
        "services" => world.find_service(id).map(|service| service.spec.name.clone()),
        "networks" => world.find_network(id).map(|network| network.name.clone()),
        "nodes" => world.find_node(id).map(|node| node.hostname.clone()),
        "secrets" => world
            .find_blob(BlobKind::Secret, id)
            .map(|blob| blob.name.clone()),
        "configs" => world
            .find_blob(BlobKind::Config, id)
            .map(|blob| blob.name.clone()),
        "containers" if id != "json" => world
            .find_container(id)
            .map(crate::sim::world::model::Task::stable_name),
        "tasks" => {
            return world
                .tasks
                .get(id)
                .map_or_else(|| "?".to_owned(), |task| task.stable_name());
        }
        _ => return id.to_owned(),
    };
    // What is gone has no name left, and its id is random.
    found.unwrap_or_else(|_| "?".to_owned())
}
