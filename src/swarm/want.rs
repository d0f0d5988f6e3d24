//! What one owner needs to know of the Swarm.

use std::collections::BTreeSet;

use crate::resource::Key;
use crate::resource::names::{self, NATS_URL_SECRET};
use crate::resource::workload::Workload;

/// What one owner needs to know.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    /// The owner: its services are found by their labels, whatever uid they carry.
    pub owner: &'a Key,
    /// Service names that its slots want: a service of somebody else that has one is reported too.
    pub service_names: BTreeSet<String>,
    /// Networks that it names.
    pub networks: BTreeSet<String>,
    /// Secrets that it names, as the spec names them, and the operator's own if its agents read it.
    pub secrets: BTreeSet<String>,
    /// Images that it names, as the spec names them.
    pub images: BTreeSet<String>,
    /// Whether its tasks must be known: they are read if they never were, or if anything hints that they changed.
    pub tasks: bool,
    /// Whether that means tasks of services that are gone, too: they are found among all tasks of the Swarm alone.
    pub leftovers: bool,
}

impl<'a> Want<'a> {
    /// Everything that carries the owner's labels, with its tasks, and nothing else.
    pub fn own(owner: &'a Key) -> Self {
        Self {
            owner,
            service_names: BTreeSet::new(),
            networks: BTreeSet::new(),
            secrets: BTreeSet::new(),
            images: BTreeSet::new(),
            tasks: true,
            leftovers: true,
        }
    }

    /// Whether it names secrets whose content may change while the operator runs: those in files.
    pub fn has_secret_files(&self) -> bool {
        self.secrets.iter().any(|name| name != NATS_URL_SECRET)
    }

    /// Everything that carries the labels of the workload's owner, and everything that the workload names. What its
    /// former services left behind is not among it.
    pub fn of(workload: &'a Workload) -> Self {
        let owner = &workload.owner.key;
        let mut want = Self {
            leftovers: false,
            ..Self::own(owner)
        };
        want.networks.insert(workload.network.clone());
        for role in &workload.roles {
            let slots = 1..=role.replicas;
            want.service_names
                .extend(slots.map(|slot| names::service_name(owner, &role.name, slot)));
        }
        for agent in workload.agents() {
            want.networks.extend(agent.networks.iter().cloned());
            want.secrets
                .extend(agent.secrets.iter().map(|secret| secret.name.clone()));
            want.images.insert(agent.image.clone());
        }
        want
    }
}
