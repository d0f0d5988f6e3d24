//! What has to be observed for a workload.

use std::collections::BTreeSet;

use super::Want;
use crate::resource::workload::Workload;
use crate::resource::{Key, names};

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
        }
    }

    /// The same, and everything that the workload names.
    pub fn of(workload: &'a Workload) -> Self {
        let owner = &workload.owner.key;
        let mut want = Self::own(owner);
        want.networks.insert(workload.network.clone());
        for role in &workload.roles {
            let slots = 1..=role.replicas;
            want.service_names
                .extend(slots.map(|slot| names::service_name(owner, &role.name, slot)));
            want.networks.extend(role.agent.networks.iter().cloned());
            want.secrets
                .extend(role.agent.secrets.iter().map(|secret| secret.name.clone()));
            want.images.insert(role.agent.image.clone());
        }
        want
    }
}
