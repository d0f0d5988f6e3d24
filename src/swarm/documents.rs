//! The whole Swarm as the engine writes it, to be thought on with: read once, and looked at without asking again.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::decode::{SeenBlob, SeenNode};
use super::ledger::{Ledger, Scope, Shelved};
use super::spec::{Ids, encode};
use super::subnet::{self, Subnet};
use super::transport::Call;
use super::{Swarm, SwarmError, Want, networks};
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
        let others = Shelved {
            networks: list(documents, "networks"),
            secrets: list(documents, "secrets"),
            configs: list(documents, "configs"),
        };
        let nodes: Vec<SeenNode> = list(documents, "nodes");
        let addresses = nodes.iter().filter_map(|node| node.address.parse().ok());
        let subnets = others
            .networks
            .iter()
            .flat_map(|network| &network.subnets)
            .copied();
        let taken = subnets.chain(addresses).collect();
        let networks = others.networks.iter().filter(|network| network.swarm);
        let ids = Ids {
            networks: networks
                .map(|network| (network.name.clone(), network.network.id.clone()))
                .collect(),
            secrets: ids_of_ours(&others.secrets, instance),
            configs: ids_of_ours(&others.configs, instance),
        };
        let mut ledger = Ledger::new(instance.to_owned());
        let read = ledger.begin();
        ledger.services(read, Scope::All, list(documents, "services"));
        ledger.all_tasks(read, list(documents, "tasks"));
        ledger.shelved(read, None, others);
        ledger.nodes(read, nodes);
        let services = documents.get("services").into_iter().flatten();
        Self {
            ids,
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

/// Of secrets or configs those that `instance` made, ids by name.
fn ids_of_ours(blobs: &[SeenBlob], instance: &str) -> BTreeMap<String, String> {
    let ours = blobs
        .iter()
        .filter(|blob| labels::is_ours(&blob.blob.labels, instance));
    ours.map(|blob| (blob.name.clone(), blob.blob.id.clone()))
        .collect()
}

fn list<T: DeserializeOwned>(documents: &Documents, name: &str) -> Vec<T> {
    let all = documents.get(name).into_iter().flatten();
    all.filter_map(|document| T::deserialize(document).ok()).collect()
}
