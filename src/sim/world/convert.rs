//! What the engine itself, before its managers, makes of parts of a service's spec: defaults, and words that it knows.

use serde_json::{Map, Value, json};

use super::model::Port;
use super::refusal::Refusal;
use super::spec::word;

/// A container's spec.
///
/// # Errors
/// The engine's complaint.
pub(super) fn container(container: &mut Map<String, Value>) -> Result<(), Refusal> {
    set_isolation(container);
    for config in items(container.get_mut("Configs")) {
        let said = (config.get("File").is_some(), config.get("Runtime").is_some());
        let complaint = match said {
            (false, false) => "invalid Config: either File or Runtime should be set",
            (true, true) => "invalid Config: cannot specify both File and Runtime",
            _ => continue,
        };
        return Err(Refusal::new(400, complaint));
    }
    items(container.get_mut("Mounts")).try_for_each(mount)
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

/// The engine's own addition to every container.
fn set_isolation(container: &mut Map<String, Value>) {
    const BEHIND: [&str; 4] = ["Sysctls", "CapabilityAdd", "CapabilityDrop", "Ulimits"];
    if container.contains_key("Isolation") {
        return;
    }
    let place = container
        .keys()
        .position(|key| BEHIND.contains(&key.as_str()))
        .unwrap_or(container.len());
    container.shift_insert(place, "Isolation".to_owned(), json!("default"));
}

fn mount(mount: &mut Value) -> Result<(), Refusal> {
    let kind = word(mount, "/Type");
    let known = known(kind, &["bind", "volume", "tmpfs", "npipe"], "bind")
        .ok_or_else(|| Refusal::new(400, format!("invalid MountType: {kind:?}")))?;
    let propagation = word(mount, "/BindOptions/Propagation");
    let spread = ["rprivate", "private", "rslave", "slave", "rshared", "shared"];
    let spread = self::known(propagation, &spread, "rprivate")
        .ok_or_else(|| Refusal::new(400, format!("invalid MountPropagation: {propagation:?}")))?;
    let Value::Object(mount) = mount else {
        return Ok(());
    };
    match mount.get_mut("BindOptions").and_then(Value::as_object_mut) {
        Some(options) if options.is_empty() => {
            mount.shift_remove("BindOptions");
        }
        Some(options) => {
            options.shift_insert(0, "Propagation".to_owned(), json!(spread));
        }
        None => {}
    }
    mount.shift_insert(0, "Type".to_owned(), json!(known));
    Ok(())
}

/// The one of the known words that is meant, in whatever case; without any, `default`.
fn known(text: &str, words: &[&'static str], default: &'static str) -> Option<&'static str> {
    if text.is_empty() {
        return Some(default);
    }
    words.iter().copied().find(|word| word.eq_ignore_ascii_case(text))
}

/// How a service is reached: its ports.
///
/// # Errors
/// The engine's complaint.
pub(super) fn endpoint(spec: &mut Value) -> Result<Vec<Port>, Refusal> {
    let Some(Value::Object(endpoint)) = spec.get_mut("EndpointSpec") else {
        return Ok(Vec::new());
    };
    match endpoint.get("Mode").and_then(Value::as_str).unwrap_or_default() {
        "vip" | "dnsrr" => {}
        "" => {
            endpoint.shift_insert(0, "Mode".to_owned(), json!("vip"));
        }
        other => return Err(Refusal::new(400, format!("invalid resolution mode: {other:?}"))),
    }
    let ports: Vec<Port> = items(endpoint.get_mut("Ports"))
        .map(|port| read_port(port))
        .collect();
    if !ports.is_empty() {
        endpoint.insert("Ports".to_owned(), json!(ports));
    }
    Ok(ports)
}

/// A port; words that the engine does not know are as if they were not there.
fn read_port(port: &Value) -> Port {
    let number = |path: &str| port.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let number = |path: &str| u32::try_from(number(path)).unwrap_or_default();
    let protocols = ["tcp", "udp", "sctp"];
    Port {
        name: word(port, "/Name").to_owned(),
        protocol: known(word(port, "/Protocol"), &protocols, "tcp").unwrap_or("tcp"),
        target: number("/TargetPort"),
        published: number("/PublishedPort"),
        mode: known(word(port, "/PublishMode"), &["ingress", "host"], "ingress").unwrap_or("ingress"),
    }
}
