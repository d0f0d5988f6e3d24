//! Quotas at the door: what a namespace declares before and after a change, and who may change it next.
//!
//! What counts for a quota is judged and stored by one write at a time, whichever operator on the database it comes to: two that
//! fit only one by one do not pass together, unless one of them takes longer than a turn lasts. Nobody is refused what makes nothing more, so that it can be made less again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::lowering::{self, Shelf};
use super::state::Api;
use crate::resource::policy::{Rules, Usage};
use crate::resource::validate::Cause;
use crate::resource::{Key, Kind, Object};
use crate::store::{Store, StoreError, StoreTurn};

/// The turns of this process's writes that count for a quota. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<()>>);

/// The turn of one write, which lasts until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _here: OwnedMutexGuard<()>,
    _everywhere: StoreTurn,
}

impl Turns {
    /// Waits for the next turn; of this process, one at a time asks the others.
    ///
    /// # Errors
    /// When another process does not end its own, or the database does not answer.
    pub(super) async fn next(&self, store: &Store) -> Result<Turn, StoreError> {
        Ok(Turn {
            _here: Arc::clone(&self.0).lock_owned().await,
            _everywhere: store.turn().await?,
        })
    }
}

/// What the owners of a namespace declare before a change, where that is limited.
#[derive(Debug)]
pub(super) struct Before {
    rules: Rules,
    owners: Vec<Object>,
    usage: Usage,
}

impl Before {
    /// What is declared before `object` changes, with the templates of `shelf`; `None` where no Policy of it limits
    /// that, or the object makes nothing more of it.
    pub(super) async fn of(api: &Api, shelf: &Shelf, object: &Object) -> Result<Option<Self>, StoreError> {
        let rules = shelf.rules(object.namespace());
        let counts = object.kind.owns_agents() || object.kind == Kind::AgentTemplate;
        if !counts || !rules.has_quota() {
            return Ok(None);
        }
        let owners = lowering::owners(api, Some(object.namespace())).await?;
        let usage = shelf.usage(&owners);
        Ok(Some(Self { rules, owners, usage }))
    }

    /// What is too much of what is declared after, when `shelf` has `object`.
    pub(super) fn too_much(&self, shelf: &Shelf, object: &Object) -> Vec<Cause> {
        let others = self.owners.iter().filter(|owner| owner.key() != object.key());
        let changed = Some(object).filter(|object| object.kind.owns_agents());
        self.rules
            .over_quota(&self.usage, &shelf.usage(others.chain(changed)))
    }
}

/// The turn to store several objects at once, where that counts for a quota, and what is too much of what they declare
/// together, by namespace: `written` as they are to be, without those that are `gone`.
pub(super) async fn together<'o>(
    api: &Api,
    written: &[&'o Object],
    gone: &'o [Key],
) -> Result<(Option<Turn>, Vec<(&'o str, Vec<Cause>)>), StoreError> {
    let namespaces: BTreeSet<&str> = written
        .iter()
        .map(|object| object.namespace())
        .chain(gone.iter().map(|key| key.namespace.as_str()))
        .collect();
    let mut limited = Vec::new();
    for namespace in namespaces {
        let mut shelf = Shelf::read(api, Some(namespace)).await?;
        gone.iter().for_each(|key| shelf.take_away(key));
        written.iter().for_each(|object| shelf.put(object));
        if shelf.rules(namespace).has_quota() {
            limited.push(namespace);
        }
    }
    if limited.is_empty() {
        return Ok((None, Vec::new()));
    }
    let turn = api.quotas.next(&api.store).await?;
    let mut too_much = Vec::new();
    for namespace in limited {
        let causes = over(api, namespace, written, gone).await?;
        if !causes.is_empty() {
            too_much.push((namespace, causes));
        }
    }
    Ok((Some(turn), too_much))
}

/// What is too much in a namespace, now that it is this write's turn: others may have had theirs since.
async fn over(
    api: &Api,
    namespace: &str,
    written: &[&Object],
    gone: &[Key],
) -> Result<Vec<Cause>, StoreError> {
    let mut shelf = Shelf::read(api, Some(namespace)).await?;
    let owners = lowering::owners(api, Some(namespace)).await?;
    let before = shelf.usage(&owners);
    gone.iter().for_each(|key| shelf.take_away(key));
    written.iter().for_each(|object| shelf.put(object));
    let mut replaced: BTreeSet<Key> = gone.iter().cloned().collect();
    replaced.extend(written.iter().map(|object| object.key()));
    let kept = owners.iter().filter(|owner| !replaced.contains(&owner.key()));
    let new = written.iter().copied().filter(|object| {
        let is_here = object.namespace() == namespace;
        is_here && object.kind.owns_agents()
    });
    let after = shelf.usage(kept.chain(new));
    Ok(shelf.rules(namespace).over_quota(&before, &after))
}
