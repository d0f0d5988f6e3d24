//! Networks and their addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;

use super::World;
use super::checks::check_name;
use super::model::{Attachment, Id, Labels, Network, Scope, Service, Task, Vip};
use super::queue::Due;
use super::refusal::{Code, Refusal};
use super::subnet::Subnet;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewNetwork {
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) scope: String,
    pub(crate) labels: Option<Labels>,
    pub(crate) address_driver: String,
    pub(crate) pools: Vec<Pool>,
    pub(crate) attachable: bool,
    pub(crate) internal: bool,
    pub(crate) ingress: bool,
}

/// Addresses that are asked for; of several blocks, a network gets the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) subnet: String,
    pub(crate) gateway: String,
    pub(crate) range: String,
}

/// Which of a network's addresses are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    /// How many were ever given, from the first on.
    given: u32,
    /// Those that came back.
    back: BTreeSet<u32>,
}

impl Addresses {
    /// As the engine: on after the last one, so that an address is not given again at once.
    fn take(&mut self, hosts: Range<u32>, gateway: u32) -> Option<u32> {
        let next = |given: u32| {
            let next = hosts.start.checked_add(given)?;
            (next < hosts.end).then_some(next)
        };
        while let Some(next) = next(self.given) {
            self.given += 1;
            if next != gateway {
                return Some(next);
            }
        }
        self.back.pop_first()
    }
}

/// The vxlan of the first network.
const FIRST_VXLAN: u32 = 4096;

/// The options of an engine's own networks, without the `com.docker.network.` that they begin with.
const OWN_OPTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "bridge",
        &[
            ("bridge.default_bridge", "true"),
            ("bridge.enable_icc", "true"),
            ("bridge.enable_ip_masquerade", "true"),
            ("bridge.host_binding_ipv4", "0.0.0.0"),
            ("bridge.name", "docker0"),
            ("driver.mtu", "1500"),
        ],
    ),
    (
        "docker_gwbridge",
        &[
            ("bridge.enable_icc", "false"),
            ("bridge.enable_ip_masquerade", "true"),
            ("bridge.name", "docker_gwbridge"),
        ],
    ),
];

impl World {
    /// The networks that every engine in a Swarm has.
    pub(super) fn add_own_networks(&mut self) {
        let block =
            |second: u8, prefix| Some(Subnet::new(u32::from(Ipv4Addr::new(172, second, 0, 0)), prefix));
        for (name, driver, subnet) in [
            ("docker_gwbridge", "bridge", block(18, 16)),
            ("none", "null", None),
            ("host", "host", None),
            ("bridge", "bridge", block(17, 16)),
        ] {
            let id = self.dice.hex();
            let mut network = self.network(id.clone(), name, Scope::Local(driver), subnet);
            let options = OWN_OPTIONS.iter().find(|(of, _)| *of == name);
            let options = options.into_iter().flat_map(|(_, options)| *options);
            network.options = options
                .map(|(key, value)| (format!("com.docker.network.{key}"), (*value).to_owned()))
                .collect();
            self.networks.put(id, network);
        }
        let id = self.dice.id();
        let ingress = Some(Subnet::new(u32::from(Ipv4Addr::new(10, 0, 0, 0)), 24));
        let mut network = self.network(id.clone(), "ingress", Scope::Swarm, ingress);
        network.ingress = true;
        network.vxlan = FIRST_VXLAN;
        self.networks.put(id, network);
    }

    fn network(&mut self, id: Id, name: &str, scope: Scope, subnet: Option<Subnet>) -> Network {
        Network {
            id,
            meta: self.born(),
            name: name.to_owned(),
            labels: matches!(scope, Scope::Local(_)).then(Labels::new),
            options: Labels::new(),
            scope,
            attachable: false,
            internal: false,
            ingress: false,
            asked: None,
            gateway: None,
            subnet,
            vxlan: 0,
        }
    }

    /// Finds a network by id, name, or the start of an id.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_network(&self, name: &str) -> Result<&Network, Refusal> {
        let all = || self.networks.iter().map(|(_, network)| network);
        self.networks
            .get(name)
            .or_else(|| all().find(|network| network.name == name))
            .or_else(|| all().find(|network| network.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("network", name))
    }

    /// Makes a network; its id.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn create_network(&mut self, new: NewNetwork) -> Result<Id, Refusal> {
        let scope = self.check_new(&new)?;
        let id = if scope == Scope::Swarm {
            self.dice.id()
        } else {
            self.dice.hex()
        };
        let pool = new.pools.first();
        let mut network = self.network(id.clone(), &new.name, scope, None);
        network.labels = new.labels;
        network.attachable = new.attachable;
        network.internal = new.internal;
        network.asked = pool.and_then(|pool| pool.subnet.parse().ok());
        network.gateway = pool.and_then(|pool| pool.gateway.parse().ok());
        if scope != Scope::Swarm {
            network.subnet = network.asked;
        }
        let name = new.name;
        self.networks.put(id.clone(), network);
        self.tell("network", "create", &id, &name, &[]);
        if scope == Scope::Swarm {
            self.plan(self.timing.allocate, Due::AllocateNetwork(id.clone()));
        }
        Ok(id)
    }

    /// Whose a new network would be.
    fn check_new(&self, new: &NewNetwork) -> Result<Scope, Refusal> {
        let name = &new.name;
        if name.is_empty() {
            return Err(Refusal::new(500, "invalid name: "));
        }
        if ["none", "default"].contains(&name.as_str()) {
            return Err(Refusal::new(
                403,
                format!("operation is not permitted on predefined {name} network "),
            ));
        }
        if self.networks.iter().any(|(_, network)| network.name == *name) {
            return Err(Refusal::new(
                409,
                format!("network with name {name} already exists"),
            ));
        }
        for Pool { subnet, .. } in &new.pools {
            subnet.parse::<Subnet>().map_err(|()| {
                Refusal::new(
                    500,
                    format!("Invalid subnet {subnet} : invalid CIDR address: {subnet}"),
                )
            })?;
        }
        match new.driver.as_str() {
            "overlay" if new.scope == "local" => Err(Refusal::new(
                403,
                "cannot downgrade network scope for overlay networks",
            )),
            "overlay" => {
                self.check_overlay(new)?;
                Ok(Scope::Swarm)
            }
            "" | "bridge" | "host" | "null" if new.ingress => Err(Refusal::new(
                403,
                "Ingress network can only be global scope network",
            )),
            "" | "bridge" => Ok(Scope::Local("bridge")),
            only @ ("host" | "null") => Err(Refusal::new(
                403,
                format!("only one instance of {only:?} network is allowed"),
            )),
            other => Err(Refusal::new(404, format!("plugin {other:?} not found"))),
        }
    }

    /// What the managers check.
    fn check_overlay(&self, new: &NewNetwork) -> Result<(), Refusal> {
        if new.ingress && new.attachable {
            return Err(Refusal::invalid("ingress network cannot be attachable"));
        }
        check_name(&new.name)?;
        if !["", "default"].contains(&new.address_driver.as_str()) {
            return Err(Refusal::invalid(&format!(
                "error during lookup of plugin {}",
                new.address_driver
            )));
        }
        new.pools.iter().try_for_each(check_pool)?;
        match self.ingress().filter(|_| new.ingress) {
            Some(Network { id, .. }) => Err(Refusal::rpc(
                Code::AlreadyExists,
                &format!("ingress network ({id}) is already present"),
            )),
            None => Ok(()),
        }
    }

    /// Removes a network that nobody uses.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn remove_network(&mut self, name: &str) -> Result<(), Refusal> {
        let network = self.find_network(name)?.clone();
        let id = &network.id;
        if let Scope::Local(_) = network.scope {
            let name = &network.name;
            if network.is_predefined() {
                return Err(Refusal::new(
                    403,
                    format!("{name} is a pre-defined network and cannot be removed"),
                ));
            }
            if name == "docker_gwbridge" {
                return Err(Refusal::new(
                    403,
                    format!("error while removing network: network {name} id {id} has active endpoints"),
                ));
            }
        }
        let uses = |networks: &[Id]| networks.contains(id);
        let in_use = |what: String| {
            Refusal::rpc(
                Code::FailedPrecondition,
                &format!("network {id} is in use by {what}"),
            )
        };
        if let Some((service, _)) = self
            .services
            .iter()
            .find(|(_, service)| uses(&service.spec.networks))
        {
            return Err(in_use(format!("service {service}")));
        }
        let task = self
            .tasks
            .iter()
            .find(|(_, task)| task.is_wanted() && task.is_alive() && uses(&task.spec.networks));
        if let Some((task, _)) = task {
            return Err(in_use(format!("task {task}")));
        }
        self.networks.remove(id);
        self.addresses.remove(id);
        self.without_address.remove(id);
        self.next_index();
        self.tell("network", "remove", id, &network.name, &[]);
        Ok(())
    }

    /// Whether this engine knows a network by itself, without asking the managers.
    pub(crate) fn is_on_own_node(&self, network: &Network) -> bool {
        let uses = |task: &Task| {
            task.attachments
                .iter()
                .any(|end| end.network.value.id == network.id)
        };
        network.scope != Scope::Swarm
            || self
                .containers()
                .any(|(task, _)| task.is_alive() && task.node.as_ref() == Some(&self.own_node) && uses(task))
    }

    /// Gives a network its addresses, unless another has them.
    pub(super) fn allocate_network(&mut self, id: &Id) {
        let Some(mut network) = self.networks.get(id).cloned() else {
            return;
        };
        let taken: Vec<Subnet> = self
            .networks
            .iter()
            .filter_map(|(_, network)| network.subnet)
            .collect();
        let is_free = |subnet: &Subnet| !taken.iter().any(|other| other.overlaps(*subnet));
        let own = || {
            (0..=u16::MAX)
                .map(|number| {
                    Subnet::new(
                        u32::from(Ipv4Addr::new(10, 0, 0, 0)) + (u32::from(number) << 8),
                        24,
                    )
                })
                .find(is_free)
        };
        let subnet = match network.asked {
            Some(asked) => Some(asked).filter(is_free),
            None => own(),
        };
        if subnet.is_none() {
            return;
        }
        let vxlan = self
            .networks
            .iter()
            .map(|(_, network)| network.vxlan)
            .max()
            .unwrap_or_default();
        network.subnet = subnet;
        network.vxlan = vxlan.max(FIRST_VXLAN) + 1;
        network.meta = self.written(network.meta);
        self.tell("network", "update", id, &network.name, &[]);
        self.networks.put(id.clone(), network);
        let users: Vec<Id> = self
            .services
            .iter()
            .filter(|(_, service)| service.spec.networks.contains(id))
            .map(|(id, _)| id.clone())
            .collect();
        for service in users {
            for task in self.tasks_of(&service) {
                self.plan(self.timing.allocate, Due::Allocate(task));
            }
        }
    }

    /// A task's end on a network; `None` when it has no address left, or never had any.
    pub(super) fn attach(&mut self, id: &Id) -> Option<Attachment> {
        let network = Arc::clone(self.networks.row(id)?);
        if network.value.scope != Scope::Swarm {
            return Some(Attachment {
                network,
                address: None,
                prefix: 0,
            });
        }
        let (address, prefix) = self.take_address(id)?;
        Some(Attachment {
            network,
            address: Some(address),
            prefix,
        })
    }

    pub(super) fn take_address(&mut self, id: &Id) -> Option<(Ipv4Addr, u8)> {
        let network = self.networks.get(id)?;
        let (subnet, gateway) = (network.subnet?, network.gateway()?);
        let addresses = self.addresses.entry(id.clone()).or_default();
        let address = addresses.take(subnet.hosts(), gateway.into())?;
        Some((address.into(), subnet.prefix))
    }

    pub(super) fn release(&mut self, attachment: &Attachment) {
        if let Some(address) = attachment.address {
            self.free(&attachment.network.value.id, address);
        }
    }

    /// Takes an address back; tasks that wait for one try again.
    pub(super) fn free(&mut self, network: &Id, address: Ipv4Addr) {
        if let Some(addresses) = self.addresses.get_mut(network) {
            addresses.back.insert(address.into());
        }
        if self.without_address.contains_key(network) {
            self.plan(self.timing.allocate, Due::AllocateWaiting(network.clone()));
        }
    }

    /// Gives addresses to the tasks that wait for one on a network, until it has none left.
    pub(super) fn allocate_waiting(&mut self, network: &Id) {
        while let Some(task) = self.next_waiting(network) {
            self.allocate(&task);
            if self.waits_for_address(network, &task) {
                break;
            }
        }
    }

    fn next_waiting(&mut self, network: &Id) -> Option<Id> {
        let waiting = self.without_address.get_mut(network)?;
        let next = waiting.pop_first();
        if waiting.is_empty() {
            self.without_address.remove(network);
        }
        next
    }

    fn waits_for_address(&self, network: &Id, task: &Id) -> bool {
        let waiting = self.without_address.get(network);
        waiting.is_some_and(|waiting| waiting.contains(task))
    }

    /// The network of published ports.
    pub(super) fn ingress(&self) -> Option<&Network> {
        let mut networks = self.networks.iter().map(|(_, network)| network);
        networks.find(|network| network.ingress)
    }

    /// An address of its own on each of a service's networks, if it wants that.
    pub(super) fn give_vips(&mut self, service: &Service) -> Vec<Vip> {
        let spec = &service.spec;
        let (mut vips, old): (Vec<Vip>, Vec<Vip>) = service
            .vips
            .iter()
            .cloned()
            .partition(|vip| spec.vip && spec.networks.contains(&vip.network));
        for vip in &old {
            self.free(&vip.network, vip.address);
        }
        for network in spec.networks.iter().filter(|_| spec.vip) {
            if !vips.iter().any(|vip| vip.network == *network)
                && let Some((address, prefix)) = self.take_address(network)
            {
                vips.push(Vip {
                    network: network.clone(),
                    address,
                    prefix,
                });
            }
        }
        vips
    }

    pub(super) fn free_vips(&mut self, service: &Service) {
        for vip in &service.vips {
            self.free(&vip.network, vip.address);
        }
    }
}

/// Whether a block of addresses has in it what is asked of it.
fn check_pool(pool: &Pool) -> Result<(), Refusal> {
    let Pool {
        subnet,
        gateway,
        range,
    } = pool;
    let block = subnet.parse::<Subnet>().ok();
    let complain = |what: String| Err(Refusal::invalid(&format!("ipam configuration: {what}")));
    match (range.as_str(), range.parse::<Subnet>()) {
        ("", _) => {}
        (_, Ok(range)) if block.is_some_and(|block| block.overlaps(range)) => {}
        (_, Ok(_)) => return complain(format!("subnet {subnet} does not contain range {range}")),
        _ => return complain(format!("invalid range {range}")),
    }
    match (gateway.as_str(), gateway.parse::<IpAddr>()) {
        ("", _) => Ok(()),
        (_, Ok(IpAddr::V4(gateway))) if block.is_some_and(|block| block.contains(gateway)) => Ok(()),
        (_, Ok(_)) => complain(format!("subnet {subnet} does not contain gateway {gateway}")),
        _ => complain(format!("invalid gateway {gateway}")),
    }
}
