//! Whether the networks of a workload can take its agents, before they come and after.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::condition::Reason;
use crate::resource::workload::Workload;

use super::desired::slots;
use super::observed::{Attached, Network, Observed};

/// What the networks have left, and how many agents come to them.
pub(super) struct Addresses<'a> {
    networks: &'a BTreeMap<String, Network>,
    /// Services that the plan removes: what they have does not count.
    leaving: BTreeSet<&'a str>,
    /// Networks that have less room than the workload needs. No agent comes to them: half a fleet helps nobody.
    short: BTreeMap<&'a str, Shortage>,
}

struct Shortage {
    free: u64,
    coming: u64,
}

impl<'a> Addresses<'a> {
    pub(super) fn new(workload: &'a Workload, observed: &'a Observed, leaving: BTreeSet<&'a str>) -> Self {
        let mut addresses = Self {
            networks: &observed.networks,
            leaving,
            short: BTreeMap::new(),
        };
        // The engine takes one address a node for itself.
        let nodes = observed.nodes.len() as u64;
        for (name, coming) in addresses.coming(workload) {
            let network = observed.networks.get(name).filter(|network| network.capacity > 0);
            let free =
                network.map(|network| network.capacity.saturating_sub(addresses.taken(network) + nodes));
            if let Some(free) = free.filter(|free| *free < coming) {
                addresses.short.insert(name, Shortage { free, coming });
            }
        }
        addresses
    }

    /// Whether `service` can be on each of `networks`; if not, why.
    pub(super) fn admit(&self, service: &str, networks: &BTreeSet<String>) -> Result<(), (Reason, String)> {
        for name in networks {
            let Some(network) = self.networks.get(name) else {
                continue;
            };
            if !network.overlay {
                return Err((Reason::NameConflict, not_an_overlay(name)));
            }
            if let Some(shortage) = self.short.get(name.as_str())
                && !self.has_one(service, network)
            {
                return Err((Reason::NetworkFull, full(name, network, shortage)));
            }
        }
        Ok(())
    }

    /// How many agents of the workload have no address yet, by network.
    fn coming(&self, workload: &'a Workload) -> BTreeMap<&'a str, u64> {
        let mut coming = BTreeMap::new();
        for slot in slots(workload) {
            let Ok(agent) = &slot.role.agent else {
                continue;
            };
            let service = slot.service();
            for name in [&workload.network].into_iter().chain(&agent.networks) {
                let network = self.networks.get(name);
                if !network.is_some_and(|network| self.has_one(&service, network)) {
                    *coming.entry(name.as_str()).or_default() += 1;
                }
            }
        }
        coming
    }

    fn taken(&self, network: &Network) -> u64 {
        let stays = |user: &&String| !self.leaving.contains(user.as_str());
        network.in_use.own.iter().filter(stays).count() as u64 + network.in_use.others
    }

    fn has_one(&self, service: &str, network: &Network) -> bool {
        network.in_use.own.contains(service) && !self.leaving.contains(service)
    }
}

/// What to know of the first of `networks` on which there are more than it has addresses for, so that somebody goes
/// without: others came to it meanwhile.
pub(super) fn crowded(networks: &BTreeSet<String>, observed: &Observed) -> Option<String> {
    networks.iter().find_map(|name| {
        let network = observed.networks.get(name).filter(|network| network.capacity > 0)?;
        let Attached { own, others } = &network.in_use;
        let all = own.len() as u64 + others + observed.nodes.len() as u64;
        (all > network.capacity).then(|| {
            format!(
                "waits for an address, and network {name} has none left (it has {} in all; each agent and each node \
                 takes one): remove other services from it, or put some agents on another network",
                network.capacity
            )
        })
    })
}

fn not_an_overlay(name: &str) -> String {
    format!(
        "network {name} exists and is no overlay network of the Swarm: name another one in `network`, or remove \
         it with `docker network rm {name}`"
    )
}

fn full(name: &str, network: &Network, Shortage { free, coming }: &Shortage) -> String {
    format!(
        "network {name} has {free} addresses left and {coming} agents need one (it has {} in all; each agent and each \
         node takes one): none of them is started; put some agents on another network",
        network.capacity
    )
}
