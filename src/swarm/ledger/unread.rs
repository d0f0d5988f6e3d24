//! What was acted on, and was not read since: whoever looks next reads just that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Names, ReadNo, remove_from};
use crate::plan::action::Target;
use crate::resource::object::Key;

/// What one owner's actions have changed, each with when that was.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// All that it has: nobody knows what became of an action.
    all: Option<ReadNo>,
    targets: BTreeMap<Target, ReadNo>,
}

/// What has to be read before an owner's slice can be believed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::swarm) struct Unread {
    /// All that carries the owner's labels, and all lists.
    pub(in crate::swarm) all: bool,
    /// Services, by name.
    pub(in crate::swarm) services: BTreeSet<String>,
    /// What is on shelves.
    pub(in crate::swarm) names: Names,
}

impl Acted {
    fn is_empty(&self) -> bool {
        self.all.is_none() && self.targets.is_empty()
    }
}

impl Ledger {
    /// Notes that an owner was acted on, or just one thing of it: what was read of that before, or is being read
    /// now, may be no longer true.
    pub(in crate::swarm) fn acted_on(&mut self, owner: &Key, target: Option<&Target>) {
        let now = self.begin();
        let service = match target {
            Some(Target::Service(name)) => Some(Some(name.as_str())),
            Some(_) => None,
            None => Some(None),
        };
        if let Some(service) = service {
            self.usages.acted_on(now, owner, service);
        }
        let acted = self.acted_on.entry(owner.clone()).or_default();
        match target {
            Some(target) => {
                acted.targets.insert(target.clone(), now);
                self.actors
                    .entry(target.clone())
                    .or_default()
                    .insert(owner.clone());
            }
            None => acted.all = Some(now),
        }
        if matches!(target, None | Some(Target::Service(_))) {
            self.tasks.entry(owner.clone()).or_default().doubted = now;
        }
    }

    /// What nobody has read since the owner was acted on.
    pub(in crate::swarm) fn unread(&self, owner: &Key) -> Unread {
        let mut unread = Unread::default();
        let Some(acted) = self.acted_on.get(owner) else {
            return unread;
        };
        unread.all = acted.all.is_some();
        for target in acted.targets.keys() {
            let (names, name) = match target {
                Target::Service(name) => (&mut unread.services, name),
                Target::Network(name) => (&mut unread.names.networks, name),
                Target::Secret(name) => (&mut unread.names.secrets, name),
                Target::Config(name) => (&mut unread.names.configs, name),
            };
            names.insert(name.clone());
        }
        unread
    }

    /// Notes that what `is_read` says of one owner was read.
    pub(super) fn has_read(&mut self, read: ReadNo, owner: &Key, is_read: impl Fn(&Target) -> bool) {
        let Some(acted) = self.acted_on.get_mut(owner) else {
            return;
        };
        for (target, _) in acted
            .targets
            .extract_if(.., |target, at| *at <= read && is_read(target))
        {
            remove_from(&mut self.actors, &target, owner);
            if let Target::Service(name) = &target {
                self.usages.has_read(read, owner, name);
            }
        }
        if acted.is_empty() {
            self.acted_on.remove(owner);
        }
    }

    /// Notes that things of one kind were read, all of them or those of these names, whoever acted on them.
    pub(super) fn has_read_shelf(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        of_kind: impl Fn(String) -> Target,
    ) {
        let targets: Vec<Target> = match names {
            Some(names) => names.iter().cloned().map(of_kind).collect(),
            None => {
                let is_kind = |target: &&Target| **target == of_kind(target.name().to_owned());
                self.actors.keys().filter(is_kind).cloned().collect()
            }
        };
        for target in targets {
            for owner in self.actors.get(&target).cloned().unwrap_or_default() {
                self.has_read(read, &owner, |read| *read == target);
            }
        }
    }

    /// Notes that one service of an owner was read.
    pub(super) fn has_read_service(&mut self, read: ReadNo, owner: &Key, name: &str) {
        self.has_read(
            read,
            owner,
            |target| matches!(target, Target::Service(one) if one == name),
        );
    }

    /// Notes that all services of an owner were read, and all else with them.
    pub(super) fn has_read_all(&mut self, read: ReadNo, owner: &Key) {
        self.usages.has_read_all(read, owner);
        if let Some(acted) = self.acted_on.get_mut(owner) {
            acted.all = acted.all.filter(|at| *at > read);
        }
        self.has_read(read, owner, |target| matches!(target, Target::Service(_)));
    }
}
