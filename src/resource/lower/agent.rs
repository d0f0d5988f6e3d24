//! One merged agent block, with every default filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::time;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::agent_spec::{AgentSpec, ConfigFile, HealthCheck, HostAccess, Resources, SecretFile};
use super::super::duration::Duration;
use super::super::path;
use super::super::policy::bare_capability;
use super::super::quantity::{Measure, QuantityError};
use super::super::validate::{Cause, CauseReason};
use super::super::workload::{Amount, DesiredAgent, DesiredFile, DesiredHealthCheck};

const DEFAULT_LIMITS: Amount = Amount {
    nano_cpus: 1_000_000_000,
    memory_bytes: 1 << 30,
};
const DEFAULT_RESERVATIONS: Amount = Amount {
    nano_cpus: 500_000_000,
    memory_bytes: 512 << 20,
};
/// How much text an agent may bring into its service, in bytes. Swarm's managers pass on nothing above 1.5 MiB, and a
/// service that is updated holds its old spec beside the new one (seen: an update of 760 KiB passes, one of 800 KiB
/// is refused, and a new service of 1,500 KiB has no tasks). The content of configs does not count: they are objects of their own.
const TEXT_MAX: usize = 700 << 10;
const DEFAULT_STOP_GRACE: time::Duration = time::Duration::from_secs(10);

/// How long the agent may take to stop.
pub(super) fn stop_grace_period(agent: &AgentSpec) -> Duration {
    agent.stop_grace_period.unwrap_or(Duration(DEFAULT_STOP_GRACE))
}

/// Fills in what a merged block leaves open; `env` is its whole environment.
pub(super) fn lower(
    agent: AgentSpec,
    env: BTreeMap<String, String>,
    network: &str,
    at: &str,
) -> Result<DesiredAgent, Vec<Cause>> {
    let grace = stop_grace_period(&agent).0;
    let AgentSpec {
        image,
        command,
        args,
        env: _,
        capabilities: _,
        expertise: _,
        model,
        system_prompt: _,
        resources,
        mounts,
        secrets,
        configs,
        health_check,
        placement,
        stop_grace_period: _,
        user,
        networks,
        host,
    } = agent;
    let HostAccess {
        capabilities,
        sysctls,
        ports,
    } = host.unwrap_or_default();
    let (limits, reservations) = amounts(&resources.unwrap_or_default()).map_err(|error| {
        let field = path::field(at, "resources");
        vec![Cause::new(field, CauseReason::Invalid, error.to_string())]
    })?;
    let placement = placement.unwrap_or_default();
    let agent = DesiredAgent {
        image: image.unwrap_or_default(),
        command: command.unwrap_or_default(),
        args: args.unwrap_or_default(),
        env,
        limits,
        reservations,
        mounts: mounts.unwrap_or_default(),
        capabilities: capabilities
            .iter()
            .flatten()
            .map(|name| bare_capability(name))
            .collect(),
        sysctls: sysctls
            .into_iter()
            .flatten()
            .map(|sysctl| (sysctl.name, sysctl.value))
            .collect(),
        ports: ports.unwrap_or_default(),
        secrets: secrets.into_iter().flatten().map(secret).collect(),
        configs: configs.into_iter().flatten().map(config).collect(),
        health_check: health_check.and_then(check),
        constraints: placement.constraints.unwrap_or_default(),
        preferences: placement.preferences.unwrap_or_default(),
        stop_grace_period: grace,
        user,
        networks: further(networks.unwrap_or_default(), network),
        model,
    };
    match text_length(&agent) {
        length if length > TEXT_MAX => Err(vec![too_large(length, at)]),
        _ => Ok(agent),
    }
}

/// How many bytes of text the agent's service holds.
fn text_length(agent: &DesiredAgent) -> usize {
    let DesiredAgent {
        command,
        args,
        env,
        mounts,
        secrets,
        configs,
        constraints,
        preferences,
        health_check,
        image,
        user,
        networks,
        capabilities,
        sysctls,
        ports: _,
        limits: _,
        reservations: _,
        stop_grace_period: _,
        model: _,
    } = agent;
    let variables = env.iter().chain(sysctls).flat_map(|(name, value)| [name, value]);
    let files = secrets
        .iter()
        .chain(configs)
        .flat_map(|file| [&file.name, &file.path]);
    let mounts = mounts
        .iter()
        .flat_map(|mount| [Some(&mount.target), mount.source.as_ref()]);
    let lists = [command, args, capabilities, constraints, preferences, networks];
    let check = health_check.iter().flat_map(|check| &check.command);
    let others = [image]
        .into_iter()
        .chain(user)
        .chain(check)
        .chain(mounts.flatten());
    let texts = variables
        .chain(files)
        .chain(lists.into_iter().flatten())
        .chain(others);
    texts.map(String::len).sum()
}

fn too_large(length: usize, at: &str) -> Cause {
    let message = format!(
        "makes an agent with {} KiB of text in its environment, arguments and paths; the Swarm takes {} KiB: move what \
         is large into configs",
        length.div_ceil(1024),
        TEXT_MAX >> 10
    );
    Cause::new(at, CauseReason::TooLong, message)
}

/// The upper bounds of a merged block. One that is not whole says only what it says itself: its template may set the
/// rest.
pub(super) fn limits(resources: &Resources, is_whole: bool) -> Result<Amount, QuantityError> {
    if is_whole {
        return amounts(resources).map(|(limits, _)| limits);
    }
    let Resources { limits, requests } = resources;
    let said =
        |measure: Measure, limit, request| pair(measure, (limit, request), (0, 0)).map(|(limit, _)| limit);
    Ok(Amount {
        nano_cpus: said(Measure::Cpu, &limits.cpu, &requests.cpu)?,
        memory_bytes: said(Measure::Memory, &limits.memory, &requests.memory)?,
    })
}

/// Limits and reservations.
fn amounts(resources: &Resources) -> Result<(Amount, Amount), QuantityError> {
    let Resources { limits, requests } = resources;
    let cpu = pair(
        Measure::Cpu,
        (&limits.cpu, &requests.cpu),
        (DEFAULT_LIMITS.nano_cpus, DEFAULT_RESERVATIONS.nano_cpus),
    )?;
    let memory = pair(
        Measure::Memory,
        (&limits.memory, &requests.memory),
        (DEFAULT_LIMITS.memory_bytes, DEFAULT_RESERVATIONS.memory_bytes),
    )?;
    let amount = |nano_cpus, memory_bytes| Amount {
        nano_cpus,
        memory_bytes,
    };
    Ok((amount(cpu.0, memory.0), amount(cpu.1, memory.1)))
}

/// Limit and request of one resource. A default limit gives way to a larger request, a default request to a
/// lower limit.
fn pair(
    measure: Measure,
    (limit, request): (&Option<Quantity>, &Option<Quantity>),
    (default_limit, default_request): (i64, i64),
) -> Result<(i64, i64), QuantityError> {
    let read = |quantity: &Option<Quantity>| {
        quantity
            .as_ref()
            .map(|quantity| measure.parse(&quantity.0))
            .transpose()
    };
    let (limit, request) = (read(limit)?, read(request)?);
    let limit = limit.unwrap_or_else(|| default_limit.max(request.unwrap_or_default()));
    Ok((limit, request.unwrap_or_else(|| default_request.min(limit))))
}

fn secret(secret: SecretFile) -> DesiredFile {
    DesiredFile {
        path: secret.file().to_owned(),
        name: secret.name,
        data: None,
    }
}

fn config(config: ConfigFile) -> DesiredFile {
    DesiredFile {
        path: config.container_path(),
        name: config.name,
        data: Some(config.data),
    }
}

fn check(check: HealthCheck) -> Option<DesiredHealthCheck> {
    let HealthCheck {
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = check;
    let plain = |duration: Option<Duration>| duration.unwrap_or_default().0;
    Some(DesiredHealthCheck {
        command: command?,
        interval: plain(interval),
        timeout: plain(timeout),
        start_period: plain(start_period),
        retries: retries.unwrap_or_default(),
    })
}

/// The networks beside the workload's own, each once.
fn further(networks: Vec<String>, own: &str) -> Vec<String> {
    let mut seen = BTreeSet::from([own.to_owned()]);
    networks
        .into_iter()
        .filter(|network| seen.insert(network.clone()))
        .collect()
}
