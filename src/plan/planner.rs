//! Brings a workload about.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::resource::condition::Reason;
use crate::resource::labels;
use crate::resource::names::{DEFAULT_NETWORK, label};
use crate::resource::workload::{DesiredAgent, Owner, Withheld, Workload};

use super::action::{Action, Blocked, Change, ChangeKind, Plan, Report, Target};
use super::addresses::Addresses;
use super::desired::{Desired, MissingSecrets, Need, Slot, slots};
use super::diff::{Difference, diff};
use super::observed::{Observed, Service};
use super::ownership::Ownership;
use super::pace::Pace;
use super::service::ServiceSpec;
use super::unused;

/// What is to be done so that the Swarm runs what `workload` declares. The plan is empty when it does.
///
/// Stages: what a dead predecessor left goes, and what services refer to is made; services are made and
/// changed, and those that are not declared any more go; what no service refers to any more goes. A slot that
/// cannot be brought about is reported as blocked and left as it is; the others go on. Running agents are
/// replaced some at a time ([`Pace`]); those whose turn has not come are in the report and not in the stages. Of a
/// suspended workload, the report says what would be done, and nothing is.
///
/// `instance` is the installation's id: what carries another one is never touched.
pub fn plan(workload: &Workload, observed: &Observed, instance: &str) -> Plan {
    let mut planner = Planner::new(workload, observed, instance);
    for slot in slots(workload) {
        planner.settle(slot);
    }
    planner.finish()
}

type Obstacle = (Reason, String);

struct Planner<'a> {
    workload: &'a Workload,
    observed: &'a Observed,
    instance: &'a str,
    desired: Desired<'a>,
    addresses: Addresses<'a>,
    predecessors: Vec<&'a Service>,
    surplus: Vec<&'a Service>,
    /// What services refer to and is not there yet, in a stable order.
    needs: BTreeMap<Target, Action>,
    /// The services to be made or changed, in the spec's order.
    services: Vec<Action>,
    edits: BTreeMap<Target, Edit>,
    blocked: Vec<Blocked>,
    /// The live services of declared slots.
    live: Vec<&'a Service>,
}

/// How a live service is changed.
pub(super) struct Edit {
    difference: Difference,
    drift: bool,
}

impl<'a> Planner<'a> {
    fn new(workload: &'a Workload, observed: &'a Observed, instance: &'a str) -> Self {
        let wanted: BTreeSet<String> = slots(workload).map(|slot| slot.service()).collect();
        let (mut predecessors, mut surplus) = (Vec::new(), Vec::new());
        for (name, live) in &observed.services {
            match Ownership::of(&live.spec.labels, &workload.owner, instance) {
                Ownership::Own if !wanted.contains(name) => surplus.push(live),
                Ownership::Predecessor => predecessors.push(live),
                Ownership::Own | Ownership::Foreign => {}
            }
        }
        surplus.sort_by_key(|live| leaving_order(workload, live));
        let leaving = predecessors.iter().chain(&surplus);
        let leaving = leaving.map(|live| live.spec.name.as_str()).collect();
        Self {
            workload,
            observed,
            instance,
            desired: Desired::new(workload, observed, instance),
            addresses: Addresses::new(workload, observed, leaving),
            predecessors,
            surplus,
            needs: BTreeMap::new(),
            services: Vec::new(),
            edits: BTreeMap::new(),
            blocked: Vec::new(),
            live: Vec::new(),
        }
    }

    fn settle(&mut self, slot: Slot<'_>) {
        if let Err((reason, message)) = self.try_settle(slot) {
            self.blocked.push(Blocked {
                agent: slot.agent(),
                service: slot.service(),
                reason,
                message,
            });
        }
    }

    fn try_settle(&mut self, slot: Slot<'_>) -> Result<(), Obstacle> {
        let live = self.live(slot)?;
        self.live.extend(live);
        let agent = slot.role.agent.as_ref().map_err(withheld)?;
        let spec = self
            .desired
            .service(slot, agent)
            .map_err(|missing| secrets_missing(slot, &missing))?;
        self.addresses.admit(&spec.name, &spec.networks)?;
        self.admit_foreign(&spec.networks)?;
        self.need(slot, agent, &spec);
        let spec = Box::new(spec);
        let Some(live) = live else {
            self.services.push(Action::CreateService { spec });
            return Ok(());
        };
        let difference = diff(&live.spec, &spec);
        if !difference.is_empty() {
            let hash = |spec: &ServiceSpec| spec.labels.get(label::SPEC_HASH).cloned();
            let drift = hash(&live.spec) == hash(&spec);
            let target = Target::Service(spec.name.clone());
            self.edits.insert(target, Edit { difference, drift });
            self.services.push(Action::UpdateService {
                id: live.id.clone(),
                version: live.version,
                uid: slot.owner.uid.clone(),
                spec,
            });
        }
        Ok(())
    }

    /// The slot's own live service.
    fn live(&self, slot: Slot<'_>) -> Result<Option<&'a Service>, Obstacle> {
        let name = slot.service();
        let Some(live) = self.observed.services.get(&name) else {
            return Ok(None);
        };
        match Ownership::of(&live.spec.labels, slot.owner, self.instance) {
            Ownership::Own => Ok(Some(live)),
            Ownership::Predecessor => Ok(None),
            Ownership::Foreign => Err((Reason::NameConflict, name_taken(&name, slot.owner))),
        }
    }

    /// Fails for a network that is others' and that no Policy lets agents join.
    fn admit_foreign(&self, networks: &BTreeSet<String>) -> Result<(), Obstacle> {
        let refused = networks.iter().find_map(|name| {
            let owner = self.foreign_owner(name)?;
            let is_allowed = self.workload.rules.allows_foreign_network(name);
            (!is_allowed).then(|| foreign_network(name, &owner))
        });
        match refused {
            Some(message) => Err((Reason::PolicyDenied, message)),
            None => Ok(()),
        }
    }

    /// Who made a network that is there, if it was not for this namespace; the default one is everybody's.
    fn foreign_owner(&self, name: &str) -> Option<String> {
        let network = self.observed.networks.get(name)?;
        if !labels::is_ours(&network.labels, self.instance) {
            return Some("somebody else".to_owned());
        }
        let made_for = network.labels.get(label::NAMESPACE)?;
        let is_shared = name == DEFAULT_NETWORK || *made_for == self.workload.owner.key.namespace;
        (!is_shared).then(|| format!("WHOOSH for the namespace {made_for}"))
    }

    /// Notes what the service refers to and is not there.
    fn need(&mut self, slot: Slot<'_>, agent: &DesiredAgent, spec: &ServiceSpec) {
        let labels = || labels::of_owner(slot.owner, self.instance);
        let networks = spec.networks.iter();
        let networks = networks.filter(|name| !self.observed.networks.contains_key(*name));
        let networks = networks.map(|name| Action::CreateNetwork {
            name: name.clone(),
            labels: labels(),
        });
        let blobs = self
            .desired
            .needs(agent)
            .into_iter()
            .filter_map(|need| match need {
                Need::Secret { name, source } if !self.observed.secrets.contains_key(&name) => {
                    Some(Action::CreateSecret {
                        name,
                        source,
                        labels: labels(),
                    })
                }
                Need::Config { name, data } if !self.observed.configs.contains_key(&name) => {
                    Some(Action::CreateConfig {
                        name,
                        data,
                        labels: labels(),
                    })
                }
                Need::Secret { .. } | Need::Config { .. } => None,
            });
        let needs: Vec<Action> = networks.chain(blobs).collect();
        self.needs
            .extend(needs.into_iter().map(|action| (action.target(), action)));
    }

    fn finish(self) -> Plan {
        let garbage = self.predecessors.iter().filter_map(|live| remove(live));
        let surplus = self.surplus.iter().filter_map(|live| remove(live));
        let held = self.held_back();
        let unused = unused::after(&self.fates(), self.workload, self.observed, self.instance);
        let stages = [
            garbage.chain(self.needs.into_values()).collect(),
            self.services.into_iter().chain(surplus).collect(),
            unused,
        ];
        let changes = stages.iter().flatten();
        let report = Report {
            changes: changes
                .map(|action: &Action| describe(action, self.edits.get(&action.target())))
                .collect(),
            blocked: self.blocked,
            suspended: self.workload.suspended,
        };
        let is_due = |action: &Action| {
            !report.suspended && !held.contains(&action.target()) && !action.waits_for(&held)
        };
        let stages = stages.into_iter().map(|mut stage| {
            stage.retain(is_due);
            stage
        });
        Plan {
            stages: stages.filter(|stage| !stage.is_empty()).collect(),
            report,
        }
    }

    /// The services whose running agents are not replaced before others run again.
    fn held_back(&self) -> BTreeSet<Target> {
        let mut pace = Pace::of(self.live.iter().copied(), self.observed);
        let replaced = self.services.iter().map(Action::target).filter(|target| {
            let edit = self.edits.get(target);
            edit.is_some_and(|edit| edit.difference.replaces)
        });
        replaced
            .filter(|target| {
                let live = self.observed.services.get(target.name());
                live.is_some_and(|live| !pace.admits(live))
            })
            .collect()
    }

    /// What becomes of services, by name: another spec, or nothing. Those that stay as they are have no
    /// entry.
    fn fates(&self) -> unused::Fates<'_> {
        let gone = self.predecessors.iter().chain(&self.surplus);
        let gone = gone.map(|live| (live.spec.name.as_str(), None));
        let made = self.services.iter().filter_map(|action| match action {
            Action::CreateService { spec } | Action::UpdateService { spec, .. } => {
                Some((spec.name.as_str(), Some(spec.as_ref())))
            }
            _ => None,
        });
        gone.chain(made).collect()
    }
}

/// Removed roles first, then the highest slots.
fn leaving_order(workload: &Workload, live: &Service) -> impl Ord + use<> {
    let label = |name| live.spec.labels.get(name).cloned().unwrap_or_default();
    let role = label(label::ROLE);
    let slot: u32 = label(label::SLOT).parse().unwrap_or_default();
    let declared = workload.roles.iter().any(|declared| declared.name == role);
    (declared, role, Reverse(slot), live.spec.name.clone())
}

/// Removes a service under the uid that it carries.
pub(super) fn remove(live: &Service) -> Option<Action> {
    Some(Action::RemoveService {
        id: live.id.clone(),
        name: live.spec.name.clone(),
        uid: labels::uid(&live.spec.labels)?.to_owned(),
    })
}

/// An action for people. `edit` is that of a service that is updated.
pub(super) fn describe(action: &Action, edit: Option<&Edit>) -> Change {
    let replaces = edit.is_some_and(|edit| edit.difference.replaces);
    let kind = match action {
        Action::CreateNetwork { .. }
        | Action::CreateSecret { .. }
        | Action::CreateConfig { .. }
        | Action::CreateService { .. } => ChangeKind::Create,
        Action::UpdateService { .. } if replaces => ChangeKind::Replace,
        Action::UpdateService { .. } | Action::ReleaseService { .. } => ChangeKind::InPlace,
        Action::RemoveService { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveSecret { .. }
        | Action::RemoveConfig { .. } => ChangeKind::Remove,
    };
    Change {
        kind,
        what: action.target(),
        because: edit
            .map(|edit| edit.difference.fields.clone())
            .unwrap_or_default(),
        drift: edit.is_some_and(|edit| edit.drift),
    }
}

fn withheld(withheld: &Withheld) -> Obstacle {
    let reason = match withheld {
        Withheld::MissingTemplate(_) => Reason::TemplateNotFound,
        Withheld::Denied(_) => Reason::PolicyDenied,
    };
    (reason, withheld.to_string())
}

fn name_taken(service: &str, owner: &Owner) -> String {
    let kind = owner.key.kind.singular();
    format!(
        "service {service} exists and does not belong to this {kind}: remove it with `docker service rm {service}`, \
         or give the {kind} another name"
    )
}

fn foreign_network(name: &str, owner: &str) -> String {
    format!(
        "network {name} was made by {owner}, and no Policy of the namespace allows to join it \
         (spec.allow.foreignNetworks): name another one in `network`, or have it allowed"
    )
}

fn secrets_missing(slot: Slot<'_>, missing: &MissingSecrets) -> Obstacle {
    let MissingSecrets { absent, unreadable } = missing;
    let namespace = &slot.owner.key.namespace;
    let files: Vec<_> = absent.iter().map(|name| format!("{namespace}/{name}")).collect();
    let subject = match files.as_slice() {
        [] => None,
        [file] => Some(format!("file {file} is")),
        files => Some(format!("files {} are", files.join(", "))),
    };
    let absent = subject.map(|subject| {
        format!(
            "{subject} not in the operator's secrets folder: put the content there, or take the secret out of the spec"
        )
    });
    let told: Vec<_> = absent.iter().chain(unreadable).cloned().collect();
    let reason = match absent {
        Some(_) => Reason::SecretNotFound,
        None => Reason::SecretUnusable,
    };
    (reason, told.join("; "))
}
