//! The end of a suspension that was for a time.

use jiff::Timestamp;

use super::Term;
use super::source::Source;
use crate::resource::managed::{self, Manager};
use crate::resource::names::FIELD_MANAGER;
use crate::resource::{Object, lifecycle};
use crate::store::{Batch, Op, StoreError};

impl Term {
    /// Takes a suspension whose time is over out of the spec, so that what is shown is so, and whoever suspends the source
    /// again changes something. `false` where there is none.
    pub(super) async fn end_suspension(&self, source: &Source) -> Result<bool, StoreError> {
        let (old, now) = (&source.object, Timestamp::now());
        let is_over = source.spec.suspend && source.spec.suspended(now).is_none();
        // Whoever applies it would do so again.
        let Some(expected) = old.revision().filter(|_| is_over && !is_applied(old)) else {
            return Ok(false);
        };
        let mut new = old.clone();
        if let Some(spec) = new.spec.as_object_mut() {
            spec.retain(|name, _| name != "suspend" && name != "suspension");
        }
        let mut new = lifecycle::update(old, new);
        new.metadata.managed_fields = managed::update(Some(old), &new, &Manager::new(FIELD_MANAGER), now);
        let batch = Batch {
            ops: vec![Op::Update {
                object: new,
                expected,
            }],
            actor: source.actor(),
            reason: "resume".to_owned(),
            epoch: Some(self.epoch),
        };
        self.api.store.write_all(batch).await?;
        Ok(true)
    }
}

/// Whether somebody applies that it is suspended.
fn is_applied(object: &Object) -> bool {
    let owners = object.metadata.managed_fields.iter().flatten();
    let mut appliers = owners.filter(|owner| owner.operation.as_deref() == Some("Apply"));
    appliers.any(|owner| {
        let fields = owner.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields.pointer("/f:spec/f:suspend").is_some())
    })
}
