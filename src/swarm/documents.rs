//! The whole Swarm as the engine writes it, to be thought on with: read once, and looked at without asking again.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::decode::{SeenNetwork, SeenNode};
use super::ledger::{Ledger, Scope, Shelved};
use super::spec::{Ids, encode};
use super::subnet::{self, Subnet};
use super::transport::Call;
use super::{Swarm, SwarmError, Want, networks, wire};
use crate::plan::Observed;
use crate::plan::service::ServiceSpec;
use crate::resource::labels::{self, Labels};

/// What the engine lists, by the API's word for it: `nodes`, `services`, …
pub type Documents = BTreeMap<&'static str, Vec<Value>>;

impl Swarm {
    /// Reads these lists, each as a whole and as it is, whoever made what is in them.
    ///
    /// # Errors
    /// When the engine does not answer, or refuses.
    pub async fn documents(&self, collections: &[&'static str]) -> Result<Documents, SwarmError> {
        let read = async |name: &&'static str| {
            let list: Vec<Value> = self.engine.transport.call(Call::list(format!("/{name}"))).await?;
            Ok::<_, SwarmError>((*name, list))
        };
        Ok(try_join_all(collections.iter().map(read))
            .await?
            .into_iter()
            .collect())
    }
}

/// What documents show an installation.
#[derive(Debug)]
pub struct Picture {
    ledger: Ledger,
    ids: Ids,
    /// Blocks of addresses that networks and nodes have.
    taken: Vec<Subnet>,
    /// The raw spec of each service, by its engine id.
    specs: BTreeMap<String, Value>,
}

impl Picture {
    /// Reads documents for the installation `instance`. What cannot be read is not seen.
    pub fn new(documents: &Documents, instance: &str) -> Self {
        let mut ledger = Ledger::new(instance.to_owned());
        let read = ledger.begin();
        ledger.services(read, Scope::All, list(documents, "services"));
        ledger.all_tasks(read, list(documents, "tasks"));
        let others = Shelved {
            networks: list(documents, "networks"),
            secrets: list(documents, "secrets"),
            configs: list(documents, "configs"),
        };
        ledger.shelved(read, None, others);
        ledger.nodes(read, list(documents, "nodes"));
        let blobs = |name| {
            let all: Vec<wire::Blob> = list(documents, name);
            let ours = all
                .into_iter()
                .filter(|blob| labels::is_ours(&blob.spec.labels, instance));
            ours.map(|blob| (blob.spec.name, blob.id)).collect()
        };
        let all_networks: Vec<SeenNetwork> = list(documents, "networks");
        let nodes: Vec<SeenNode> = list(documents, "nodes");
        let addresses = nodes.iter().filter_map(|node| node.address.parse().ok());
        let subnets = all_networks.iter().flat_map(|network| &network.subnets).copied();
        let taken = subnets.chain(addresses).collect();
        let networks = all_networks.into_iter().filter(|network| network.swarm);
        let services = documents.get("services").into_iter().flatten();
        Self {
            ids: Ids {
                networks: networks
                    .map(|network| (network.name, network.network.id))
                    .collect(),
                secrets: blobs("secrets"),
                configs: blobs("configs"),
            },
            taken,
            specs: services
                .filter_map(|service| Some((service["ID"].as_str()?.to_owned(), service["Spec"].clone())))
                .collect(),
            ledger,
        }
    }

    /// One owner's slice, without images and secret sources, which are not of the Swarm.
    pub fn observe(&self, want: &Want<'_>) -> Observed {
        self.ledger.slice(want)
    }

    /// What is sent to make a service, or to change the one that has this engine id.
    pub fn service_request(&self, spec: &ServiceSpec, id: Option<&str>) -> Value {
        encode(spec, id.and_then(|id| self.specs.get(id)), &self.ids)
    }

    /// What is sent to make an overlay network on a block of addresses that nothing else has.
    pub fn network_request(&self, name: &str, labels: &Labels) -> Value {
        json!(networks::request(name, labels, subnet::choose(name, &self.taken)))
    }
}

fn list<T: DeserializeOwned>(documents: &Documents, name: &str) -> Vec<T> {
    let all = documents.get(name).into_iter().flatten();
    all.filter_map(|document| T::deserialize(document).ok()).collect()
}
