//! Applies objects that belong together, for a program of this process: judged and merged as a person's server-side apply
//! is, and all of them at once or none.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::admission::{Beside, Intent, admit_at};
use super::caller::{Caller, Home};
use super::lowering::Shelf;
use super::quota::{self, Turn};
use super::state::Api;
use super::status::ApiError;
use crate::resource::access::Grant;
use crate::resource::lifecycle::{self, Deletion};
use crate::resource::managed::{self, Applied, Claim, Manager};
use crate::resource::names::ROLLBACK_MANAGER;
use crate::resource::validate::{self, Cause, CauseReason};
use crate::resource::{Key, Kind, Object};
use crate::store::{Op, StoreError};

/// What is to be there, and what is not.
#[derive(Clone, Copy, Debug)]
pub struct Declaration<'a> {
    /// Who declares it.
    pub actor: &'a str,
    /// What they may do. Whether they may declare these objects is known; what the objects may do then is judged by it.
    pub grant: &'a Grant,
    /// Where they send secrets.
    pub home: &'a Home,
    /// What is applied.
    pub objects: &'a [Wanted],
    /// What goes, as far as it is there.
    pub remove: &'a [Key],
}

/// An object that is applied, or a part of one.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which one it is. Its kind, namespace and name are known to be good.
    pub key: Key,
    /// Who owns the fields that it sets, and alone, also where others set them before.
    pub manager: String,
    /// What it says.
    pub config: Value,
}

/// What brings a declaration about. It holds the turn of what counts for a quota: write it, then drop it.
#[derive(Debug, Default)]
pub struct Changes {
    /// The writes; none for what is as it should be.
    pub ops: Vec<Op>,
    /// How many objects are new.
    pub created: usize,
    /// How many are changed.
    pub configured: usize,
    /// How many go.
    pub deleted: usize,
    /// Those of the writes that put another value where somebody else has put theirs.
    pub overridden: Vec<Key>,
    /// Those that are judged like all others, and left as they are: they are pinned.
    pub pinned: Vec<Key>,
    turn: Option<Turn>,
}

/// Why a declaration cannot be brought about.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// These of its objects, by their places in it, are refused, each for these causes.
    #[error("{} of its objects are refused", .0.len())]
    Refused(Vec<(usize, Vec<Cause>)>),
    /// It cannot be judged now.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// One object on its way.
struct Step {
    old: Option<Object>,
    applied: Applied,
}

impl Step {
    fn is_pinned(&self) -> bool {
        self.old.as_ref().is_some_and(Object::is_pinned)
    }

    fn overrides(&self) -> bool {
        !self.applied.overridden.is_empty()
    }
}

impl Api {
    /// What there is to write so that a declaration holds. Nothing is written.
    ///
    /// # Errors
    /// [`DeclareError::Refused`] with everything that is refused, whichever object it is of.
    pub async fn declare(&self, declaration: Declaration<'_>) -> Result<Changes, DeclareError> {
        let Declaration {
            actor,
            grant,
            home,
            objects,
            remove,
        } = declaration;
        let caller = Caller::program(actor.to_owned(), grant.clone(), home.clone());
        let mut steps = Vec::new();
        for wanted in objects {
            steps.push(self.step(wanted).await?);
        }
        let beside = self.beside(objects, &steps, remove).await?;
        let (mut changes, mut refused) = (Changes::default(), Vec::new());
        for (place, (wanted, step)) in objects.iter().zip(steps).enumerate() {
            let is_pinned = step.as_ref().is_ok_and(Step::is_pinned);
            let overrides = step.as_ref().is_ok_and(Step::overrides);
            let judged = match step {
                Ok(step) => self.judged(&caller, &wanted.key, step, &beside).await,
                Err(error) => Err(error),
            };
            match judged {
                Ok(_) if is_pinned => changes.pinned.push(wanted.key.clone()),
                Ok(None) => {}
                Ok(Some(op)) => {
                    match &op {
                        Op::Create(_) => changes.created += 1,
                        Op::Update { .. } | Op::Remove { .. } => changes.configured += 1,
                    }
                    changes.ops.push(op);
                    if overrides {
                        changes.overridden.push(wanted.key.clone());
                    }
                }
                Err(error) => refused.push((place, causes(error)?)),
            }
        }
        let mut removed = Vec::new();
        for key in remove {
            let old = self.store.get(key).await?;
            if old.as_ref().is_some_and(Object::is_pinned) {
                changes.pinned.push(key.clone());
                continue;
            }
            removed.push(key.clone());
            let removal = old.and_then(removal);
            changes.deleted += usize::from(removal.is_some());
            changes.ops.extend(removal);
        }
        let written: Vec<&Object> = changes.ops.iter().filter_map(Op::written).collect();
        let (turn, too_much) = quota::together(self, &written, &removed).await?;
        for (namespace, causes) in too_much {
            // It is said once, of the first that changes: no single one is too much.
            let changes = |key: &Key| written.iter().any(|object| object.key() == *key);
            let counts = |key: &Key| key.namespace == namespace && key.kind != Kind::Policy && changes(key);
            let first = objects.iter().position(|wanted| counts(&wanted.key));
            refused.push((first.unwrap_or_default(), causes));
        }
        changes.turn = turn;
        match refused.is_empty() {
            true => Ok(changes),
            false => Err(DeclareError::Refused(refused)),
        }
    }

    /// What the objects are judged beside; read once for all of them.
    async fn beside(
        &self,
        objects: &[Wanted],
        steps: &[Result<Step, ApiError>],
        remove: &[Key],
    ) -> Result<Beside, StoreError> {
        let namespaces: BTreeSet<&str> = objects
            .iter()
            .map(|wanted| wanted.key.namespace.as_str())
            .collect();
        let changing = shapers(steps);
        let mut shelf = Shelf::of(self, namespaces).await?;
        changing.iter().for_each(|object| shelf.put(object));
        remove.iter().for_each(|key| shelf.take_away(key));
        Ok(Beside { changing, shelf })
    }

    async fn step(&self, wanted: &Wanted) -> Result<Result<Step, ApiError>, StoreError> {
        let Wanted { key, manager, config } = wanted;
        let (old, manager, now) = (
            self.store.get(key).await?,
            Manager::new(manager),
            Timestamp::now(),
        );
        // What a rollback has put back stays no longer than the object is left as it is.
        let rollback = Manager::new(ROLLBACK_MANAGER);
        let handed_over = old
            .as_ref()
            .and_then(|old| managed::handed_over(old, &rollback, &manager, now));
        let live = handed_over.as_ref().or(old.as_ref());
        let applied = managed::apply(live, config, key.kind, &manager, Claim::Alone, now);
        // By force, nothing is contested.
        let by_force = |by| ApiError::Contested { key: key.clone(), by };
        Ok(applied.map(|applied| Step { old, applied }).map_err(by_force))
    }

    /// The write that an object takes, if it takes one.
    async fn judged(
        &self,
        caller: &Caller,
        key: &Key,
        step: Step,
        beside: &Beside,
    ) -> Result<Option<Op>, ApiError> {
        let Step {
            old,
            applied:
                Applied {
                    object: raw,
                    owners,
                    overridden: _,
                },
        } = step;
        // What is about to go is made anew once it is gone.
        if old.as_ref().is_some_and(Object::is_deleting) {
            return Ok(None);
        }
        let judged = admit_at(self, caller, &raw, key, old.as_ref(), Intent::Together(beside));
        let mut object = judged.await?.object;
        object.metadata.managed_fields = owners;
        let Some(old) = old else {
            return Ok(Some(Op::Create(object)));
        };
        let Some(expected) = old.revision().filter(|_| object != old) else {
            return Ok(None);
        };
        Ok(Some(Op::Update { object, expected }))
    }
}

/// The templates and Policies that change, and are not pinned: the others are judged as if these were stored.
fn shapers(steps: &[Result<Step, ApiError>]) -> Vec<Object> {
    let changing = steps.iter().flatten().filter(|step| !step.is_pinned());
    let read = changing.filter_map(|step| {
        // What is not valid by itself is told when its own turn comes.
        let object = validate::object(&step.applied.object).ok()?;
        let same = step.old.as_ref().is_some_and(|old| old.spec == object.spec);
        (object.kind.shapes_owners() && !same).then_some(object)
    });
    read.collect()
}

/// What deleting an object takes; nothing when somebody asked before.
fn removal(old: Object) -> Option<Op> {
    let expected = old.revision()?;
    match lifecycle::delete(&old, None, Timestamp::now()) {
        Deletion::AlreadyMarked => None,
        Deletion::Remove => Some(Op::Remove {
            key: old.key(),
            expected,
        }),
        Deletion::Mark(object) => Some(Op::Update {
            object: *object,
            expected,
        }),
    }
}

/// What is wrong with an object.
///
/// # Errors
/// When that cannot be told now.
fn causes(error: ApiError) -> Result<Vec<Cause>, DeclareError> {
    match error {
        ApiError::Invalid { causes, .. } => Ok(causes),
        ApiError::Unavailable { .. } => Err(DeclareError::Unavailable(StoreError::Timeout)),
        other => Ok(vec![Cause::new("", CauseReason::Invalid, other.to_string())]),
    }
}
