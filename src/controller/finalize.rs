//! The end of an object: its agents go from the Swarm, then its row goes from the store.

use std::collections::BTreeSet;

use crate::plan::{self, Report, Subject, Teardown};
use crate::queue::Next;
use crate::resource::names::{AGENTS_FINALIZER, ORPHAN_FINALIZER};
use crate::resource::policy::Rules;
use crate::resource::workload::Owner;
use crate::resource::{Key, Object};
use crate::store::{Op, StoreError};
use crate::swarm::Want;

use super::next::Ended;
use super::prepare::Prepared;
use super::report::status_of;
use super::{Reconciler, StepError};

impl Reconciler {
    /// A turn of an object that is being deleted: its finalizer goes when nothing of it is left in the Swarm.
    pub(super) async fn finalize(&self, object: &Object) -> Result<Next, StepError> {
        if !object.has_finalizer(AGENTS_FINALIZER) {
            return Ok(Next::Never);
        }
        let key = object.key();
        let want = Want {
            networks: self.networks_of(object).await.map_err(StepError::Fetch)?,
            ..Want::own(&key)
        };
        let observed = self.observe(&want).await;
        let orphan = object.has_finalizer(ORPHAN_FINALIZER);
        let teardown = match &observed {
            Ok(observed) => plan::teardown(&key, &want.networks, orphan, observed, &self.controller.instance),
            Err(_) => Teardown::default(),
        };
        let outcome = self.act(&key, teardown.plan.clone(), &Rules::default()).await;
        let finished = observed.is_ok() && teardown.finished(&outcome);
        if !finished || outlives_its_agents(object) {
            let subject = Subject::Deleting {
                owner: &Owner::of(object),
                remaining: teardown.remaining,
            };
            let status = self
                .report(object, subject, &observed, &Report::default(), &outcome)
                .await
                .map_err(StepError::Status)?;
            // Whoever holds it longer than we do leaves its status as it is: it is right before we go.
            if !finished || status_of(object) != Some(status) {
                self.controller.cache.settling(&key, true);
                observed.map_err(StepError::Observe)?;
                return Ok(self.next(Ended::Removing, &outcome));
            }
        }
        self.release(object, &[AGENTS_FINALIZER])
            .await
            .map_err(StepError::Finalize)?;
        self.controller.cache.settling(&key, false);
        Ok(self.next(Ended::Gone, &outcome))
    }

    /// A turn of a key without an object: what carries our labels for it is left over and goes.
    pub(super) async fn sweep(&self, key: &Key) -> Result<Next, StepError> {
        let observed = self.observe(&Want::own(key)).await.map_err(StepError::Observe)?;
        let teardown = plan::teardown(key, &BTreeSet::new(), false, &observed, &self.controller.instance);
        let outcome = self.act(key, teardown.plan.clone(), &Rules::default()).await;
        let ended = if teardown.finished(&outcome) {
            Ended::Gone
        } else {
            Ended::Removing
        };
        self.controller.cache.settling(key, ended != Ended::Gone);
        Ok(self.next(ended, &outcome))
    }

    /// The networks that the object names, so that those nobody uses any more can go with it.
    async fn networks_of(&self, object: &Object) -> Result<BTreeSet<String>, StoreError> {
        let prepared = self.prepare(object).await?;
        Ok(match prepared {
            Prepared::Workload(_) => prepared.want().networks,
            Prepared::Invalid { .. } => BTreeSet::new(),
        })
    }

    /// Takes finalizers off. When none is left, the row goes.
    pub(super) async fn release(&self, object: &Object, ours: &[&str]) -> Result<(), StoreError> {
        let mut next = object.clone();
        let finalizers = next.metadata.finalizers.get_or_insert_default();
        finalizers.retain(|one| !ours.contains(&one.as_str()));
        let expected = object.revision().unwrap_or_default();
        let op = match crate::resource::lifecycle::is_finished(&next) {
            true => Op::Remove {
                key: object.key(),
                expected,
            },
            false => Op::Update {
                object: next,
                expected,
            },
        };
        self.write(op, "finalized").await
    }
}

/// Whether the object stays when its agents are gone, since it is held by more than them.
fn outlives_its_agents(object: &Object) -> bool {
    let mut finalizers = object.metadata.finalizers.iter().flatten();
    finalizers.any(|one| one != AGENTS_FINALIZER)
}
