//! What schemas cannot say of an agent block.

use std::time::Duration;

use super::super::lower::RESERVED_ENV;
use super::super::quantity::Measure;
use super::cause::CauseReason;
use super::syntax;
use super::view::{Causes, Node};

/// The engine takes only configs of less than 1,000 KiB.
const CONFIG_MAX: usize = 1000 * 1024 - 1;
/// Below a thousandth of a core, Swarm refuses a service.
const CPU_LEAST: i64 = 1_000_000;
/// Below 4 MiB, Swarm refuses a service.
const MEMORY_LEAST: i64 = 4 << 20;
/// Below 6 MiB as a limit, the engine refuses the container.
const MEMORY_LIMIT_LEAST: i64 = 6 << 20;
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Checks one agent block by itself: a template, a spec's defaults, or a role's `agent`.
pub(super) fn check(block: &Node<'_>, causes: &mut Causes) {
    causes.text(&block.field("image"), syntax::image);
    causes.texts(&block.field("capabilities"), syntax::listed);
    causes.texts(&block.field("expertise"), syntax::listed);
    causes.text(&block.field("model"), syntax::line);
    causes.text(&block.field("systemPrompt"), syntax::variable);
    causes.text(&block.field("user"), syntax::user);
    causes.texts(&block.field("placement").field("constraints"), syntax::constraint);
    causes.texts(&block.field("placement").field("preferences"), syntax::preference);
    causes.duration(&block.field("stopGracePeriod"), Duration::ZERO, HOUR);
    env(&block.field("env"), causes);
    resources(&block.field("resources"), causes);
    mounts(&block.field("mounts"), causes);
    files(block, causes);
    health_check(&block.field("healthCheck"), causes);
    networks(&block.field("networks"), causes);
    host(&block.field("host"), causes);
}

fn host(host: &Node<'_>, causes: &mut Causes) {
    causes.texts(&host.field("capabilities"), syntax::capability);
    for sysctl in host.field("sysctls").items() {
        causes.text(&sysctl.field("name"), syntax::sysctl);
        causes.text(&sysctl.field("value"), syntax::line);
    }
}

fn env(list: &Node<'_>, causes: &mut Causes) {
    for variable in list.items() {
        let name = variable.field("name");
        causes.text(&name, syntax::env_name);
        causes.text(&variable.field("value"), syntax::variable);
        if let Some(text) = name.text().filter(|text| RESERVED_ENV.contains(text)) {
            let message = format!("{text} is set by the operator for every agent; choose another name");
            causes.add(&name, CauseReason::Forbidden, message);
        }
    }
}

fn resources(resources: &Node<'_>, causes: &mut Causes) {
    for (name, measure) in [("cpu", Measure::Cpu), ("memory", Measure::Memory)] {
        let (limits, requests) = (resources.field("limits"), resources.field("requests"));
        let limit = amount(&limits.field(name), measure, true, causes);
        let request = amount(&requests.field(name), measure, false, causes);
        if let (Some((limit, bound)), Some((request, text))) = (limit, request)
            && request > limit
        {
            let message = format!("must not be above the limit of \"{bound}\", got \"{text}\"");
            causes.add(&requests.field(name), CauseReason::Invalid, message);
        }
    }
}

/// An amount in engine units and as it is written; `None` when there is none that is right.
fn amount(node: &Node<'_>, measure: Measure, is_limit: bool, causes: &mut Causes) -> Option<(i64, String)> {
    let text = match node.value? {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let amount = match measure.parse(&text) {
        Ok(amount) => amount,
        Err(error) => {
            causes.add(node, CauseReason::Invalid, error.to_string());
            return None;
        }
    };
    let (least, words) = match (measure, is_limit) {
        (Measure::Cpu, _) => (CPU_LEAST, "1m"),
        (Measure::Memory, true) => (MEMORY_LIMIT_LEAST, "6Mi"),
        (Measure::Memory, false) => (MEMORY_LEAST, "4Mi"),
    };
    if amount < least && (is_limit || amount > 0) {
        let message = format!("must be at least {words}, the least that the engine takes, got \"{text}\"");
        causes.add(node, CauseReason::Invalid, message);
        return None;
    }
    Some((amount, text))
}

fn mounts(list: &Node<'_>, causes: &mut Causes) {
    for mount in list.items() {
        causes.text(&mount.field("target"), syntax::absolute_path);
        let source = mount.field("source");
        match (mount.field("type").text().unwrap_or("volume"), source.exists()) {
            ("volume", false) => {
                let message = "is required: the name of the volume, like \"agent-cache\"";
                causes.add(&source, CauseReason::Required, message);
            }
            ("volume", true) => causes.text(&source, syntax::volume),
            ("bind", false) => {
                let message = "is required: the node's path, like \"/srv/models\"";
                causes.add(&source, CauseReason::Required, message);
            }
            ("bind", true) => causes.text(&source, syntax::absolute_path),
            ("tmpfs", true) => {
                let message = "must not be set for a tmpfs, which comes from nowhere";
                causes.add(&source, CauseReason::Forbidden, message);
            }
            _ => {}
        }
    }
}

fn files(block: &Node<'_>, causes: &mut Causes) {
    for secret in block.field("secrets").items() {
        causes.text(&secret.field("name"), syntax::file_name);
        causes.text(&secret.field("path"), syntax::secret_path);
    }
    for config in block.field("configs").items() {
        causes.text(&config.field("name"), syntax::file_name);
        causes.text(&config.field("path"), syntax::absolute_path);
        let data = config.field("data");
        if let Some(length) = data.text().map(str::len).filter(|length| *length > CONFIG_MAX) {
            let message = format!("must be less than 1,000 KiB, got {} KiB", length.div_ceil(1024));
            causes.add(&data, CauseReason::TooLong, message);
        }
        if data.text() == Some("") {
            let message =
                "must not be empty: the engine takes no config without content; take the config out";
            causes.add(&data, CauseReason::Invalid, message);
        }
    }
}

fn health_check(check: &Node<'_>, causes: &mut Causes) {
    causes.duration(&check.field("interval"), MILLISECOND, DAY);
    causes.duration(&check.field("timeout"), MILLISECOND, DAY);
    causes.duration(&check.field("startPeriod"), Duration::ZERO, DAY);
}

fn networks(list: &Node<'_>, causes: &mut Causes) {
    causes.texts(list, syntax::network);
    let names: Vec<Option<&str>> = list.items().map(|item| item.text()).collect();
    for (index, item) in list.items().enumerate() {
        if item.text().is_some() && names[..index].contains(&item.text()) {
            causes.add(&item, CauseReason::Duplicate, "is in the list already");
        }
    }
}
