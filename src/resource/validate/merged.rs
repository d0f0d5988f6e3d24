//! What only shows when a role's agent blocks are merged.

use std::collections::BTreeMap;

use super::super::agent_spec::{AgentSpec, HealthCheck, ResourceList};
use super::super::env;
use super::super::merge;
use super::super::path;
use super::super::quantity::Measure;
use super::cause::{Cause, CauseReason};

const NO_IMAGE: &str =
    "is required: an agent's image is set in the role's agent block, in its template or in spec.defaults";

/// Checks the agent that `layers` make together, the strongest last; `at` is the path of the role's own block.
///
/// While a template is not known (`partial`), what it may still bring is not missed. Returns the merged block.
pub(in super::super) fn check(
    layers: &[&AgentSpec],
    partial: bool,
    at: &str,
) -> Result<AgentSpec, Vec<Cause>> {
    let agent = merge::all(layers);
    let mut causes = Vec::new();
    if agent.image.is_none() && !partial {
        causes.push(Cause::new(
            path::field(at, "image"),
            CauseReason::Required,
            NO_IMAGE,
        ));
    }
    causes.extend(requests_above_limits(&agent, layers, at));
    causes.extend(health_check_without_command(&agent, partial, at));
    causes.extend(files_in_one_place(&agent, at));
    if causes.is_empty() { Ok(agent) } else { Err(causes) }
}

fn requests_above_limits(agent: &AgentSpec, layers: &[&AgentSpec], at: &str) -> Vec<Cause> {
    type Pick = fn(&ResourceList) -> Option<&str>;
    let cpu: Pick = |list| list.cpu.as_ref().map(|quantity| quantity.0.as_str());
    let memory: Pick = |list| list.memory.as_ref().map(|quantity| quantity.0.as_str());
    let mut causes = Vec::new();
    for (name, measure, pick) in [("cpu", Measure::Cpu, cpu), ("memory", Measure::Memory, memory)] {
        let pair = |agent: &AgentSpec| {
            let resources = agent.resources.as_ref()?;
            Some((
                pick(&resources.requests)?.to_owned(),
                pick(&resources.limits)?.to_owned(),
            ))
        };
        let Some((request, limit)) = pair(agent) else {
            continue;
        };
        let above = matches!((measure.parse(&request), measure.parse(&limit)), (Ok(a), Ok(b)) if a > b);
        // A block that has both was told so itself.
        let within_one = layers
            .iter()
            .any(|layer| pair(layer).as_ref() == Some(&(request.clone(), limit.clone())));
        if above && !within_one {
            let field = ["resources", "requests", name]
                .iter()
                .fold(at.to_owned(), |at, name| path::field(&at, name));
            let message = format!(
                "must not be above the limit of \"{limit}\", got \"{request}\" (merged from template, defaults and role)"
            );
            causes.push(Cause::new(field, CauseReason::Invalid, message));
        }
    }
    causes
}

/// The engine takes a check's times from a service only together with its command.
fn health_check_without_command(agent: &AgentSpec, partial: bool, at: &str) -> Option<Cause> {
    let HealthCheck {
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = agent.health_check.as_ref()?;
    let times = interval.is_some() || timeout.is_some() || start_period.is_some() || retries.is_some();
    (command.is_none() && times && !partial).then(|| {
        let field = path::field(&path::field(at, "healthCheck"), "command");
        let message = "is required: the image's own check keeps its own times";
        Cause::new(field, CauseReason::Required, message)
    })
}

/// Two mounts or files of a container cannot have one path.
fn files_in_one_place(agent: &AgentSpec, at: &str) -> Vec<Cause> {
    let mounts = agent
        .mounts
        .iter()
        .flatten()
        .map(|mount| ("mounts", mount.target.clone()));
    let secrets = agent
        .secrets
        .iter()
        .flatten()
        .map(|secret| ("secrets", secret.container_path()));
    let configs = agent
        .configs
        .iter()
        .flatten()
        .map(|config| ("configs", config.container_path()));
    // Whether or not this operator puts one there: the next may.
    let mut taken = BTreeMap::from([(env::NATS_URL_PATH.to_owned(), "the operator's own")]);
    let mut causes = Vec::new();
    for (list, place) in mounts.chain(secrets).chain(configs) {
        if let Some(before) = taken.get(&place) {
            let message = format!(
                "two of the agent's files are at \"{place}\" (in {before} and {list}); move one of them"
            );
            causes.push(Cause::new(path::field(at, list), CauseReason::Duplicate, message));
        } else {
            taken.insert(place, list);
        }
    }
    causes
}
