//! A model of the engine: does what actions say, at once, and refuses what the engine would refuse.

use jiff::Timestamp;

use super::world::task;
use crate::plan::action::{Action, Plan};
use crate::plan::diff::diff;
use crate::plan::observed::{Blob, Network, Observed, Service, TaskState};
use crate::plan::service::ServiceSpec;
use crate::resource::names::label;

/// Does the whole plan. Panics where the engine would refuse.
pub(super) fn apply(observed: &mut Observed, plan: &Plan, now: Timestamp) {
    for action in plan.stages.iter().flatten() {
        act(observed, action, now);
    }
}

fn act(observed: &mut Observed, action: &Action, now: Timestamp) {
    let name = action.target().name().to_owned();
    match action.clone() {
        Action::CreateNetwork { labels, .. } => {
            let network = Network {
                id: name.clone(),
                labels,
                overlay: true,
                capacity: 0,
                in_use: Default::default(),
            };
            assert!(observed.networks.insert(name, network).is_none(), "{action:?}");
        }
        Action::CreateSecret { labels, .. } => {
            assert!(
                observed
                    .secrets
                    .insert(name.clone(), blob(name, labels))
                    .is_none(),
                "{action:?}"
            );
        }
        Action::CreateConfig { labels, .. } => {
            assert!(
                observed
                    .configs
                    .insert(name.clone(), blob(name, labels))
                    .is_none(),
                "{action:?}"
            );
        }
        Action::CreateService { spec } => {
            attach(observed, &spec);
            let service = Service {
                id: format!("id-{name}"),
                version: 1,
                spec: *spec,
                update_state: None,
                created: now,
                updated: now,
                tasks: Some(vec![task(TaskState::Running)]),
            };
            assert!(observed.services.insert(name, service).is_none(), "{action:?}");
        }
        Action::UpdateService {
            id,
            version,
            uid,
            spec,
        } => {
            detach(observed, &name);
            attach(observed, &spec);
            let live = live(observed, &id, &uid);
            assert_eq!(live.version, version, "update out of sequence");
            assert_ne!(live.spec, *spec, "an update that changes nothing");
            if diff(&live.spec, &spec).replaces {
                live.tasks = Some(vec![task(TaskState::Running)]);
            }
            live.spec
                .labels
                .retain(|name, _| !name.starts_with("chorus.services/"));
            live.spec.labels.extend(spec.labels.clone());
            live.spec = *spec;
            live.version += 1;
            live.updated = now;
            live.update_state = Some("completed".to_owned());
        }
        Action::RemoveService { id, uid, .. } => {
            live(observed, &id, &uid);
            detach(observed, &name);
            observed.services.remove(&name);
        }
        Action::ReleaseService { id, version, uid, .. } => {
            let live = live(observed, &id, &uid);
            assert_eq!(live.version, version, "update out of sequence");
            live.spec
                .labels
                .retain(|name, _| !name.starts_with("chorus.services/"));
            live.spec.labels.clear();
        }
        Action::RemoveNetwork { .. } => {
            assert!(
                observed.networks.remove(&name).unwrap().in_use.is_empty(),
                "{action:?}"
            );
        }
        Action::RemoveSecret { .. } => {
            assert!(
                observed.secrets.remove(&name).unwrap().in_use.is_empty(),
                "{action:?}"
            );
        }
        Action::RemoveConfig { .. } => {
            assert!(
                observed.configs.remove(&name).unwrap().in_use.is_empty(),
                "{action:?}"
            );
        }
    }
}

fn live<'a>(observed: &'a mut Observed, id: &str, uid: &str) -> &'a mut Service {
    let mut services = observed.services.values_mut();
    let live = services
        .find(|live| live.id == id)
        .unwrap_or_else(|| panic!("no service {id}"));
    assert_eq!(
        live.spec.labels.get(label::UID).map(String::as_str),
        Some(uid),
        "not ours: {id}"
    );
    live
}

fn blob(id: String, labels: std::collections::BTreeMap<String, String>) -> Blob {
    Blob {
        id,
        labels,
        in_use: Default::default(),
    }
}

fn attach(observed: &mut Observed, spec: &ServiceSpec) {
    for network in &spec.networks {
        let network = observed.networks.get_mut(network);
        network
            .expect("network not found")
            .in_use
            .own
            .insert(spec.name.clone());
    }
    for file in &spec.container.secrets {
        let secret = observed.secrets.get_mut(&file.source);
        secret.expect("secret not found").in_use.insert(spec.name.clone());
    }
    for file in &spec.container.configs {
        let config = observed.configs.get_mut(&file.source);
        config.expect("config not found").in_use.insert(spec.name.clone());
    }
}

pub(super) fn detach(observed: &mut Observed, service: &str) {
    let blobs = observed.secrets.values_mut().chain(observed.configs.values_mut());
    let users = blobs.map(|blob| &mut blob.in_use);
    let networks = observed
        .networks
        .values_mut()
        .map(|network| &mut network.in_use.own);
    users.chain(networks).for_each(|in_use| {
        in_use.remove(service);
    });
}
