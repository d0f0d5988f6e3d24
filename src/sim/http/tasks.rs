//! `/tasks`.

use std::sync::Arc;

use super::json::{Object, array};
use super::{Ask, Reply, networks};
use crate::sim::world::World;
use crate::sim::world::model::{Task, TaskState};
use crate::sim::world::refusal::Refusal;
use crate::sim::world::table::Row;

const FILTERS: &[&str] = &[
    "desired-state",
    "id",
    "label",
    "name",
    "node",
    "runtime",
    "service",
    "_up-to-date",
];

pub(super) fn list(world: &World, ask: &Ask) -> Result<Reply, Refusal> {
    let filters = ask.query.filters(FILTERS)?;
    let mut services = Vec::new();
    for name in filters.values("service") {
        services.push(world.find_service(name)?.id.clone());
    }
    let mut nodes = Vec::new();
    for name in filters.values("node") {
        nodes.push(world.find_node(name)?.id.clone());
    }
    let mut states = Vec::new();
    for state in filters.values("desired-state") {
        states.push(match state.as_str() {
            "running" => TaskState::Running,
            "shutdown" => TaskState::Shutdown,
            "accepted" => TaskState::Accepted,
            other => {
                return Err(Refusal::new(
                    500,
                    format!("Invalid desired-state filter: '{other}'"),
                ));
            }
        });
    }
    let fits = |task: &Task| {
        (services.is_empty() || services.contains(&task.service))
            && (nodes.is_empty() || task.node.as_ref().is_some_and(|node| nodes.contains(node)))
            && (states.is_empty() || states.contains(&task.desired))
            && filters.starts("id", &task.id)
            && filters.any("name", |wanted| task.name().starts_with(wanted))
            && filters.labels("label", &task.spec.labels)
    };
    // Few services' tasks are found without looking at all.
    let rows: Vec<Arc<Row<Task>>> = if ask.back == 0 && !services.is_empty() {
        let mut ids: Vec<_> = services
            .iter()
            .flat_map(|service| world.tasks_of(service))
            .collect();
        ids.sort();
        let rows = ids.iter().filter_map(|id| world.tasks.row(id));
        rows.filter(|row| fits(&row.value)).cloned().collect()
    } else {
        world.tasks.select(ask.back, fits)
    };
    Ok(Reply::Later(Box::new(move || {
        array(rows.iter().map(|row| row.json(view)))
    })))
}

pub(super) fn inspect(world: &World, name: &str) -> Result<Reply, Refusal> {
    let row = world
        .tasks
        .row(name)
        .ok_or_else(|| Refusal::not_found("task", name))?;
    Ok(Reply::ok(row.json(view).to_owned()))
}

fn view(task: &Task) -> String {
    let attachments = task.attachments.iter().map(|attachment| {
        let network = networks::attached(&attachment.network.value);
        match attachment.address {
            Some(address) => {
                format!(
                    r#"{{"Network":{network},"Addresses":["{address}/{}"]}}"#,
                    attachment.prefix
                )
            }
            None => format!(r#"{{"Network":{network}}}"#),
        }
    });
    Object::new()
        .meta(&task.id, task.meta)
        .raw("Labels", "{}")
        .raw("Spec", &task.spec.template_json)
        .with("ServiceID", &*task.service)
        .when(task.slot.number > 0, |object| {
            object.raw("Slot", task.slot.number)
        })
        .when(task.node.is_some(), |object| {
            object.with("NodeID", &task.node.as_deref())
        })
        .raw("Status", status(task))
        .with("DesiredState", task.desired.word())
        .when(!task.attachments.is_empty(), |object| {
            object.raw("NetworksAttachments", array(attachments))
        })
        .end()
}

fn status(task: &Task) -> String {
    let status = &task.status;
    let container = match &task.container {
        Some(container) if status.state >= TaskState::Starting => {
            Some((&*container.id, container.pid, container.exit_code))
        }
        None if matches!(status.state, TaskState::Rejected | TaskState::Failed) => Some(("", 0, 0)),
        _ => None,
    };
    Object::new()
        .time("Timestamp", status.at)
        .with("State", status.state.word())
        .with("Message", status.message)
        .when(!status.err.is_empty(), |object| object.with("Err", &status.err))
        .when(container.is_some(), |object| {
            let (id, pid, exit_code) = container.unwrap_or_default();
            object.raw(
                "ContainerStatus",
                format_args!(r#"{{"ContainerID":"{id}","PID":{pid},"ExitCode":{exit_code}}}"#),
            )
        })
        .raw("PortStatus", "{}")
        .end()
}
