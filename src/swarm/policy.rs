//! What is never sent to the engine, whatever a plan says. The API's admission says the same earlier and better.

use crate::plan::Action;
use crate::plan::service::ServiceSpec;

/// Networks of the engine itself: `host` is the node's own.
const RESERVED_NETWORKS: [&str; 4] = ["host", "bridge", "none", "ingress"];

/// Whether an action may be sent; if not, why.
pub(super) fn allows(action: &Action) -> Result<(), String> {
    match action {
        Action::CreateService { spec } => allows_service(spec),
        Action::UpdateService { id, spec, .. } => is_id(id).and_then(|()| allows_service(spec)),
        Action::ReleaseService { id, .. }
        | Action::RemoveService { id, .. }
        | Action::RemoveNetwork { id, .. }
        | Action::RemoveSecret { id, .. }
        | Action::RemoveConfig { id, .. } => is_id(id),
        Action::CreateNetwork { .. } | Action::CreateSecret { .. } | Action::CreateConfig { .. } => Ok(()),
    }
}

fn allows_service(spec: &ServiceSpec) -> Result<(), String> {
    for mount in &spec.container.mounts {
        if !matches!(mount.mount_type.as_str(), "volume" | "tmpfs") || mount.source.contains('/') {
            return Err(format!(
                "{} mounts what is the host's; agents have named volumes and tmpfs alone",
                mount.target
            ));
        }
    }
    match spec
        .networks
        .iter()
        .find(|name| RESERVED_NETWORKS.contains(&name.as_str()))
    {
        Some(name) => Err(format!(
            "the network {name} is the engine's own; use an overlay network"
        )),
        None => Ok(()),
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
            assert_eq!(allows(&remove).is_ok(), expect, "{id:?}");
        }
    }
}
