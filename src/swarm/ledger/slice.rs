//! What of all that is known one owner gets to see.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Used};
use crate::plan::Observed;
use crate::plan::observed::{Blob, Network, Service};
use crate::resource::labels::is_ours;
use crate::resource::object::Key;
use crate::swarm::decode::{SeenBlob, owner};
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
            nodes: self.nodes(),
            networks: self.networks_for(want.owner, &want.networks),
            secrets: self.blobs_for(want.owner, self.secrets.iter(), Used::Secret),
            configs: self.blobs_for(want.owner, self.configs.iter(), Used::Config),
            ..Observed::default()
        }
    }

    /// The networks that it names, and those made for it.
    ///
    /// One of ours that the managers gave no addresses does not exist here: making it again is what helps.
    fn networks_for(&self, key: &Key, named: &BTreeSet<String>) -> BTreeMap<String, Network> {
        let mut networks = BTreeMap::new();
        for seen in self.networks.iter() {
            let labels = &seen.network.labels;
            let is_its_own = || owner(labels, &self.instance).as_ref() == Some(key);
            let is_shown = named.contains(&seen.name) || is_its_own();
            // A Swarm's network hides a local one of the same name, as it does for the engine.
            let is_hidden = !seen.swarm && networks.contains_key(&seen.name);
            if is_shown && !is_hidden && (seen.allocated || !is_ours(labels, &self.instance)) {
                let in_use = self.users(&Used::Network(seen.network.id.clone()));
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

    /// All but those of this installation's other owners.
    fn blobs_for<'a>(
        &self,
        key: &Key,
        blobs: impl Iterator<Item = &'a SeenBlob>,
        used: impl Fn(String) -> Used,
    ) -> BTreeMap<String, Blob> {
        let is_shown =
            |seen: &&SeenBlob| owner(&seen.blob.labels, &self.instance).is_none_or(|owner| owner == *key);
        let shown = blobs.filter(is_shown).map(|seen| {
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
