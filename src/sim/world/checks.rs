//! What the managers themselves check of a service's spec, in their order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::constraint::Constraint;
use super::images::split_tag;
use super::refusal::Refusal;
use super::spec::word;

/// Checks a spec as the engine passes it on.
///
/// # Errors
/// The managers' complaint.
pub(crate) fn check(spec: &Value) -> Result<(), Refusal> {
    check_name(word(spec, "/Name"))?;
    let template = &spec["TaskTemplate"];
    check_resources(template)?;
    not_negative(template, "/RestartPolicy/Delay", "restart-delay")?;
    not_negative(template, "/RestartPolicy/Window", "restart-window")?;
    for constraint in list(template, "/Placement/Constraints") {
        Constraint::read(constraint.as_str().unwrap_or_default())?;
    }
    let container = &template["ContainerSpec"];
    check_files(container, "secret", "Secret")?;
    check_files(container, "config", "Config")?;
    check_container(container)?;
    let replicas = spec.pointer("/Mode/Replicated/Replicas").and_then(Value::as_u64);
    if replicas.is_some_and(|replicas| i64::try_from(replicas).is_err()) {
        return Err(Refusal::invalid("Number of replicas must be non-negative"));
    }
    check_update(spec)?;
    check_endpoint(spec)
}

fn list<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn number(value: &Value, path: &str) -> i64 {
    value.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}

fn not_negative(value: &Value, path: &str, name: &str) -> Result<(), Refusal> {
    if number(value, path) < 0 {
        return Err(Refusal::invalid(&format!("TaskSpec: {name} cannot be negative")));
    }
    Ok(())
}

/// Whether a service or network may have the name.
///
/// # Errors
/// The managers' complaint.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut ends = name.bytes().next().into_iter().chain(name.bytes().last());
    if name.is_empty() || !name.bytes().all(inner) || !ends.all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::invalid("name must be valid as a DNS name component"));
    }
    if name.len() > 63 {
        return Err(Refusal::invalid("name must be 63 characters or fewer"));
    }
    Ok(())
}

fn check_resources(template: &Value) -> Result<(), Refusal> {
    for place in ["Limits", "Reservations"] {
        let amount = |key: &str| number(template, &format!("/Resources/{place}/{key}"));
        let (cpus, memory) = (amount("NanoCPUs"), amount("MemoryBytes"));
        if cpus != 0 && cpus < 1_000_000 {
            let cpus = go_float(cpus);
            return Err(Refusal::invalid(&format!(
                "invalid cpu value {cpus}: Must be at least 0.001"
            )));
        }
        if memory != 0 && memory < 4 << 20 {
            return Err(Refusal::invalid(&format!(
                "invalid memory value {memory}: Must be at least 4MiB"
            )));
        }
    }
    Ok(())
}

/// What a container wants to find as files: each has a name of its own.
fn check_files(container: &Value, kind: &str, field: &str) -> Result<(), Refusal> {
    let mut targets = BTreeMap::new();
    for reference in list(container, &format!("/{field}s")) {
        let name = word(reference, &format!("/{field}Name"));
        if name.is_empty() || word(reference, &format!("/{field}ID")).is_empty() {
            return Err(Refusal::invalid(&format!("malformed {kind} reference")));
        }
        // A config that only the runtime is to have.
        if reference.get("Runtime").is_some() {
            continue;
        }
        let Some(file) = reference.get("File") else {
            return Err(Refusal::invalid(&format!(
                "malformed {kind} reference, no target provided"
            )));
        };
        let target = word(file, "/Name");
        if target.is_empty() {
            return Err(Refusal::invalid(&format!(
                "malformed file {kind} reference, invalid target file name provided"
            )));
        }
        if let Some(other) = targets.insert(target, name) {
            return Err(Refusal::invalid(&format!(
                "{kind} references '{other}' and '{name}' have a conflicting target: '{target}'"
            )));
        }
    }
    Ok(())
}

fn check_container(container: &Value) -> Result<(), Refusal> {
    let complain = |what: &str| Err(Refusal::invalid(&format!("ContainerSpec: {what}")));
    let image = word(container, "/Image");
    if image.is_empty() {
        return complain("image reference must be provided");
    }
    if !is_image(image) {
        return complain(&format!("{image:?} is not a valid repository/tag"));
    }
    let mut targets = BTreeSet::new();
    for mount in list(container, "/Mounts") {
        let target = word(mount, "/Target");
        if !targets.insert(target) {
            return complain(&format!("duplicate mount point: {target}"));
        }
    }
    for time in ["Interval", "Timeout", "StartPeriod"] {
        let nanos = number(container, &format!("/Healthcheck/{time}"));
        if nanos != 0 && nanos < 1_000_000 {
            return complain(&format!("{time} in HealthConfig cannot be less than 1ms"));
        }
    }
    if number(container, "/Healthcheck/Retries") < 0 {
        return complain("Retries in HealthConfig cannot be negative");
    }
    Ok(())
}

/// Of the two kinds of updates only the one forward is checked.
fn check_update(spec: &Value) -> Result<(), Refusal> {
    not_negative(spec, "/UpdateConfig/Delay", "update-delay")?;
    not_negative(spec, "/UpdateConfig/Monitor", "update-monitor")?;
    let ratio = spec
        .pointer("/UpdateConfig/MaxFailureRatio")
        .and_then(Value::as_f64);
    if !(0.0..=1.0).contains(&ratio.unwrap_or_default()) {
        return Err(Refusal::invalid(
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ));
    }
    Ok(())
}

fn check_endpoint(spec: &Value) -> Result<(), Refusal> {
    let complain = |what: &str| Err(Refusal::invalid(&format!("EndpointSpec: {what}")));
    let is_ingress = |port: &Value| port["PublishMode"] == "ingress";
    if word(spec, "/EndpointSpec/Mode") == "dnsrr" && list(spec, "/EndpointSpec/Ports").any(is_ingress) {
        return complain("port published with ingress mode can't be used with dnsrr mode");
    }
    let mut published = BTreeSet::new();
    for port in list(spec, "/EndpointSpec/Ports") {
        let number = number(port, "/PublishedPort");
        if number != 0 && !published.insert((number, word(port, "/Protocol"))) {
            return complain("duplicate published ports provided");
        }
    }
    Ok(())
}

fn is_image(text: &str) -> bool {
    let (path, tag) = split_tag(text);
    let tag = tag.unwrap_or("latest");
    let host_ended = path
        .split('/')
        .next()
        .is_some_and(|host| host.contains([':', '.']));
    let parts = path
        .split('/')
        .skip(usize::from(host_ended && path.contains('/')));
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let tag_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !tag.is_empty()
        && tag.bytes().all(tag_letter)
        && parts
            .into_iter()
            .all(|part| !part.is_empty() && part.bytes().all(letter))
}

/// Billionths as Go prints a float64.
fn go_float(nanos: i64) -> String {
    let text = format!("{:e}", nanos as f64 / 1e9);
    match text.split_once("e-") {
        Some((digits, exponent)) if exponent.len() == 1 && exponent >= "5" => {
            format!("{digits}e-0{exponent}")
        }
        _ => format!("{}", nanos as f64 / 1e9),
    }
}
