//! A world that begins as a Swarm that exists: its nodes, and what runs on them, from what its engine lists.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::blobs::BlobKind;
use super::model::{
    Availability, Blob, Id, Labels, Meta, Network, Node, Platform, Scope, Service, Slot, TaskState,
};
use super::queue::Due;
use super::refusal::Refusal;
use super::{Timing, World};
use crate::sim::Documents;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NodeDocument {
    #[serde(rename = "ID")]
    id: String,
    spec: NodeSpec,
    description: Description,
    status: NodeStatus,
    manager_status: Option<ManagerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NodeSpec {
    role: String,
    availability: String,
    labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Description {
    hostname: String,
    resources: Resources,
    platform: PlatformDocument,
    engine: Engine,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PlatformDocument {
    architecture: String,
    #[serde(rename = "OS")]
    os: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Engine {
    labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Resources {
    #[serde(rename = "NanoCPUs")]
    nano_cpus: i64,
    memory_bytes: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NodeStatus {
    state: String,
    addr: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ManagerStatus {
    leader: bool,
    reachability: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkDocument {
    id: String,
    name: String,
    scope: String,
    labels: Option<Labels>,
    options: Option<Labels>,
    attachable: bool,
    internal: bool,
    #[serde(rename = "IPAM")]
    ipam: Ipam,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Ipam {
    config: Option<Vec<Pool>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Pool {
    subnet: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BlobDocument {
    #[serde(rename = "ID")]
    id: String,
    spec: BlobSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BlobSpec {
    name: String,
    labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ServiceDocument {
    #[serde(rename = "ID")]
    id: String,
    version: Version,
    created_at: String,
    updated_at: String,
    spec: Value,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Version {
    index: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskDocument {
    created_at: String,
    #[serde(rename = "ServiceID")]
    service: String,
    slot: u64,
    #[serde(rename = "NodeID")]
    node: String,
    status: TaskStatus,
    desired_state: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskStatus {
    state: String,
    timestamp: String,
}

impl World {
    /// The Swarm that `documents` show, at `now`. Tasks that have ended, or are about to, are left out; those that
    /// run do so with their service's newest spec, and with addresses of their own. What there is, is as old as it is.
    ///
    /// # Errors
    /// When a document is not what an engine writes.
    pub(crate) fn copy(documents: &Documents, now: Timestamp, timing: Timing) -> Result<Self, Refusal> {
        let mut world = Self::new(now, 1, timing);
        world.images.has_all = true;
        for node in read(documents, "nodes")? {
            world.copy_node(node);
        }
        for network in read(documents, "networks")? {
            world.copy_network(network);
        }
        for (name, kind) in [("secrets", BlobKind::Secret), ("configs", BlobKind::Config)] {
            for blob in read(documents, name)? {
                world.copy_blob(kind, blob);
            }
        }
        for service in read(documents, "services")? {
            world.copy_service(service);
        }
        for task in read(documents, "tasks")? {
            world.copy_task(task);
        }
        for service in world.services.ids() {
            world.plan(timing.orchestrate, Due::Orchestrate(service));
        }
        world.review_managers();
        if world.managers.next_election().is_some() {
            world.elect();
        }
        Ok(world)
    }

    fn copy_node(&mut self, document: NodeDocument) {
        let NodeDocument {
            id,
            spec,
            description,
            status,
            manager_status,
        } = document;
        let id: Id = id.into();
        let is_ready = status.state == "ready";
        let (leads, is_reachable) = manager_status.map_or((false, true), |status| {
            (status.leader, status.reachability != "unreachable")
        });
        let node = Node {
            id: id.clone(),
            meta: self.born(),
            hostname: description.hostname,
            labels: spec.labels.unwrap_or_default(),
            manager: spec.role == "manager",
            leads: false,
            availability: Availability::of(&spec.availability).unwrap_or(Availability::Active),
            ready: is_ready,
            message: "",
            alive: is_ready && is_reachable,
            silences: 0,
            nano_cpus: description.resources.nano_cpus,
            memory_bytes: description.resources.memory_bytes,
            address: status.addr,
            platform: Platform {
                os: description.platform.os,
                architecture: description.platform.architecture,
            },
            engine_labels: description.engine.labels.unwrap_or_default(),
        };
        self.nodes.put(id.clone(), node);
        self.join_ingress(&id);
        if leads {
            self.own_node = id.clone();
            self.follow(id);
        }
    }

    fn copy_network(&mut self, document: NetworkDocument) {
        let NetworkDocument {
            id,
            name,
            scope,
            labels,
            options,
            attachable,
            internal,
            ipam,
        } = document;
        let is_there = self.networks.iter().any(|(_, network)| network.name == name);
        if scope != "swarm" || is_there {
            return;
        }
        let id: Id = id.into();
        let mut pools = ipam.config.into_iter().flatten();
        let vxlans = options.unwrap_or_default();
        let network = Network {
            id: id.clone(),
            meta: self.born(),
            name,
            labels,
            options: Labels::new(),
            scope: Scope::Swarm,
            attachable,
            internal,
            ingress: false,
            asked: None,
            gateway: None,
            subnet: pools.find_map(|pool| pool.subnet.parse().ok()),
            vxlan: vxlans
                .values()
                .find_map(|vxlan| vxlan.parse().ok())
                .unwrap_or_default(),
        };
        self.networks.put(id, network);
    }

    fn copy_blob(&mut self, kind: BlobKind, document: BlobDocument) {
        let id: Id = document.id.into();
        let blob = Blob {
            id: id.clone(),
            meta: self.born(),
            name: document.spec.name,
            labels: document.spec.labels.unwrap_or_default(),
            data: String::new(),
            templating: None,
        };
        self.put_blob(kind, id, blob);
    }

    fn copy_service(&mut self, document: ServiceDocument) {
        let ServiceDocument {
            id,
            version,
            created_at,
            updated_at,
            mut spec,
        } = document;
        // Jobs run once, on engines that are newer than what is played: they are no load that stays.
        if spec.pointer("/Mode/ReplicatedJob").is_some() || spec.pointer("/Mode/GlobalJob").is_some() {
            return;
        }
        let id: Id = id.into();
        // A machine's own network, which the managers know under an id that no list shows, or one that was made between
        // two lists.
        for networks in ["/TaskTemplate/Networks", "/Networks"] {
            if let Some(networks) = spec.pointer_mut(networks).and_then(Value::as_array_mut) {
                networks.retain(|one| {
                    one["Target"]
                        .as_str()
                        .is_some_and(|id| self.find_network(id).is_ok())
                });
            }
        }
        // One that others made of what is not copied (a plugin) is left out, too: it must not keep everybody else's from
        // being played.
        let Ok((spec, _)) = self.read_spec(&spec) else {
            return;
        };
        self.index = self.index.max(version.index);
        self.names.insert(spec.name.clone(), id.clone());
        let service = Service {
            id: id.clone(),
            meta: Meta {
                version: version.index,
                created: self.past(&created_at),
                updated: self.past(&updated_at),
            },
            spec: Arc::new(spec),
            spec_version: version.index,
            previous: None,
            update: None,
            vips: Vec::new(),
            ports: Vec::new(),
        };
        self.services.put(id.clone(), service);
        self.allocate_service(&id);
    }

    fn copy_task(&mut self, document: TaskDocument) {
        let TaskDocument {
            created_at,
            service,
            slot,
            node,
            status,
            desired_state,
        } = document;
        let is_wanted = matches!(desired_state.as_str(), "running" | "ready" | "accepted");
        let Some(service) = self.services.get(&service).cloned().filter(|_| is_wanted) else {
            return;
        };
        let node = Some(Id::from(node)).filter(|node| self.nodes.get(node).is_some());
        let slot = Slot {
            number: slot,
            node: node.clone().filter(|_| slot == 0),
        };
        // What is not placed yet is made anew, and what starts just now is taken as started.
        let runs = matches!(
            status.state.as_str(),
            "assigned" | "accepted" | "preparing" | "ready" | "starting" | "running"
        );
        let id = match node.filter(|_| runs) {
            Some(node) => self.place(&service, slot, node),
            None if matches!(status.state.as_str(), "new" | "allocated" | "pending") => {
                self.create_task(&service, slot, TaskState::Running)
            }
            None => return,
        };
        let (created, since) = (self.past(&created_at), self.past(&status.timestamp));
        self.edit_task(&id, |task| {
            task.meta.created = created;
            task.status.at = since;
        });
    }

    /// A time of the engine's; now, if it wrote none, or one by another clock that is still to come.
    fn past(&self, time: &str) -> Timestamp {
        time.parse()
            .map_or(self.now, |time: Timestamp| time.min(self.now))
    }
}

fn read<T: for<'de> Deserialize<'de>>(documents: &Documents, name: &str) -> Result<Vec<T>, Refusal> {
    let all = documents.get(name).into_iter().flatten();
    all.map(|document| {
        T::deserialize(document).map_err(|error| Refusal::new(400, format!("{name}: {error}")))
    })
    .collect()
}
