//! One turn of one key: from what is declared and what is observed to the next step.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::plan::{self, Observed, Outcome, Plan};
use crate::queue::Next;
use crate::resource::lower::Endpoints;
use crate::resource::{Key, Object};
use crate::store::{Epoch, Store};
use crate::swarm::{Cache, SecretsDir, Want};
use crate::telemetry::{Chain, Metrics};

use super::StepError;
use super::act;
use super::next::{self, Ended};
use super::outages::{Outages, Unobserved};
use super::prepare::{self, Prepared};

/// What every turn needs.
#[derive(Clone)]
pub(super) struct Reconciler {
    /// What is declared.
    pub(super) store: Store,
    /// What is observed.
    pub(super) cache: Cache,
    /// Where secret content comes from.
    pub(super) secrets: SecretsDir,
    /// What agents are told of their surroundings.
    pub(super) endpoints: Endpoints,
    /// The installation's id.
    pub(super) instance: String,
    /// The leader's epoch that every write is checked against.
    pub(super) epoch: Epoch,
    /// Figures.
    pub(super) metrics: Metrics,
    /// Since when what is not observed now is not.
    pub(super) outages: Outages,
}

impl Reconciler {
    /// Takes one turn and says when the next one is due. Never fails: an error is logged, counted and waited out.
    pub(super) async fn reconcile(&self, key: Key) -> Next {
        let started = Instant::now();
        let result = self.turn(&key).await;
        let (outcome, next) = match &result {
            Ok(next) => ("ok", *next),
            Err(error) if error.is_conflict() => ("conflict", Next::After(Duration::from_millis(20))),
            Err(error) => {
                tracing::warn!(%key, error = %Chain(error), "cannot reconcile now");
                (error.step(), Next::Backoff)
            }
        };
        self.metrics
            .reconciled(key.kind.singular(), outcome, started.elapsed());
        next
    }

    async fn turn(&self, key: &Key) -> Result<Next, StepError> {
        match self.store.get(key).await.map_err(StepError::Fetch)? {
            None => {
                self.metrics.forget_agents(&super::report::labels(key));
                self.sweep(key).await
            }
            Some(object) if object.is_deleting() => self.finalize(&object).await,
            Some(object) => self.converge(&object).await,
        }
    }

    async fn converge(&self, object: &Object) -> Result<Next, StepError> {
        let key = object.key();
        let prepared = prepare::prepare(&self.store, &self.endpoints, object)
            .await
            .map_err(StepError::Fetch)?;
        let observed = self.observe(&prepared.want()).await;
        let plan = self.decide(&prepared, &observed);
        let report = plan.report.clone();
        let outcome = self.act(&key, plan).await;
        let status = self
            .report(object, prepared.subject(), &observed, &report, &outcome)
            .await
            .map_err(StepError::Status)?;
        let settling = next::is_settling(&status);
        self.cache.settling(&key, settling);
        observed?;
        Ok(next::after(ended(settling, &outcome), &outcome))
    }

    /// One owner's slice of the Swarm. From before the look on, changes of what it names ask for the owner.
    pub(super) async fn observe(&self, want: &Want<'_>) -> Result<Observed, Unobserved> {
        self.cache.follow(want);
        let looked = self.cache.observe(want).await;
        self.outages.note(want.owner, looked, Timestamp::now())
    }

    fn decide(&self, prepared: &Prepared, observed: &Result<Observed, Unobserved>) -> Plan {
        match (prepared, observed) {
            (Prepared::Workload(workload), Ok(observed)) => plan::plan(workload, observed, &self.instance),
            _ => Plan::default(),
        }
    }

    /// Carries `plan` out; what was observed before is then no longer true.
    pub(super) async fn act(&self, key: &Key, plan: Plan) -> Outcome {
        if plan.is_empty() {
            return Outcome::default();
        }
        let swarm = self.cache.swarm();
        let outcome = act::act(plan, |action| async move {
            let started = Instant::now();
            let result = swarm.act(&action, &self.instance, &self.secrets).await;
            let answer = if result.is_ok() { "ok" } else { "error" };
            self.metrics
                .engine_called(act::operation(&action), answer, started.elapsed());
            result
        });
        let outcome = outcome.await;
        self.cache.invalidate(key);
        outcome
    }
}

fn ended(settling: bool, outcome: &Outcome) -> Ended {
    if settling {
        Ended::Settling {
            acted: !outcome.done.is_empty(),
        }
    } else {
        Ended::Settled
    }
}
