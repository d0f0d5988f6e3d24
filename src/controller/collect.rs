//! Brings about what becomes of objects when their owners go (`resource/dependents.rs`): Kubernetes' garbage collector.
//!
//! An event of the store only asks for a turn. What is true is read in the turn, of the object and of those that it names,
//! so that whoever leads next goes on wherever it was left.

use jiff::Timestamp;

use crate::plan::EventDraft;
use crate::queue::{Next, Queue};
use crate::resource::dependents::{self, Fate, Relative};
use crate::resource::event::EventType;
use crate::resource::lifecycle::{self, Deletion, Propagation};
use crate::resource::managed::{self, Manager};
use crate::resource::names::{AGENTS_FINALIZER, FOREGROUND_FINALIZER, OPERATOR_MANAGER, ORPHAN_FINALIZER};
use crate::resource::{Key, Object};
use crate::store::{Op, StoreError};
use crate::telemetry::Chain;

use super::Reconciler;

/// Turns that are taken at once.
const WORKERS: usize = 2;
/// The event that says why an object is deleted.
const OWNER_DELETED: &str = "OwnerDeleted";
/// What the log calls a change of an object whose owner went.
const OWNER_GONE: &str = "owner gone";
/// What it calls the change of one that its owner leaves behind.
const ORPHANED: &str = "orphaned";

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Concern {
    /// An object's whose owners, or dependents, decide over it.
    Object(Key),
    /// All that depends on an object that is gone.
    DependentsOf {
        /// Where it was, and where they are.
        namespace: String,
        /// What it was.
        uid: String,
    },
}

/// Whose turn it is because an object is like this.
pub(super) fn of_state(object: &Object) -> Option<Concern> {
    dependents::is_concerned(object).then(|| Concern::Object(object.key()))
}

/// Whose turn it is because an object is gone: those that depend on it.
pub(super) fn of_end(object: &Object) -> [Concern; 1] {
    [Concern::DependentsOf {
        namespace: object.namespace().to_owned(),
        uid: object.uid().to_owned(),
    }]
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
            Concern::DependentsOf { namespace, uid } => {
                for dependent in store.dependents(namespace, uid).await? {
                    queue.add(Concern::Object(dependent.key));
                }
                return Ok(Next::Never);
            }
        };
        let Some(object) = store.get(key).await? else {
            return Ok(Next::Never);
        };
        if object.is_deleting() {
            return self.settle_dependents(&object, queue).await;
        }
        let standings = store.standings(&object).await?;
        match dependents::fate(&object, &standings) {
            Fate::Stays => {}
            Fate::Forgets(next) => self.replace(&object, *next, OWNER_GONE).await?,
            Fate::Goes(Propagation::Foreground) => {
                let own = store.dependents(object.namespace(), object.uid()).await?;
                let how = match own.is_empty() {
                    true => Propagation::Background,
                    false => Propagation::Foreground,
                };
                // Where owners go round in a circle, all of them would wait for ever.
                let object = match own.iter().any(|one| dependents::waits(&one.metadata)) {
                    true => dependents::blocking_nobody(&object),
                    false => object,
                };
                self.delete(&object, how).await?;
            }
            Fate::Goes(how) => self.delete(&object, how).await?,
        }
        Ok(Next::Never)
    }

    /// A turn of an owner that is being deleted, and of which somebody said what is to become of those that depend on it.
    async fn settle_dependents(&self, owner: &Object, queue: &Queue<Concern>) -> Result<Next, StoreError> {
        let store = &self.controller.store;
        if owner.has_finalizer(ORPHAN_FINALIZER) {
            for dependent in store.dependents(owner.namespace(), owner.uid()).await? {
                if let Some(dependent) = store.get(&dependent.key).await? {
                    let free = dependents::without_owner(&dependent, owner.uid());
                    self.replace(&dependent, free, ORPHANED).await?;
                }
            }
            // The end of its agents, which are to be left behind as well, has to know.
            if !owner.has_finalizer(AGENTS_FINALIZER) {
                self.release(owner, &[ORPHAN_FINALIZER]).await?;
            }
        } else if owner.has_finalizer(FOREGROUND_FINALIZER) {
            let dependents = store.dependents(owner.namespace(), owner.uid()).await?;
            let blocks = |one: &Relative| dependents::blocks(&one.metadata, &owner.metadata);
            if dependents.iter().any(blocks) {
                for dependent in dependents {
                    queue.add(Concern::Object(dependent.key));
                }
                return Ok(Next::After(self.controller.tuning.resync));
            }
            self.release(owner, &[FOREGROUND_FINALIZER]).await?;
        }
        Ok(Next::Never)
    }

    async fn replace(&self, old: &Object, mut next: Object, why: &'static str) -> Result<(), StoreError> {
        let manager = Manager::new(OPERATOR_MANAGER);
        next.metadata.managed_fields = managed::update(Some(old), &next, &manager, Timestamp::now());
        let expected = old.revision().unwrap_or_default();
        self.write(
            Op::Update {
                object: next,
                expected,
            },
            why,
        )
        .await
    }

    async fn delete(&self, object: &Object, how: Propagation) -> Result<(), StoreError> {
        let expected = object.revision().unwrap_or_default();
        let op = match lifecycle::delete(object, Some(how), Timestamp::now()) {
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
        self.write(op, OWNER_GONE).await?;
        let owners: Vec<String> = dependents::owners(object)
            .map(|owner| format!("{}/{}", owner.kind.singular(), owner.name))
            .collect();
        let told = EventDraft {
            type_: EventType::Normal,
            reason: OWNER_DELETED.to_owned(),
            message: format!("deleted, since no owner of it is left: {}", owners.join(", ")),
        };
        self.tell(object, vec![told]).await;
        Ok(())
    }
}
