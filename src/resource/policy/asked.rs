//! What an agent asks for, as far as Policies speak of it.

use std::collections::BTreeSet;

use crate::resource::agent_spec::{AgentSpec, HostAccess, Mount, MountType};

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
    /// Volumes of its node that it mounts, by name.
    pub volumes: Vec<&'a str>,
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
        // Each field by name, so that a new one is thought of here.
        let AgentSpec {
            image,
            command: _,
            args: _,
            env: _,
            capabilities: _,
            expertise: _,
            model: _,
            system_prompt: _,
            resources: _,
            mounts,
            secrets,
            configs: _,
            health_check: _,
            placement,
            stop_grace_period: _,
            user,
            networks,
            host,
        } = agent;
        let (capabilities, sysctls, ports) = match host {
            None => (&None, &None, &None),
            Some(HostAccess {
                capabilities,
                sysctls,
                ports,
            }) => (capabilities, sysctls, ports),
        };
        let (mut paths, mut volumes) = (Vec::new(), Vec::new());
        for mount in mounts.iter().flatten() {
            let Mount {
                target: _,
                mount_type,
                source,
                read_only,
            } = mount;
            let source = source.as_deref().unwrap_or_default();
            match mount_type {
                MountType::Bind => paths.push(AskedPath {
                    source,
                    read_only: *read_only,
                }),
                MountType::Volume => volumes.push(source),
                MountType::Tmpfs => {}
            }
        }
        let constraints = placement.iter().flat_map(|placement| &placement.constraints);
        Self {
            image: image.as_deref(),
            user: user.as_deref(),
            paths,
            capabilities: texts(capabilities.as_deref()),
            sysctls: sysctls
                .iter()
                .flatten()
                .map(|sysctl| sysctl.name.as_str())
                .collect(),
            // One port may be taken by several protocols.
            ports: BTreeSet::from_iter(ports.iter().flatten().map(|port| port.port))
                .into_iter()
                .collect(),
            networks: texts(networks.as_deref()),
            secrets: secrets
                .iter()
                .flatten()
                .map(|secret| secret.name.as_str())
                .collect(),
            volumes,
            constraints: constraints.flatten().map(String::as_str).collect(),
            is_whole: false,
        }
    }
}

fn texts(list: Option<&[String]>) -> Vec<&str> {
    list.unwrap_or_default().iter().map(String::as_str).collect()
}
