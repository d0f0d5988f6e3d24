//! What an agent asks for, as far as Policies speak of it.

use crate::resource::agent_spec::{AgentSpec, MountType};

/// What an agent asks for, as far as Policies speak of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its image.
    pub image: Option<&'a str>,
    /// The user that it runs as.
    pub user: Option<&'a str>,
    /// Paths of its node that it mounts.
    pub paths: Vec<AskedPath<'a>>,
    /// Capabilities that it adds, with or without `CAP_`.
    pub capabilities: Vec<&'a str>,
    /// Kernel parameters that it sets, by name.
    pub sysctls: Vec<&'a str>,
    /// Ports of its node that it takes.
    pub ports: Vec<u32>,
    /// Networks that it joins.
    pub networks: Vec<&'a str>,
    /// Secrets that it reads, as the spec names them.
    pub secrets: Vec<&'a str>,
    /// Where it may run.
    pub constraints: Vec<&'a str>,
    /// Whether this is all of it; what a template leaves open is not missed.
    pub is_whole: bool,
}

/// A path of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedPath<'a> {
    /// The path.
    pub source: &'a str,
    /// Whether it is only read.
    pub read_only: bool,
}

impl<'a> Asked<'a> {
    /// What a block asks for by itself.
    pub fn of(agent: &'a AgentSpec) -> Self {
        let AgentSpec {
            image,
            user,
            mounts,
            secrets,
            placement,
            networks,
            host,
            ..
        } = agent;
        let host = host.as_ref();
        let binds = mounts.iter().flatten();
        let binds = binds.filter(|mount| mount.mount_type == MountType::Bind);
        let constraints = placement.iter().flat_map(|placement| &placement.constraints);
        Self {
            image: image.as_deref(),
            user: user.as_deref(),
            paths: binds
                .map(|mount| AskedPath {
                    source: mount.source.as_deref().unwrap_or_default(),
                    read_only: mount.read_only,
                })
                .collect(),
            capabilities: texts(host.and_then(|host| host.capabilities.as_deref())),
            sysctls: host
                .and_then(|host| host.sysctls.as_deref())
                .unwrap_or_default()
                .iter()
                .map(|sysctl| sysctl.name.as_str())
                .collect(),
            ports: host
                .and_then(|host| host.ports.as_deref())
                .unwrap_or_default()
                .iter()
                .map(|port| port.port)
                .collect(),
            networks: texts(networks.as_deref()),
            secrets: secrets
                .iter()
                .flatten()
                .map(|secret| secret.name.as_str())
                .collect(),
            constraints: constraints.flatten().map(String::as_str).collect(),
            is_whole: false,
        }
    }
}

fn texts(list: Option<&[String]>) -> Vec<&str> {
    list.unwrap_or_default().iter().map(String::as_str).collect()
}
