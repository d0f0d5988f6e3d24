//! What the services of each namespace may use, with those that are just being made: so that quotas hold for what runs, too.

use std::collections::BTreeMap;

use super::{Entry, Ledger, ReadNo};
use crate::plan::service::ServiceSpec;
use crate::resource::Key;
use crate::resource::policy::Usage;

/// What is used, by namespace.
#[derive(Debug, Default)]
pub(super) struct Usages {
    /// By services that were seen.
    seen: BTreeMap<String, Usage>,
    /// By services as they are being made or changed, until that is seen; by namespace and service.
    claims: BTreeMap<(String, String), Claim>,
}

#[derive(Debug)]
struct Claim {
    at: ReadNo,
    /// When its action was over: what is read from then on shows what became of it.
    over: Option<ReadNo>,
    owner: Key,
    usage: Usage,
}

impl Claim {
    fn is_shown_by(&self, read: ReadNo) -> bool {
        self.over.is_some_and(|over| over <= read)
    }
}

impl Usages {
    pub(super) fn add(&mut self, entry: &Entry) {
        if let Some(owner) = &entry.owner {
            *self.seen.entry(owner.namespace.clone()).or_default() += of(&entry.seen.service.spec);
        }
    }

    pub(super) fn subtract(&mut self, entry: &Entry) {
        let Some(owner) = &entry.owner else { return };
        if let Some(seen) = self.seen.get_mut(&owner.namespace) {
            *seen -= of(&entry.seen.service.spec);
            if *seen == Usage::default() {
                self.seen.remove(&owner.namespace);
            }
        }
    }

    /// An action of an owner is over: on one service, or nobody knows on which.
    pub(super) fn acted_on(&mut self, now: ReadNo, owner: &Key, service: Option<&str>) {
        let over = |claim: &mut Claim| {
            if claim.owner == *owner {
                claim.over = Some(now);
            }
        };
        match service {
            Some(service) => {
                let place = (owner.namespace.clone(), service.to_owned());
                self.claims.get_mut(&place).into_iter().for_each(over);
            }
            None => self.claims.values_mut().for_each(over),
        }
    }

    /// A service was read: what is seen counts, if that is from after the action.
    pub(super) fn has_read(&mut self, read: ReadNo, owner: &Key, service: &str) {
        let place = (owner.namespace.clone(), service.to_owned());
        if self
            .claims
            .get(&place)
            .is_some_and(|claim| claim.is_shown_by(read))
        {
            self.claims.remove(&place);
        }
    }

    /// The same of all services of an owner.
    pub(super) fn has_read_all(&mut self, read: ReadNo, owner: &Key) {
        self.claims
            .retain(|_, claim| claim.owner != *owner || !claim.is_shown_by(read));
    }

    /// Forgets the claims from before a read, whose actions are over, whatever became of them.
    pub(super) fn forget(&mut self, before: ReadNo) {
        self.claims.retain(|_, claim| claim.at >= before);
    }
}

impl Ledger {
    /// Takes note that a service of `owner` is about to be as `spec` has it, if `judge` finds nothing in what its namespace uses
    /// before and after that.
    ///
    /// # Errors
    /// What `judge` found; then nothing is noted.
    pub(in crate::swarm) fn claim<R>(
        &mut self,
        owner: &Key,
        spec: &ServiceSpec,
        judge: impl FnOnce(&Usage, &Usage) -> Result<(), R>,
    ) -> Result<(), R> {
        let namespace = &owner.namespace;
        let first = (namespace.clone(), String::new());
        let mut before = self.usages.seen.get(namespace).copied().unwrap_or_default();
        let mut own = self.seen_usage(namespace, &spec.name);
        for ((_, service), claim) in self
            .usages
            .claims
            .range(first..)
            .take_while(|((place, _), _)| place == namespace)
        {
            // What becomes smaller counts as it was until it is.
            let seen = self.seen_usage(namespace, service);
            let most = seen.max(claim.usage);
            before -= seen;
            before += most;
            if *service == spec.name {
                own = most;
            }
        }
        let usage = of(spec);
        let mut after = before;
        after -= own;
        after += usage;
        judge(&before, &after)?;
        let claim = Claim {
            at: self.begin(),
            over: None,
            owner: owner.clone(),
            usage,
        };
        self.usages
            .claims
            .insert((namespace.clone(), spec.name.clone()), claim);
        Ok(())
    }

    /// What a service of a namespace was seen to use; nothing while it is not there.
    fn seen_usage(&self, namespace: &str, service: &str) -> Usage {
        let entry = self.by_name.get(service).and_then(|id| self.services.get(id));
        let is_here = |entry: &&Entry| {
            entry
                .owner
                .as_ref()
                .is_some_and(|owner| owner.namespace == namespace)
        };
        entry
            .filter(is_here)
            .map(|entry| of(&entry.seen.service.spec))
            .unwrap_or_default()
    }
}

/// What the agents of a service may use. One that wants no task for now will have one again.
fn of(spec: &ServiceSpec) -> Usage {
    let agents = i64::try_from(spec.replicas.max(1)).unwrap_or(i64::MAX);
    Usage {
        agents,
        nano_cpus: spec.limits.nano_cpus.saturating_mul(agents),
        memory_bytes: spec.limits.memory_bytes.saturating_mul(agents),
    }
}
