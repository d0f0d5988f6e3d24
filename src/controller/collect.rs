//! Brings about what becomes of objects when their owners go (`resource/dependents.rs`): Kubernetes' garbage collector.
//!
//! An event of the store only asks for a turn. What is true is read in the turn, of the object and of those that it names,
//! so that whoever leads next goes on wherever it was left.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::plan::EventDraft;
use crate::queue::{Next, Queue};
use crate::resource::dependents::{self, Fate};
use crate::resource::event::EventType;
use crate::resource::lifecycle::{self, Deletion, Propagation};
use crate::resource::names::{AGENTS_FINALIZER, FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
use crate::resource::{Key, Object};
use crate::store::{Op, StoreError};
use crate::telemetry::Chain;

use super::Reconciler;

/// Turns that are taken at once.
const WORKERS: usize = 2;
/// The event that says why an object is deleted.
const OWNER_DELETED: &str = "OwnerDeleted";

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Concern {
    /// An object's whose owners, or dependents, decide over it.
    Object(Key),
    /// All that depends on what was an object of this namespace and uid.
    DependentsOf(String, String),
}

/// Whose turn it is because an object is like this.
pub(super) fn of_state(object: &Object) -> Option<Concern> {
    dependents::is_concerned(object).then(|| Concern::Object(object.key()))
}

/// Whose turn it is because an object is gone: those that depend on it, and owners that may have waited for it.
pub(super) fn of_end(object: &Object) -> impl Iterator<Item = Concern> {
    let left = Concern::DependentsOf(object.namespace().to_owned(), object.uid().to_owned());
    let owners = dependents::references(object).iter();
    let owners = owners.filter_map(|reference| dependents::owner(object, reference));
    owners.map(Concern::Object).chain([left])
}

impl Reconciler {
    /// Takes the turns that `queue` asks for. Never ends.
    pub(super) async fn collect(&self, queue: &Queue<Concern>) {
        let turn = async |concern: Concern| match self.collected(&concern, queue).await {
            Ok(next) => next,
            Err(StoreError::Conflict { .. } | StoreError::NotFound(_)) => {
                Next::After(self.controller.tuning.after_acting)
            }
            Err(error) => {
                tracing::warn!(?concern, error = %Chain(&error), "cannot look after what belongs to others now");
                Next::Backoff
            }
        };
        queue.run(WORKERS, turn).await;
    }

    async fn collected(&self, concern: &Concern, queue: &Queue<Concern>) -> Result<Next, StoreError> {
        let store = &self.controller.store;
        let key = match concern {
            Concern::Object(key) => key,
            Concern::DependentsOf(namespace, uid) => {
                for dependent in store.dependents(namespace, uid).await? {
                    queue.add(Concern::Object(dependent.key()));
                }
                return Ok(Next::Never);
            }
        };
        let Some(object) = store.get(key).await? else {
            return Ok(Next::Never);
        };
        if object.is_deleting() {
            return self.wait_for_dependents(&object, queue).await;
        }
        let mut standings = Vec::new();
        for reference in dependents::references(&object) {
            standings.push(match dependents::owner(&object, reference) {
                Some(owner) => dependents::standing(reference, store.get(&owner).await?.as_ref()),
                None => dependents::Standing::There,
            });
        }
        match dependents::fate(&object, &standings) {
            Fate::Stays => {}
            Fate::Forgets(next) => self.replace(&object, *next).await?,
            Fate::Goes(Propagation::Foreground) => {
                // Where owners go round in a circle, all of them would wait for ever.
                let dependents = store.dependents(object.namespace(), object.uid()).await?;
                let how = match dependents.iter().any(dependents::waits) {
                    true => Propagation::Background,
                    false => Propagation::Foreground,
                };
                self.delete(&object, how).await?;
            }
            Fate::Goes(how) => self.delete(&object, how).await?,
        }
        Ok(Next::Never)
    }

    /// A turn of an owner that is being deleted, and of which somebody said what is to become of those that depend on it.
    async fn wait_for_dependents(&self, owner: &Object, queue: &Queue<Concern>) -> Result<Next, StoreError> {
        let (orphans, waits) = (
            owner.has_finalizer(ORPHAN_FINALIZER),
            owner.has_finalizer(FOREGROUND_FINALIZER),
        );
        if !orphans && !waits {
            return Ok(Next::Never);
        }
        let dependents = self
            .controller
            .store
            .dependents(owner.namespace(), owner.uid())
            .await?;
        if orphans {
            for dependent in &dependents {
                self.replace(dependent, dependents::without_owner(dependent, owner.uid()))
                    .await?;
            }
            // The end of its agents, which are to be left behind as well, has to know.
            if !owner.has_finalizer(AGENTS_FINALIZER) {
                self.release(owner, &[ORPHAN_FINALIZER]).await?;
            }
            return Ok(Next::Never);
        }
        for dependent in dependents.iter().filter(|dependent| !dependent.is_deleting()) {
            queue.add(Concern::Object(dependent.key()));
        }
        if dependents
            .iter()
            .any(|dependent| dependents::blocks(dependent, owner))
        {
            // Each tells when it goes; that one does not belong to it any more nobody tells.
            return Ok(Next::After(self.controller.tuning.resync));
        }
        self.release(owner, &[FOREGROUND_FINALIZER]).await?;
        Ok(Next::Never)
    }

    async fn replace(&self, old: &Object, next: Object) -> Result<(), StoreError> {
        let expected = old.revision().unwrap_or_default();
        self.write(
            Op::Update {
                object: next,
                expected,
            },
            "owner gone",
        )
        .await
    }

    async fn delete(&self, object: &Object, how: Propagation) -> Result<(), StoreError> {
        let expected = object.revision().unwrap_or_default();
        let op = match lifecycle::delete(object, how, Timestamp::now()) {
            Deletion::AlreadyMarked => return Ok(()),
            Deletion::Remove => Op::Remove {
                key: object.key(),
                expected,
            },
            Deletion::Mark(marked) => Op::Update {
                object: *marked,
                expected,
            },
        };
        self.write(op, "owner gone").await?;
        let owners: Vec<String> = dependents::references(object).iter().map(named).collect();
        let told = EventDraft {
            type_: EventType::Normal,
            reason: OWNER_DELETED.to_owned(),
            message: format!("deleted with its owner {}", owners.join(", ")),
        };
        self.tell(object, vec![told]).await;
        Ok(())
    }
}

fn named(reference: &OwnerReference) -> String {
    format!("{}/{}", reference.kind.to_lowercase(), reference.name)
}
