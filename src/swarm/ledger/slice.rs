//! What of all that is known one owner gets to see.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Shelf, Used, addresses};
use crate::plan::Observed;
use crate::plan::observed::{Attached, Blob, Network, Service};
use crate::resource::labels::is_ours;
use crate::resource::object::Key;
use crate::swarm::decode::SeenBlob;
use crate::swarm::want::Want;

impl Ledger {
    /// One owner's slice, without images and secret sources, which are not of the Swarm.
    pub(in crate::swarm) fn slice(&self, want: &Want<'_>) -> Observed {
        let (own, leftover_tasks) = self.owned(want.owner);
        let mut services: BTreeMap<String, Service> = own
            .into_iter()
            .map(|service| (service.spec.name.clone(), service))
            .collect();
        for name in &want.service_names {
            if !services.contains_key(name) {
                services.extend(
                    self.foreign(want.owner, name)
                        .map(|service| (name.clone(), service)),
                );
            }
        }
        Observed {
            services,
            leftover_tasks,
            nodes: self.nodes_by_id(),
            networks: self.networks_for(want),
            secrets: self.blobs_for(want.owner, &self.secrets, Used::Secret),
            configs: self.blobs_for(want.owner, &self.configs, Used::Config),
            ..Observed::default()
        }
    }

    /// The networks that it names, and those made for it.
    ///
    /// One of ours that the managers gave no addresses does not exist here: making it again is what helps.
    fn networks_for(&self, want: &Want<'_>) -> BTreeMap<String, Network> {
        let named = want.networks.iter().flat_map(|name| self.networks.named(name));
        let shown: BTreeSet<&String> = named.chain(self.networks.made_for(want.owner)).collect();
        let mut networks = BTreeMap::new();
        for seen in shown.into_iter().filter_map(|id| self.networks.get(id)) {
            // A Swarm's network hides a local one of the same name, as it does for the engine.
            let is_hidden = !seen.swarm && networks.contains_key(&seen.name);
            let is_there = seen.allocated || !is_ours(&seen.network.labels, &self.instance);
            if !is_hidden && is_there {
                let in_use = self.attached(want, &seen.network.id);
                networks.insert(
                    seen.name.clone(),
                    Network {
                        in_use,
                        ..seen.network.clone()
                    },
                );
            }
        }
        networks
    }

    /// Who is on a network, as one owner sees it.
    fn attached(&self, want: &Want<'_>, network: &str) -> Attached {
        let Some(users) = self.users.get(&Used::Network(network.to_owned())) else {
            return Attached::default();
        };
        let own = self.by_owner.get(want.owner).into_iter().flatten();
        let wanted = want
            .service_names
            .iter()
            .filter_map(|name| self.by_name.get(name));
        let own: BTreeMap<String, u64> = own
            .chain(wanted)
            .filter(|id| users.contains(*id))
            .filter_map(|id| {
                let service = &self.services.get(id)?.seen.service;
                Some((service.spec.name.clone(), addresses(service)))
            })
            .collect();
        let all = self.addresses.get(network).copied().unwrap_or_default();
        Attached {
            others: all.saturating_sub(own.values().sum()),
            own: own.into_keys().collect(),
        }
    }

    /// Those that were made for an owner.
    fn blobs_for(
        &self,
        owner: &Key,
        blobs: &Shelf<SeenBlob>,
        used: impl Fn(String) -> Used,
    ) -> BTreeMap<String, Blob> {
        let shown = blobs.made_for(owner);
        let shown = shown.filter_map(|id| blobs.get(id)).map(|seen| {
            let in_use = self.users(&used(seen.name.clone()));
            (
                seen.name.clone(),
                Blob {
                    in_use,
                    ..seen.blob.clone()
                },
            )
        });
        shown.collect()
    }
}
