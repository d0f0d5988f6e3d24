//! `/services/{id}/logs`: every task has said one line on each stream when it started.

use super::{Ask, Reply};
use crate::sim::world::World;
use crate::sim::world::model::Task;
use crate::sim::world::refusal::Refusal;

const TYPE: &str = "application/octet-stream";

pub(super) fn of_service(world: &World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    let service = world.find_service(name)?;
    let ids = world.tasks_of(&service.id);
    answer(ask, ids.iter().filter_map(|id| world.tasks.get(id)))
}

pub(super) fn of_task(world: &World, ask: &Ask, name: &str) -> Result<Reply, Refusal> {
    let task = world
        .tasks
        .get(name)
        .ok_or_else(|| Refusal::not_found("task", name))?;
    answer(ask, [task])
}

fn answer<'a>(ask: &Ask, tasks: impl IntoIterator<Item = &'a Task>) -> Result<Reply, Refusal> {
    let streams = [(1_u8, "stdout", "out"), (2, "stderr", "err")];
    if !streams.iter().any(|(_, name, _)| ask.query.flag(name)) {
        return Err(Refusal::new(
            500,
            "Bad parameters: you must choose at least one stream",
        ));
    }
    let since: i64 = ask
        .query
        .text("since")
        .split('.')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let tail = ask.query.text("tail").parse().unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    for task in tasks {
        let Some(started) = task.container.as_ref().and_then(|container| container.started) else {
            continue;
        };
        if started.as_second() < since {
            continue;
        }
        // The last lines are those of both streams, also for who asks for one.
        let last = streams.iter().skip(streams.len().saturating_sub(tail));
        for (number, _, text) in last.filter(|(_, name, _)| ask.query.flag(name)) {
            let mut line = String::new();
            if ask.query.flag("timestamps") {
                line.push_str(&format!("{started} "));
            }
            if ask.query.flag("details") {
                line.push_str(&format!(
                    "com.docker.swarm.node.id={},com.docker.swarm.service.id={},com.docker.swarm.task.id={} ",
                    task.node.as_deref().unwrap_or_default(),
                    task.service,
                    task.id
                ));
            }
            line.push_str(text);
            line.push('\n');
            bytes.extend([*number, 0, 0, 0]);
            bytes.extend(u32::try_from(line.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(line.bytes());
        }
    }
    Ok(if ask.query.flag("follow") {
        Reply::Open(TYPE, bytes)
    } else {
        Reply::Raw(TYPE, bytes)
    })
}
