//! `/containers`, as far as tasks have them on this node.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::events::container_labels;
use crate::sim::world::model::{Container, Task, TaskState};
use crate::sim::world::refusal::Refusal;

const FILTERS: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    let all = ask.query.flag("all");
    let list = self::all(world, |task, container| {
        (all || state(task) == "running")
            && filters.starts("id", &container.id)
            && filters.any("name", |wanted| task.name().contains(wanted))
            && filters.labels("label", &container_labels(task))
            && filters.is("status", state(task))
    });
    Ok(Reply::ok(json!(list).to_string()))
}

/// The containers that are wanted.
pub(super) fn all(world: &World, is_wanted: impl Fn(&Task, &Container) -> bool) -> Vec<Value> {
    let found = world
        .containers()
        .filter(|(task, container)| is_wanted(task, container));
    found
        .map(|(task, container)| {
            json!({
                "Id": &*container.id,
                "Names": [format!("/{}", task.name())],
                "Image": task.spec.image,
                "ImageID": world.images.find(&task.spec.image).map_or_else(String::new, |image| image.id.to_string()),
                "Command": "",
                "Created": task.meta.created.as_second(),
                "Ports": [],
                "Labels": container_labels(task),
                "State": state(task),
                "Status": state(task),
                "HostConfig": {"NetworkMode": "default"},
                "NetworkSettings": {"Networks": networks(task)},
                "Mounts": [],
            })
        })
        .collect()
}

pub(super) fn inspect(world: &World, name: &str) -> Result<Reply, Refusal> {
    let task = world.find_container(name)?;
    let Some(container) = &task.container else {
        return Err(Refusal::new(404, format!("No such container: {name}")));
    };
    let Container {
        id,
        pid,
        exit_code,
        started,
        kept: _,
    } = container;
    let state = state(task);
    let json = json!({
        "Id": &**id,
        "Created": task.meta.created.to_string(),
        "Name": format!("/{}", task.name()),
        "State": {
            "Status": state, "Running": state == "running", "Paused": false, "Restarting": false,
            "OOMKilled": false, "Dead": false, "Pid": pid, "ExitCode": exit_code, "Error": "",
            "StartedAt": started.map(|at| at.to_string()),
        },
        "Image": "",
        "RestartCount": 0,
        "Config": {"Image": task.spec.image, "Labels": container_labels(task)},
        "NetworkSettings": {"Networks": networks(task)},
        "Mounts": [],
    });
    Ok(Reply::ok(json.to_string()))
}

pub(super) fn kill(world: &mut World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    let signal = match ask.query.text("signal").trim_start_matches("SIG") {
        "" | "KILL" | "9" => 9,
        "TERM" | "15" => 15,
        "INT" | "2" => 2,
        other => return Err(Refusal::new(400, format!("Invalid signal: {other}"))),
    };
    world.kill_container(name, signal)?;
    Ok(Reply::Empty(204))
}

pub(super) fn remove(world: &mut World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    world.remove_container(name, ask.query.flag("force"))?;
    Ok(Reply::Empty(204))
}

fn state(task: &Task) -> &'static str {
    match task.status.state {
        TaskState::Running | TaskState::Starting => "running",
        TaskState::Ready => "created",
        _ => "exited",
    }
}

fn networks(task: &Task) -> Map<String, Value> {
    let entry = |address: Option<Ipv4Addr>| json!({"IPAddress": address.map(|address| address.to_string())});
    let ends = task.attachments.iter();
    ends.map(|end| (end.network.value.name.clone(), entry(end.address)))
        .collect()
}
