//! Answers about services: taken whole, or one by one while a long list arrives.

use std::collections::BTreeSet;

use super::{Ledger, ReadNo, Scope};
use crate::plan::action::Target;
use crate::resource::object::Key;
use crate::swarm::decode::{SeenService, owner};
use crate::swarm::wire;

impl Ledger {
    /// Takes an answer about services; the owners that it tells something new.
    pub(in crate::swarm) fn services(
        &mut self,
        read: ReadNo,
        scope: Scope<'_>,
        answer: Vec<SeenService>,
    ) -> BTreeSet<Key> {
        let mut touched = BTreeSet::new();
        for seen in answer {
            self.service(read, seen, &mut touched);
        }
        self.end(read, scope, &mut touched);
        touched
    }

    /// Takes one service out of a list of all, as the engine writes it; one that is known in this version, or a newer one, is not
    /// decoded again.
    ///
    /// # Errors
    /// When it is no service.
    pub(in crate::swarm) fn listed(
        &mut self,
        read: ReadNo,
        json: &[u8],
        touched: &mut BTreeSet<Key>,
    ) -> Result<(), serde_json::Error> {
        let glance: wire::Glance = serde_json::from_slice(json)?;
        match self.services.get_mut(&glance.id) {
            Some(known) if known.seen.service.version >= glance.version.index => {
                known.read = known.read.max(read);
                let running = glance.counts.map(|counts| counts.running);
                self.compare_count(read, &glance.id, running, touched);
            }
            _ => self.service(read, serde_json::from_slice(json)?, touched),
        }
        Ok(())
    }

    /// Takes note that all services of an answer were taken: those of `scope` that were not among them are gone.
    pub(in crate::swarm) fn end(&mut self, read: ReadNo, scope: Scope<'_>, touched: &mut BTreeSet<Key>) {
        let is_missing = |id: &&String| self.services.get(*id).is_none_or(|known| known.read < read);
        let missing: Vec<String> = match scope {
            Scope::All => self.services.keys().filter(is_missing).cloned().collect(),
            Scope::Ids(ids) => ids.iter().filter(is_missing).cloned().collect(),
            Scope::Owner(owner) => {
                let ids = self.by_owner.get(owner).into_iter().flatten();
                ids.filter(is_missing).cloned().collect()
            }
            Scope::Names(_, names) => {
                let ids = names.iter().filter_map(|name| self.by_name.get(name));
                ids.filter(is_missing).cloned().collect()
            }
        };
        for id in missing {
            self.miss(read, &id, touched);
        }
        match scope {
            Scope::All => {
                // Reads are bounded in time far below the interval of full lists.
                let before = std::mem::replace(&mut self.listed, read);
                self.gone.retain(|_, found| *found >= before);
                self.usages.forget(before);
                let owners: Vec<Key> = self.acted_on.keys().cloned().collect();
                owners.iter().for_each(|owner| self.has_read_all(read, owner));
                self.tasks.retain(|owner, _| self.by_owner.contains_key(owner));
            }
            Scope::Owner(owner) => self.has_read_all(read, owner),
            Scope::Names(owner, names) => self.has_read(
                read,
                owner,
                |target| matches!(target, Target::Service(name) if names.contains(name)),
            ),
            Scope::Ids(_) => {}
        }
    }

    fn service(&mut self, read: ReadNo, seen: SeenService, touched: &mut BTreeSet<Key>) {
        if let Some(owner) = owner(&seen.service.spec.labels, &self.instance) {
            self.has_read_service(read, &owner, &seen.service.spec.name);
        }
        self.compare_count(read, &seen.service.id, seen.running, touched);
        self.put(read, seen, touched);
    }
}
