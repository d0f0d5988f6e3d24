//! Whether the networks of a workload can take its agents.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::condition::Reason;

use super::observed::{Network, Observed};

/// What the networks have left, as agents are planned one after another.
pub(super) struct Addresses<'a> {
    networks: &'a BTreeMap<String, Network>,
    /// Services that the plan removes: what they have does not count.
    leaving: BTreeSet<&'a str>,
    /// Free addresses of each network whose size is known.
    free: BTreeMap<&'a str, u64>,
}

impl<'a> Addresses<'a> {
    pub(super) fn new(observed: &'a Observed, leaving: BTreeSet<&'a str>) -> Self {
        // The engine takes one address a node for itself.
        let nodes = observed.nodes.len() as u64;
        let known = observed
            .networks
            .iter()
            .filter(|(_, network)| network.capacity > 0);
        let free = known.map(|(name, network)| {
            let stays = |user: &&String| !leaving.contains(user.as_str());
            let own = network.in_use.own.iter().filter(stays).count() as u64;
            let taken = own + network.in_use.others + nodes;
            (name.as_str(), network.capacity.saturating_sub(taken))
        });
        Self {
            networks: &observed.networks,
            free: free.collect(),
            leaving,
        }
    }

    /// Takes an address for `service` on each of `networks`, or says why it cannot have them.
    pub(super) fn take(
        &mut self,
        service: &str,
        networks: &BTreeSet<String>,
    ) -> Result<(), (Reason, String)> {
        for name in networks {
            let Some(network) = self.networks.get(name) else {
                continue;
            };
            if !network.overlay {
                return Err((Reason::NameConflict, not_an_overlay(name)));
            }
            if self.free.get(name.as_str()) == Some(&0) && !self.has_one(service, network) {
                return Err((Reason::NetworkFull, full(name, network)));
            }
        }
        for name in networks {
            let attached = self
                .networks
                .get(name)
                .is_some_and(|network| self.has_one(service, network));
            if let Some(free) = self.free.get_mut(name.as_str()).filter(|_| !attached) {
                *free = free.saturating_sub(1);
            }
        }
        Ok(())
    }

    fn has_one(&self, service: &str, network: &Network) -> bool {
        network.in_use.own.contains(service) && !self.leaving.contains(service)
    }
}

fn not_an_overlay(name: &str) -> String {
    format!(
        "network {name} exists and is no overlay network of the Swarm: name another one in `network`, or remove \
         it with `docker network rm {name}`"
    )
}

fn full(name: &str, network: &Network) -> String {
    format!(
        "network {name} has no address left (it has {}; each agent and each node takes one): put some agents on \
         another network",
        network.capacity
    )
}
