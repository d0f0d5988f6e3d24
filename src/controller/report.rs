//! Tells the world what a turn came to: the status, if it differs, and events.

use jiff::Timestamp;

use crate::plan::{self, EventDraft, Observed, Outcome, Report, Round, Subject, Unseen};
use crate::resource::kinds::WorkloadStatus;
use crate::resource::{Key, Object, managed};
use crate::store::{EventRecord, Op, StoreError, Write};
use crate::swarm::SwarmError;
use crate::telemetry::Chain;
use crate::telemetry::metrics::OwnerLabels;

use super::Reconciler;

/// The name under which the controllers write.
pub(super) const ACTOR: &str = "system:whoosh:controller";

/// The status that an object has now; `None` when it has none yet, or one that this version cannot read.
pub(super) fn status_of(object: &Object) -> Option<WorkloadStatus> {
    serde_json::from_value(object.status.clone()?).ok()
}

/// What people are told of a look that failed.
fn unseen(error: &SwarmError) -> Unseen {
    Unseen {
        why: Chain(error).to_string(),
        away_since: match error {
            SwarmError::Away(outage) => Some(outage.since),
            _ => None,
        },
    }
}

/// What an object is called in the metrics.
pub(super) fn labels(key: &Key) -> OwnerLabels {
    OwnerLabels {
        kind: key.kind.singular(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

impl Reconciler {
    /// Says what a turn came to: writes the status that it leaves, if that differs, and records its events.
    pub(super) async fn report(
        &self,
        object: &Object,
        subject: Subject<'_>,
        observed: &Result<Observed, SwarmError>,
        report: &Report,
        outcome: &Outcome,
    ) -> Result<WorkloadStatus, StoreError> {
        let observed = observed.as_ref().map_err(unseen);
        let round = Round {
            subject,
            observed: observed.as_ref().copied(),
            report,
            outcome,
            instance: &self.controller.instance,
            now: Timestamp::now(),
        };
        let old = status_of(object);
        let status = plan::status(old.as_ref(), &round);
        self.tell(object, plan::deeds(old.as_ref(), &status, &round))
            .await;
        self.save(object, &status).await?;
        self.tell(object, plan::events(old.as_ref(), &status, &round))
            .await;
        self.controller
            .metrics
            .set_agents(&labels(&object.key()), status.replicas, status.ready_replicas);
        Ok(status)
    }

    /// Writes `status` unless the object has it already.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the object changed meanwhile: the next turn sees it as it is now.
    async fn save(&self, object: &Object, status: &WorkloadStatus) -> Result<(), StoreError> {
        if status_of(object).as_ref() == Some(status) {
            return Ok(());
        }
        let json = serde_json::to_value(status).unwrap_or_default();
        let next = managed::with_status(object, json, Timestamp::now());
        self.write(
            Op::Update {
                object: next,
                expected: object.revision().unwrap_or_default(),
            },
            "status",
        )
        .await
    }

    /// Writes under this leader's epoch: a leader that lost its lease writes nothing more.
    pub(super) async fn write(&self, op: Op, reason: &'static str) -> Result<(), StoreError> {
        let write = Write {
            op,
            actor: ACTOR.to_owned(),
            reason: reason.to_owned(),
            epoch: Some(self.epoch),
        };
        self.controller.store.write(write).await?;
        Ok(())
    }

    /// Records what is worth telling. That it could not be recorded stops nothing.
    pub(super) async fn tell(&self, object: &Object, drafts: Vec<EventDraft>) {
        for EventDraft {
            type_,
            reason,
            message,
        } in drafts
        {
            tracing::info!(object = %object.key(), %reason, "{message}");
            let uid = object.uid().to_owned();
            let event = EventRecord {
                regarding: object.key(),
                uid,
                type_,
                reason: reason.to_string(),
                message,
            };
            if let Err(error) = self.controller.store.record_event(event).await {
                tracing::warn!(error = %Chain(&error), object = %object.key(), "cannot record an event");
            }
        }
    }
}
