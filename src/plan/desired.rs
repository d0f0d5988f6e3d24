//! What the service of one slot is to be.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::resource::agent_spec::{HostPort, Mount, MountType, Protocol};
use crate::resource::env;
use crate::resource::labels;
use crate::resource::names::{self, label};
use crate::resource::workload::{DesiredAgent, DesiredFile, DesiredRole, Owner, Workload};

use super::action::SecretSource;
use super::image::Images;
use super::observed::Observed;
use super::service::{ContainerSpec, FileRef, MountSpec, PortSpec, RestartPolicy, ServiceSpec, UpdatePolicy};

/// Every ended container is started again, after 2 s and without end. A pause as short as this brings a
/// hiccup back fast, and one as long as this keeps a crash loop from eating a node. There is no bound on
/// attempts: the engine would give up in silence, where WHOOSH tells of the crash loop from the tasks that
/// the engine keeps (five a slot) and has it recover by itself when the cause goes. The window only counts
/// with such a bound.
const RESTART: RestartPolicy = RestartPolicy {
    always: true,
    delay: Duration::from_secs(2),
    max_attempts: 0,
    window: Duration::ZERO,
};

/// The old agent stops before the new one starts, so that a slot is never two agents. A failed update pauses:
/// a rollback by the engine would bring back what nobody declares.
const UPDATE: UpdatePolicy = UpdatePolicy {
    stop_first: true,
    pause_on_failure: true,
    parallelism: 1,
};

/// One agent of a workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub(super) owner: &'a Owner,
    pub(super) role: &'a DesiredRole,
    /// From 1.
    pub(super) number: u32,
}

/// All declared agents, in the spec's order.
pub(super) fn slots(workload: &Workload) -> impl Iterator<Item = Slot<'_>> {
    let owner = &workload.owner;
    workload
        .roles
        .iter()
        .flat_map(move |role| (1..=role.replicas).map(move |number| Slot { owner, role, number }))
}

impl Slot<'_> {
    /// `reviewer.2`: how messages about its owner name it.
    pub(super) fn agent(&self) -> String {
        format!("{}.{}", self.role.name, self.number)
    }

    /// The name of its service.
    pub(super) fn service(&self) -> String {
        names::service_name(&self.owner.key, &self.role.name, self.number)
    }
}

/// The secrets of an agent that the operator's secrets folder does not provide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MissingSecrets {
    /// The names of those that are not there.
    pub(super) absent: Vec<String>,
    /// Why those that are there cannot be used.
    pub(super) unreadable: Vec<String>,
}

/// A secret or config that a service refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Secret {
        /// Its Swarm name.
        name: String,
        /// Where its content is.
        source: SecretSource,
    },
    Config {
        /// Its Swarm name.
        name: String,
        /// Its content.
        data: String,
    },
}

/// What every slot of a workload is computed from.
pub(super) struct Desired<'a> {
    workload: &'a Workload,
    observed: &'a Observed,
    instance: &'a str,
    images: Images<'a>,
}

impl<'a> Desired<'a> {
    pub(super) fn new(workload: &'a Workload, observed: &'a Observed, instance: &'a str) -> Self {
        Self {
            workload,
            observed,
            instance,
            images: Images::new(&workload.owner, observed, instance),
        }
    }

    /// The service that runs `agent` in `slot`.
    pub(super) fn service(
        &self,
        slot: Slot<'_>,
        agent: &DesiredAgent,
    ) -> Result<ServiceSpec, MissingSecrets> {
        let DesiredAgent {
            image,
            command,
            args,
            env,
            limits,
            reservations,
            mounts,
            capabilities,
            sysctls,
            ports,
            secrets,
            configs,
            health_check,
            constraints,
            preferences,
            stop_grace_period,
            user,
            networks,
            model: _,
        } = agent;
        let name = slot.service();
        let mut env: BTreeMap<_, _> = env
            .iter()
            .map(|(name, value)| (name.clone(), literal(value)))
            .collect();
        env.extend(identity(slot));
        let mut mounts: Vec<_> = mounts.iter().map(mount).collect();
        mounts.sort();
        let container = ContainerSpec {
            image: self.images.choose(image, &name),
            command: command.clone(),
            args: args.clone(),
            env,
            user: user.clone().unwrap_or_default(),
            mounts,
            capabilities: capabilities.iter().cloned().collect(),
            sysctls: sysctls.clone(),
            secrets: self.secret_files(secrets)?,
            configs: self.config_files(configs),
            health_check: health_check.clone(),
            stop_grace_period: *stop_grace_period,
            read_only: true,
            init: None,
        };
        let mut spec = ServiceSpec {
            name,
            labels: BTreeMap::new(),
            replicas: 1,
            container,
            limits: *limits,
            reservations: *reservations,
            constraints: constraints.clone(),
            preferences: preferences.clone(),
            networks: [&self.workload.network]
                .into_iter()
                .chain(networks)
                .cloned()
                .collect(),
            restart: RESTART,
            update: UPDATE,
            dnsrr: true,
            ports: ports.iter().map(port).collect(),
        };
        spec.labels = labels(slot, image, &hash(&spec), self.instance);
        Ok(spec)
    }

    /// The secrets and configs that a service of `agent` refers to; those whose source is missing are left out.
    pub(super) fn needs(&self, agent: &DesiredAgent) -> Vec<Need> {
        let DesiredAgent { secrets, configs, .. } = agent;
        let secret = |file: &DesiredFile| {
            let fingerprint = self.observed.secret_sources.get(&file.name)?;
            Some(Need::Secret {
                name: self.blob_name(&file.name, fingerprint),
                source: SecretSource {
                    namespace: self.workload.owner.key.namespace.clone(),
                    name: file.name.clone(),
                    fingerprint: fingerprint.clone(),
                },
            })
        };
        let config = |file: &DesiredFile| {
            let data = file.data.clone().unwrap_or_default();
            Need::Config {
                name: self.blob_name(&file.name, &data),
                data,
            }
        };
        let secrets = secrets.iter().filter_map(secret);
        secrets.chain(configs.iter().map(config)).collect()
    }

    fn secret_files(&self, secrets: &[DesiredFile]) -> Result<Vec<FileRef>, MissingSecrets> {
        let (mut files, mut missing) = (Vec::new(), MissingSecrets::default());
        for DesiredFile { name, path, data: _ } in secrets {
            match self.observed.secret_sources.get(name) {
                Some(fingerprint) => files.push(self.file(name, fingerprint, path)),
                None => match self.observed.unreadable_secrets.get(name) {
                    Some(why) => missing.unreadable.push(why.clone()),
                    None => missing.absent.push(name.clone()),
                },
            }
        }
        files.sort();
        if missing == MissingSecrets::default() {
            Ok(files)
        } else {
            Err(missing)
        }
    }

    fn config_files(&self, configs: &[DesiredFile]) -> Vec<FileRef> {
        let mut files: Vec<_> = configs
            .iter()
            .map(|DesiredFile { name, path, data }| {
                self.file(name, data.as_deref().unwrap_or_default(), path)
            })
            .collect();
        files.sort();
        files
    }

    fn file(&self, name: &str, content: &str, path: &str) -> FileRef {
        FileRef {
            source: self.blob_name(name, content),
            path: path.to_owned(),
        }
    }

    /// The Swarm name of a config, or of a secret by a fingerprint of its content. Each owner has its own, so
    /// that it is never in doubt who removes it.
    fn blob_name(&self, name: &str, content: &str) -> String {
        let owner = &self.workload.owner.key;
        let salted = format!("{}\0{owner}\0{content}", self.instance);
        names::blob_name(&owner.namespace, name, salted.as_bytes())
    }
}

fn labels(slot: Slot<'_>, image: &str, hash: &str, instance: &str) -> BTreeMap<String, String> {
    let Slot { owner, role, number } = slot;
    let mut labels = labels::of_owner(owner, instance);
    let own = [
        (label::ROLE, role.name.clone()),
        (label::SLOT, number.to_string()),
        (label::GENERATION, owner.generation.to_string()),
        (label::SPEC_HASH, hash.to_owned()),
        (label::IMAGE, image.to_owned()),
        (label::STACK, names::stack_name(&owner.key)),
    ];
    labels.extend(own.map(|(name, value)| (name.to_owned(), value)));
    labels
}

/// Tells an edit of the spec from a change by somebody else. It may differ between two builds of WHOOSH; then
/// a repaired drift is told as an update, and nothing worse.
fn hash(unlabelled: &ServiceSpec) -> String {
    let hash = names::hex(&Sha256::digest(format!("{unlabelled:?}")));
    hash[..16].to_owned()
}

/// A value that the engine, to which every variable is a Go template, expands to `value`.
fn literal(value: &str) -> String {
    value.replace("{{", r#"{{"{{"}}"#)
}

fn identity(slot: Slot<'_>) -> impl Iterator<Item = (String, String)> {
    let Slot { owner, role, number } = slot;
    [
        (env::AGENT_ID, slot.service()),
        (env::AGENT_NAME, names::agent_name(&owner.key, &role.name, number)),
        (env::SLOT, number.to_string()),
        (env::OWNER_UID, owner.uid.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
}

fn mount(mount: &Mount) -> MountSpec {
    let Mount {
        target,
        mount_type,
        source,
        read_only,
    } = mount;
    MountSpec {
        target: target.clone(),
        mount_type: match mount_type {
            MountType::Volume => "volume",
            MountType::Tmpfs => "tmpfs",
            MountType::Bind => "bind",
        }
        .to_owned(),
        source: source.clone().unwrap_or_default(),
        read_only: *read_only,
    }
}

fn port(port: &HostPort) -> PortSpec {
    let HostPort {
        port,
        target,
        protocol,
    } = *port;
    PortSpec {
        port,
        target: target.unwrap_or(port),
        protocol: match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
        .to_owned(),
        of_node: true,
    }
}
