//! Read, decide, write; and again when somebody else was faster.

use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use crate::api::admission::{Admitted, Intent, admit, says_what_it_saw};
use crate::api::answer::Answer;
use crate::api::caller::Caller;
use crate::api::quota::Turn;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::managed::{self, Applied, Manager};
use crate::resource::{Key, Object, lifecycle};
use crate::store::{Op, StoreError, Write};

/// Tries before a change gives up against others. Each lost try means that somebody else's change was stored.
const TRIES: u32 = 64;

/// What is to become of an object.
#[derive(Debug)]
pub(in crate::api) enum Step {
    /// It is as it should be.
    Keep,
    /// It is replaced by what a client sent, if that is admitted.
    Admit(Sent),
    /// It is replaced by what came of applying fields to it, if that is admitted.
    Apply(Applied),
    /// It is replaced, and these are the warnings.
    Store(Box<Object>, Vec<String>),
    /// It goes.
    Remove,
}

/// What a client sent.
#[derive(Debug)]
pub(in crate::api) struct Sent {
    /// The object that it comes to.
    pub(in crate::api) raw: Value,
    /// Whether the client sent all of it, and not an edit: then it must say which state it replaces.
    pub(in crate::api) is_whole: bool,
    /// Who owns what it sets.
    pub(in crate::api) manager: Manager,
    /// Warnings of fields that were taken out.
    pub(in crate::api) dropped: Vec<String>,
}

/// What became of an object, or, in a dry run, would become of it.
#[derive(Debug)]
pub(in crate::api) struct Changed {
    /// What it is now, or was last.
    pub(in crate::api) object: Object,
    /// Whether it is gone.
    pub(in crate::api) removed: bool,
    /// What admission had to say.
    pub(in crate::api) warnings: Vec<String>,
}

impl From<Changed> for Answer<Object> {
    fn from(changed: Changed) -> Self {
        Self {
            code: StatusCode::OK,
            body: changed.object,
            warnings: changed.warnings,
        }
    }
}

/// One change of one object.
#[derive(Debug)]
pub(in crate::api) struct Change<'a> {
    pub(in crate::api) key: &'a Key,
    pub(in crate::api) caller: &'a Caller,
    /// Why, for the history: the verb.
    pub(in crate::api) reason: &'static str,
    /// Whether nothing is stored.
    pub(in crate::api) dry_run: bool,
}

impl Change<'_> {
    /// Stores what `decide` makes of the present object. When the object changes in between, `decide` is asked
    /// anew, so it is also the place to refuse a state that the client has not seen.
    ///
    /// # Errors
    /// 404 when there is no object, whatever `decide` or admission refuses, and 409 when others were faster too often.
    pub(in crate::api) async fn carry_out(
        &self,
        api: &Api,
        decide: impl Fn(&Object) -> Result<Step, ApiError>,
    ) -> Result<Changed, ApiError> {
        let intent = Intent::of(self.dry_run);
        for attempt in 0..TRIES {
            let old = api.object(self.key).await?;
            let (new, warnings, turn) = match decide(&old)? {
                Step::Keep => (Some(old.clone()), Vec::new(), None),
                Step::Admit(Sent {
                    raw,
                    is_whole,
                    manager,
                    dropped,
                }) => {
                    let Admitted {
                        mut object,
                        mut warnings,
                        turn,
                    } = admit(api, self.caller, &raw, &old, intent).await?;
                    if is_whole {
                        says_what_it_saw(&raw, &old)?;
                    }
                    object.metadata.managed_fields =
                        managed::update(Some(&old), &object, &manager, Timestamp::now());
                    warnings.extend(dropped);
                    (Some(object), warnings, turn)
                }
                Step::Apply(Applied {
                    object: raw, owners, ..
                }) => {
                    let Admitted {
                        mut object,
                        warnings,
                        turn,
                    } = admit(api, self.caller, &raw, &old, intent).await?;
                    object.metadata.managed_fields = owners;
                    (Some(object), warnings, turn)
                }
                Step::Store(new, warnings) => (Some(*new), warnings, None),
                Step::Remove => (None, Vec::new(), None),
            };
            match self.store(api, old, new, turn).await {
                Err(StoreError::Conflict { .. }) => tokio::time::sleep(pause(attempt)).await,
                Err(error) => return Err(error.into()),
                Ok((object, removed)) => {
                    return Ok(Changed {
                        object,
                        removed,
                        warnings,
                    });
                }
            }
        }
        Err(ApiError::modified(self.key.clone()))
    }

    /// Brings the store from `old` to `new`; an object that nothing holds any more goes.
    async fn store(
        &self,
        api: &Api,
        old: Object,
        new: Option<Object>,
        turn: Option<Turn>,
    ) -> Result<(Object, bool), StoreError> {
        let Some(expected) = old.revision() else {
            return Err(StoreError::NotFound(self.key.clone()));
        };
        let key = self.key.clone();
        let (result, op, removed) = match new {
            Some(new) if new == old => return Ok((old, false)),
            // The one that somebody made of it is shown, the last one that it was.
            Some(last) if lifecycle::is_finished(&last) => (last, Op::Remove { key, expected }, true),
            Some(object) => (object.clone(), Op::Update { object, expected }, false),
            None => (old, Op::Remove { key, expected }, true),
        };
        if self.dry_run {
            return Ok((result, removed));
        }
        let mut stored = store(api, op, turn, self.caller, self.reason).await?;
        if removed {
            let revision = stored.metadata.resource_version.take();
            stored = result;
            stored.metadata.resource_version = revision;
        }
        Ok((stored, removed))
    }
}

/// Does one write on behalf of a caller, in its turn where it needs one.
pub(in crate::api) async fn store(
    api: &Api,
    op: Op,
    turn: Option<Turn>,
    caller: &Caller,
    reason: &'static str,
) -> Result<Object, StoreError> {
    let write = Write {
        op,
        actor: caller.to_string(),
        reason: reason.to_owned(),
        epoch: None,
    };
    let Some(turn) = turn else {
        return api.store.write(write).await;
    };
    // Whoever asked may go while it is stored: the turn ends when the store has answered, and not before.
    let store = api.store.clone();
    let stored = tokio::spawn(async move {
        let stored = store.write(write).await;
        drop(turn);
        stored
    });
    stored.await.unwrap_or(Err(StoreError::Timeout))
}

/// Short, and different for each, so that writers who collide do not march in step.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..=u64::from(attempt.min(10))))
}
