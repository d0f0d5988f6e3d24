//! What is not sent to the engine, whatever a plan says. The API's admission says the same earlier and better.

use crate::plan::Action;
use crate::plan::service::{ContainerSpec, MountSpec, ServiceSpec};
use crate::resource::names::ENGINE_NETWORKS;
use crate::resource::policy::{Asked, AskedPath, Rules, Usage};
use crate::resource::validate::Cause;

/// Whether an action may be sent by the rules of its owner's namespace; if not, why.
pub(super) fn allows(action: &Action, rules: &Rules) -> Result<(), String> {
    match action {
        Action::CreateService { spec } => allows_service(spec, rules),
        Action::UpdateService { id, spec, .. } => is_id(id).and_then(|()| allows_service(spec, rules)),
        Action::ReleaseService { id, .. }
        | Action::RemoveService { id, .. }
        | Action::RemoveNetwork { id, .. }
        | Action::RemoveSecret { id, .. }
        | Action::RemoveConfig { id, .. } => is_id(id),
        Action::CreateNetwork { .. } | Action::CreateSecret { .. } | Action::CreateConfig { .. } => Ok(()),
    }
}

fn allows_service(spec: &ServiceSpec, rules: &Rules) -> Result<(), String> {
    for MountSpec {
        mount_type,
        source,
        target,
        read_only: _,
    } in &spec.container.mounts
    {
        let is_known = match mount_type.as_str() {
            // To the engine, `{{` begins a template, and a name that it expands is another one.
            "volume" => !source.contains('/') && !source.contains("{{"),
            "tmpfs" => source.is_empty(),
            "bind" => true,
            _ => false,
        };
        if !is_known {
            return Err(format!(
                "{target} mounts {source} as {mount_type}, which no agent may"
            ));
        }
    }
    let reserved = |name: &&String| ENGINE_NETWORKS.contains(&name.as_str());
    if let Some(name) = spec.networks.iter().find(reserved) {
        return Err(format!(
            "the network {name} is the engine's own; use an overlay network"
        ));
    }
    none(rules.judge(&asked(spec), ""), |cause| cause.to_string())
}

/// Whether quotas leave room for what a namespace would use after an action; if not, why.
pub(super) fn has_room(rules: &Rules, before: &Usage, after: &Usage) -> Result<(), String> {
    none(rules.over_quota(before, after), |cause| cause.message)
}

fn none(refused: Vec<Cause>, told: fn(Cause) -> String) -> Result<(), String> {
    match refused.is_empty() {
        true => Ok(()),
        false => Err(refused.into_iter().map(told).collect::<Vec<_>>().join("; ")),
    }
}

/// What a service asks for. Its secrets are its own namespace's by their folder.
fn asked(spec: &ServiceSpec) -> Asked<'_> {
    // Each field by name, so that a new one is thought of here.
    let ServiceSpec {
        container,
        constraints,
        networks,
        ports,
        name: _,
        labels: _,
        replicas: _,
        limits: _,
        reservations: _,
        preferences: _,
        restart: _,
        update: _,
        dnsrr: _,
    } = spec;
    let ContainerSpec {
        image,
        user,
        mounts,
        capabilities,
        sysctls,
        command: _,
        args: _,
        env: _,
        secrets: _,
        configs: _,
        health_check: _,
        stop_grace_period: _,
        read_only: _,
        init: _,
    } = container;
    let of_type = |wanted: &'static str| mounts.iter().filter(move |mount| mount.mount_type == wanted);
    Asked {
        image: Some(image),
        user: Some(user.as_str()).filter(|user| !user.is_empty()),
        paths: of_type("bind")
            .map(|mount| AskedPath {
                source: &mount.source,
                read_only: mount.read_only,
            })
            .collect(),
        capabilities: capabilities.iter().map(String::as_str).collect(),
        sysctls: sysctls.keys().map(String::as_str).collect(),
        ports: ports.iter().map(|port| port.port).collect(),
        networks: networks.iter().map(String::as_str).collect(),
        secrets: Vec::new(),
        volumes: of_type("volume").map(|mount| mount.source.as_str()).collect(),
        constraints: constraints.iter().map(String::as_str).collect(),
        is_whole: true,
    }
}

/// Ids become parts of paths: the engine takes `../x` for another path, bollard `x?` for another request.
fn is_id(id: &str) -> Result<(), String> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain {
        Ok(())
    } else {
        Err(format!("{id:?} is no engine id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_word() {
        for (id, expect) in [
            ("z4xw6hl49g9868190sbdjx23t", true),
            ("", false),
            ("../x", false),
            ("x?force=1", false),
        ] {
            let remove = Action::RemoveSecret {
                id: id.to_owned(),
                name: "s".to_owned(),
                users: Default::default(),
            };
            assert_eq!(allows(&remove, &Rules::default()).is_ok(), expect, "{id:?}");
        }
    }
}
