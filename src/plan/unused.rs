//! What was made for an owner and no service uses any more.
//!
//! Secrets and configs are each owner's own. Networks are shared by name: whoever made one removes it while
//! it lives, and whoever declares it removes it when it goes. Where both have gone by then, it goes when what
//! was made for its dead maker is swept.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::Key;
use crate::resource::labels::{belongs_to, is_ours};
use crate::resource::workload::Workload;

use super::action::Action;
use super::observed::{Blob, Network, Observed};
use super::service::ServiceSpec;

/// What becomes of services, by name: another spec, or nothing. Those that stay as they are have no entry.
pub(super) type Fates<'a> = BTreeMap<&'a str, Option<&'a ServiceSpec>>;

/// What a living workload does not need any more, once services have met their fates.
///
/// A network waits until no service is on it in fact: the tasks of an updated service leave it later.
pub(super) fn after(
    fates: &Fates<'_>,
    workload: &Workload,
    observed: &Observed,
    instance: &str,
) -> Vec<Action> {
    let key = &workload.owner.key;
    let declared: BTreeSet<&str> = declared_networks(workload).collect();
    let networks = observed.networks.iter().filter(|(name, network)| {
        belongs_to(&network.labels, key, instance)
            && network.in_use.is_empty()
            && !declared.contains(name.as_str())
    });
    let references: BTreeSet<&str> = fates.values().flatten().copied().flat_map(references).collect();
    let idle = |(name, blob): &(&String, &Blob)| {
        belongs_to(&blob.labels, key, instance)
            && !references.contains(name.as_str())
            && blob
                .in_use
                .iter()
                .all(|service| fates.contains_key(service.as_str()))
    };
    let secrets = observed.secrets.iter().filter(idle).map(remove_secret);
    let configs = observed.configs.iter().filter(idle).map(remove_config);
    networks
        .map(remove_network)
        .chain(secrets)
        .chain(configs)
        .collect()
}

/// What nobody needs of an owner without services. `networks` are those that it declares.
pub(super) fn without_services(
    key: &Key,
    networks: &BTreeSet<String>,
    observed: &Observed,
    instance: &str,
) -> Vec<Action> {
    let networks = observed.networks.iter().filter(|(name, network)| {
        let made_for_it = belongs_to(&network.labels, key, instance);
        let shared = is_ours(&network.labels, instance) && networks.contains(*name);
        (made_for_it || shared) && network.in_use.is_empty()
    });
    let idle =
        |(_, blob): &(&String, &Blob)| belongs_to(&blob.labels, key, instance) && blob.in_use.is_empty();
    let secrets = observed.secrets.iter().filter(idle).map(remove_secret);
    let configs = observed.configs.iter().filter(idle).map(remove_config);
    networks
        .map(remove_network)
        .chain(secrets)
        .chain(configs)
        .collect()
}

fn declared_networks(workload: &Workload) -> impl Iterator<Item = &str> {
    let agents = workload.agents().flat_map(|agent| &agent.networks);
    agents.chain([&workload.network]).map(String::as_str)
}

fn references(spec: &ServiceSpec) -> impl Iterator<Item = &str> {
    let files = spec.container.secrets.iter().chain(&spec.container.configs);
    files.map(|file| file.source.as_str())
}

fn remove_network((name, network): (&String, &Network)) -> Action {
    Action::RemoveNetwork {
        id: network.id.clone(),
        name: name.clone(),
    }
}

fn remove_secret((name, blob): (&String, &Blob)) -> Action {
    Action::RemoveSecret {
        id: blob.id.clone(),
        name: name.clone(),
        users: blob.in_use.clone(),
    }
}

fn remove_config((name, blob): (&String, &Blob)) -> Action {
    Action::RemoveConfig {
        id: blob.id.clone(),
        name: name.clone(),
        users: blob.in_use.clone(),
    }
}
