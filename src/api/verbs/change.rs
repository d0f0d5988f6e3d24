//! Read, decide, write; and again when somebody else was faster.

use std::time::Duration;

use crate::api::caller::Caller;
use crate::api::state::Api;
use crate::api::status::ApiError;
use crate::resource::{Key, Object, lifecycle};
use crate::store::{Op, StoreError, Write};

/// Tries before a change gives up against others. Each lost try means that somebody else's change was stored.
const TRIES: u32 = 64;

/// What is to become of an object.
#[derive(Debug)]
pub(in crate::api) enum Step {
    /// It is as it should be.
    Keep,
    /// It is replaced.
    Store(Box<Object>),
    /// It goes.
    Remove,
}

/// What became of an object.
#[derive(Debug)]
pub(in crate::api) enum Changed {
    /// It is (or, in a dry run, would be) this.
    Stored(Object),
    /// It is (or, in a dry run, would be) gone; what it was last.
    Removed(Object),
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
    /// 404 when there is no object, whatever `decide` refuses, and 409 when others were faster too often.
    pub(in crate::api) async fn carry_out(
        &self,
        api: &Api,
        mut decide: impl AsyncFnMut(&Object) -> Result<Step, ApiError>,
    ) -> Result<Changed, ApiError> {
        for attempt in 0..TRIES {
            let old = api.object(self.key).await?;
            let step = decide(&old).await?;
            match self.apply(api, old, step).await {
                Err(StoreError::Conflict { .. }) => tokio::time::sleep(pause(attempt)).await,
                result => return Ok(result?),
            }
        }
        Err(ApiError::modified(self.key.clone()))
    }

    async fn apply(&self, api: &Api, old: Object, step: Step) -> Result<Changed, StoreError> {
        let Some(expected) = old.revision() else {
            return Err(StoreError::NotFound(self.key.clone()));
        };
        let (new, op) = match step {
            Step::Keep => return Ok(Changed::Stored(old)),
            Step::Store(new) if *new == old => return Ok(Changed::Stored(old)),
            Step::Store(new) if !lifecycle::is_finished(&new) => {
                let object = (*new).clone();
                (Changed::Stored(*new), Op::Update { object, expected })
            }
            Step::Store(_) | Step::Remove => {
                let key = self.key.clone();
                (Changed::Removed(old), Op::Remove { key, expected })
            }
        };
        if self.dry_run {
            return Ok(new);
        }
        let stored = store(api, op, self.caller, self.reason).await?;
        Ok(match new {
            Changed::Stored(_) => Changed::Stored(stored),
            Changed::Removed(_) => Changed::Removed(stored),
        })
    }
}

/// Does one write on behalf of a caller.
pub(in crate::api) async fn store(
    api: &Api,
    op: Op,
    caller: &Caller,
    reason: &'static str,
) -> Result<Object, StoreError> {
    let write = Write {
        op,
        actor: caller.to_string(),
        reason: reason.to_owned(),
        epoch: None,
    };
    api.store.write(write).await
}

/// Short, and different for each, so that writers who collide do not march in step.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..=u64::from(attempt.min(10))))
}
