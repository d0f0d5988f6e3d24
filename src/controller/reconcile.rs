//! One turn of one key: from what is declared and what is observed to the next step.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::plan::{self, Observed, Outcome, Plan};
use crate::queue::Next;
use crate::resource::policy::Rules;
use crate::resource::{Key, Object};
use crate::store::{Epoch, StoreError};
use crate::swarm::{ActError, SwarmError, Want};
use crate::telemetry::Chain;

use super::act;
use super::leader::Term;
use super::next::{self, Ended};
use super::prepare::{self, Prepared};
use super::{Controller, StepError};

/// What every turn needs.
pub(super) struct Reconciler {
    /// What it works with.
    pub(super) controller: Controller,
    /// The leader's epoch that every write is checked against.
    pub(super) epoch: Epoch,
    /// The engine checks no epoch: each action asks here first.
    pub(super) term: Term,
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
        self.controller
            .metrics
            .reconciled(key.kind.singular(), outcome, started.elapsed());
        next
    }

    async fn turn(&self, key: &Key) -> Result<Next, StepError> {
        match self.controller.store.get(key).await.map_err(StepError::Fetch)? {
            None => {
                self.controller.metrics.forget_agents(&super::report::labels(key));
                self.sweep(key).await
            }
            Some(object) if object.is_deleting() => self.finalize(&object).await,
            Some(object) => self.converge(&object).await,
        }
    }

    async fn converge(&self, object: &Object) -> Result<Next, StepError> {
        let key = object.key();
        let prepared = self.prepare(object).await.map_err(StepError::Fetch)?;
        let observed = self.observe(&prepared.want()).await;
        let plan = self.decide(&prepared, &observed);
        let report = plan.report.clone();
        let outcome = self.act(&key, plan, &prepared.rules()).await;
        let status = self
            .report(object, prepared.subject(), &observed, &report, &outcome)
            .await
            .map_err(StepError::Status)?;
        let settling = next::is_settling(&status);
        self.controller.cache.settling(&key, settling);
        let observed = observed.map_err(StepError::Observe)?;
        let ended = match settling {
            true if !outcome.done.is_empty() => Ended::Acted,
            true => next::settling(&prepared, &observed, &report, &status, Timestamp::now()),
            false => Ended::Settled {
                has_secrets: prepared.want().has_secret_files(),
            },
        };
        Ok(self.next(ended, &outcome))
    }

    /// When the next turn is due after one that ended like this.
    pub(super) fn next(&self, ended: Ended, outcome: &Outcome) -> Next {
        next::after(ended, outcome, &self.controller.tuning, rand::random())
    }

    /// Lowers an object with what it names.
    pub(super) async fn prepare(&self, object: &Object) -> Result<Prepared, StoreError> {
        let Controller { store, endpoints, .. } = &self.controller;
        prepare::prepare(store, endpoints, object).await
    }

    /// One owner's slice of the Swarm. From before the look on, changes of what it names ask for the owner.
    pub(super) async fn observe(&self, want: &Want<'_>) -> Result<Observed, SwarmError> {
        self.controller.cache.follow(want);
        self.controller.cache.observe_to_reconcile(want).await
    }

    fn decide(&self, prepared: &Prepared, observed: &Result<Observed, SwarmError>) -> Plan {
        match (prepared, observed) {
            (Prepared::Workload(workload), Ok(observed)) => {
                plan::plan(workload, observed, &self.controller.instance)
            }
            _ => Plan::default(),
        }
    }

    /// Carries `plan` out, as far as `rules` allow; what was observed before is then no longer true.
    pub(super) async fn act(&self, key: &Key, plan: Plan, rules: &Rules) -> Outcome {
        if plan.is_empty() {
            return Outcome::default();
        }
        let cache = &self.controller.cache;
        let swarm = cache.swarm();
        act::act(
            plan,
            || !self.term.is_over(),
            |action| async move {
                let started = Instant::now();
                let Controller {
                    instance, secrets, ..
                } = &self.controller;
                let result = match cache.admit(key, &action, rules) {
                    Ok(()) => swarm.act(&action, instance, secrets, rules).await,
                    Err(denied) => Err(denied),
                };
                match &result {
                    Ok(_) => cache.acted_on(key, &action.target()),
                    Err(ActError::Indeterminate { .. }) => cache.invalidate(key),
                    Err(_) => {
                        cache.acted_on(key, &action.target());
                        // It failed because of what is no longer as it was seen.
                        action.needs().iter().for_each(|need| cache.acted_on(key, need));
                    }
                }
                let answer = if result.is_ok() { "ok" } else { "error" };
                self.controller
                    .metrics
                    .engine_called(act::operation(&action), answer, started.elapsed());
                result
            },
        )
        .await
    }
}
