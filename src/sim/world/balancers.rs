//! The ends that nodes themselves have on networks: a load balancer where a task is, with an address of its own.

use std::net::Ipv4Addr;

use super::World;
use super::model::{Attachment, Id, Scope};

/// A node's own end on a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balancer {
    /// `None` when the network had none left.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) prefix: u8,
    /// How many tasks it is there for; on the network of published ports, one more.
    tasks: u64,
}

impl World {
    /// A node's own end on a network, while it has one.
    pub(crate) fn balancer(&self, network: &Id, node: &Id) -> Option<Balancer> {
        self.balancers.get(&(network.clone(), node.clone())).copied()
    }

    /// A node has an end on the network of published ports whatever runs on it.
    pub(super) fn join_ingress(&mut self, node: &Id) {
        if let Some(network) = self.ingress().map(|network| network.id.clone()) {
            self.join(network, node.clone());
        }
    }

    /// A task has come to a node: that joins the task's networks.
    pub(super) fn join_networks(&mut self, task: &Id) {
        for (network, node) in self.ends_of(task) {
            self.join(network, node);
        }
    }

    fn join(&mut self, network: Id, node: Id) {
        let key = (network, node);
        let mut balancer = match self.balancers.get(&key) {
            Some(balancer) => *balancer,
            None => {
                let (address, prefix) = self.take_address(&key.0).unzip();
                Balancer {
                    address,
                    prefix: prefix.unwrap_or_default(),
                    tasks: 0,
                }
            }
        };
        balancer.tasks += 1;
        self.balancers.insert(key, balancer);
    }

    /// A task has ended on its node: that leaves the networks on which it has no other.
    pub(super) fn leave_networks(&mut self, task: &Id) {
        for key in self.ends_of(task) {
            let Some(balancer) = self.balancers.get_mut(&key) else {
                continue;
            };
            balancer.tasks = balancer.tasks.saturating_sub(1);
            if balancer.tasks > 0 {
                continue;
            }
            let address = balancer.address;
            self.balancers.remove(&key);
            if let Some(address) = address {
                self.free(&key.0, address);
            }
        }
    }

    fn ends_of(&self, task: &Id) -> Vec<(Id, Id)> {
        let Some(task) = self.tasks.get(task) else {
            return Vec::new();
        };
        let is_shared = |end: &&Attachment| end.network.value.scope == Scope::Swarm;
        let networks = task.attachments.iter().filter(is_shared);
        let ends = networks.filter_map(|end| Some((end.network.value.id.clone(), task.node.clone()?)));
        ends.collect()
    }
}
