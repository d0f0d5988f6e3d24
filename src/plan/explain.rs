//! Says how an agent is, and what to do about it.
//!
//! The words do not change while nothing does: no times, no counters. They do not name the agent, so that
//! agents with the same trouble are told of together.

use std::collections::BTreeMap;

use crate::resource::workload::DesiredAgent;

use super::health::{Health, Verdict, engine_text, node_name};
use super::observed::{Node, Task, TaskState};
use super::placement;
use super::words;

/// How an agent is, and what to do next when it does not help itself.
pub(super) fn explain(health: &Health<'_>, agent: &DesiredAgent, nodes: &BTreeMap<String, Node>) -> String {
    let task = health.task;
    match &health.verdict {
        Verdict::Ready => format!("runs{}", on(task, nodes)),
        Verdict::Starting => starting(task, nodes),
        Verdict::Pending { why } => format!("waits for a node{}", quoted(why)),
        Verdict::Unaddressed => "waits for an address".to_owned(),
        Verdict::ImageMissing { error, .. } => image_missing(&agent.image, error),
        Verdict::NothingFits { why } => nothing_fits(why, agent, nodes),
        Verdict::Failed { exit_code, error } => {
            let last = health.ended.first().copied();
            format!(
                "{}{}; it is started again",
                ended(*exit_code, error),
                on(last, nodes)
            )
        }
        Verdict::CrashLoop { exit_code, error, .. } => format!(
            "ends again and again: {}; read its log with `whoosh logs`, then correct its command, environment or image",
            ended(*exit_code, error)
        ),
        Verdict::Unhealthy { told } => format!(
            "{}: read its log with `whoosh logs`, then correct the agent, or give `healthCheck` more time with \
             `startPeriod`",
            if *told {
                "was stopped because its health check failed"
            } else {
                "ends again and again without an error, as it does when its health check fails"
            }
        ),
        Verdict::NodeDown { node } => format!(
            "node {node} does not answer; start its Docker engine, or give the agent up there with `docker node rm \
             --force {node}`"
        ),
        Verdict::Updating => "is being updated".to_owned(),
        Verdict::Missing => "is being created".to_owned(),
    }
}

/// `ended with exit code 3 ("task: non-zero exit (3)")`.
pub(super) fn ended(exit_code: Option<i64>, error: &str) -> String {
    let code = exit_code
        .map(|code| format!(" with exit code {code}"))
        .unwrap_or_default();
    format!("ended{code}{}", quoted(error))
}

/// ` on node n1`.
pub(super) fn on(task: Option<&Task>, nodes: &BTreeMap<String, Node>) -> String {
    task.and_then(|task| node_name(task, nodes))
        .map(|node| format!(" on node {node}"))
        .unwrap_or_default()
}

fn starting(task: Option<&Task>, nodes: &BTreeMap<String, Node>) -> String {
    let on = on(task, nodes);
    match task.map(|task| task.state) {
        Some(TaskState::Preparing) => format!("gets its image{on}"),
        Some(TaskState::Starting) => format!("starts, or waits to be healthy,{on}"),
        _ => format!("starts{on}"),
    }
}

fn image_missing(image: &str, error: &str) -> String {
    let error = quoted(error);
    format!(
        "image {image} cannot be had{error}: push it to a registry that the nodes reach, build it on the nodes, or \
         correct `image`"
    )
}

fn nothing_fits(why: &str, agent: &DesiredAgent, nodes: &BTreeMap<String, Node>) -> String {
    let mut parts = Vec::new();
    if why.contains("constraints") {
        parts.push(unmet_constraints(agent, nodes));
    }
    if why.contains("resources") {
        parts.push(format!(
            "no node has {} left to reserve: lower `resources.requests`, stop something, or add a node",
            words::amount(agent.reservations)
        ));
    }
    if parts.is_empty() {
        parts.push("no node takes it: add a node, or set one to active with `docker node update`".to_owned());
    }
    format!("{}{}", parts.join("; "), quoted(why))
}

fn unmet_constraints(agent: &DesiredAgent, nodes: &BTreeMap<String, Node>) -> String {
    let unmet = placement::unmet(&agent.constraints, nodes);
    let remedy = unmet.iter().find_map(|constraint| placement::remedy(constraint));
    let which = match (unmet.as_slice(), agent.constraints.as_slice()) {
        ([], [one]) => format!("no node meets {one}"),
        ([], all) => format!("no node meets all of {}", all.join(", ")),
        (unmet, _) => format!("no node meets {}", unmet.join(", nor ")),
    };
    let label = remedy
        .map(|command| format!("label one with `{command}`, or "))
        .unwrap_or_default();
    format!("{which}: {label}change `placement.constraints`")
}

fn quoted(engine: &str) -> String {
    if engine.is_empty() {
        String::new()
    } else {
        format!(" (the engine says \"{engine}\")")
    }
}

/// The engine's own error of the task that counts, or of the last one that ended when that is the trouble.
pub(super) fn engine_error<'a>(health: &Health<'a>) -> Option<&'a str> {
    let last = health.ended.first().copied();
    let last = last.filter(|_| health.verdict != Verdict::Ready);
    let now = health.task.filter(|task| task.error.is_some());
    now.or(last).map(engine_text)
}
