//! What was acted on, and was not read since: whoever looks next reads just that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Names, ReadNo};
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
        let acted = self.acted_on.entry(owner.clone()).or_default();
        match target {
            Some(target) => drop(acted.targets.insert(target.clone(), now)),
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

    /// Notes that what `is_read` says of one owner, or of all, was read.
    pub(super) fn has_read(&mut self, read: ReadNo, owner: Option<&Key>, is_read: impl Fn(&Target) -> bool) {
        let forget = |acted: &mut Acted| acted.targets.retain(|target, at| *at > read || !is_read(target));
        match owner {
            Some(owner) => {
                if let Some(acted) = self.acted_on.get_mut(owner) {
                    forget(acted);
                    if acted.is_empty() {
                        self.acted_on.remove(owner);
                    }
                }
            }
            None => self.acted_on.retain(|_, acted| {
                forget(acted);
                !acted.is_empty()
            }),
        }
    }

    /// Notes that things of one kind were read, all of them or those of these names.
    pub(super) fn has_read_shelf(
        &mut self,
        read: ReadNo,
        names: Option<&BTreeSet<String>>,
        is_kind: impl Fn(&Target) -> bool,
    ) {
        let is_among = |name: &str| names.is_none_or(|names| names.contains(name));
        self.has_read(read, None, |target| is_kind(target) && is_among(target.name()));
    }

    /// Notes that one service of an owner was read.
    pub(super) fn has_read_service(&mut self, read: ReadNo, owner: &Key, name: &str) {
        self.has_read(
            read,
            Some(owner),
            |target| matches!(target, Target::Service(one) if one == name),
        );
    }

    /// Notes that all services of an owner, or of all, were read, and all else with them.
    pub(super) fn has_read_all(&mut self, read: ReadNo, owner: Option<&Key>) {
        let forget = |acted: &mut Acted| acted.all = acted.all.filter(|at| *at > read);
        match owner {
            Some(owner) => {
                self.acted_on.get_mut(owner).into_iter().for_each(forget);
            }
            None => self.acted_on.values_mut().for_each(forget),
        }
        self.has_read(read, owner, |target| matches!(target, Target::Service(_)));
    }
}
