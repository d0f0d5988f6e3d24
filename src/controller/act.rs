//! Carries a plan out: stage after stage, the actions of one stage side by side.

use std::future::Future;

use futures::stream::{self, StreamExt};

use crate::plan::action::{Failure, FailureKind, Outcome};
use crate::plan::{Action, Plan};
use crate::swarm::{ActError, Done};
use crate::telemetry::Chain;

/// Requests that one plan has under way at once. More do not help: a Swarm's writes pass through one raft log.
const AT_ONCE: usize = 8;

/// Does what `plan` says, by `act`. A failure ends the plan after its stage: what follows may need it.
pub async fn act<F>(plan: Plan, act: impl Fn(Action) -> F) -> Outcome
where
    F: Future<Output = Result<Done, ActError>>,
{
    let mut outcome = Outcome::default();
    for stage in plan.stages {
        let act = &act;
        let turns = stage.into_iter().map(|action| async move {
            let result = act(action.clone()).await;
            (action, result)
        });
        let mut results = stream::iter(turns).buffered(AT_ONCE);
        while let Some((action, result)) = results.next().await {
            match result {
                Ok(_) => outcome.done.push(action),
                Err(error) => outcome.failed.push(failure(&action, &error)),
            }
        }
        if !outcome.failed.is_empty() {
            break;
        }
    }
    outcome
}

fn failure(action: &Action, error: &ActError) -> Failure {
    Failure {
        what: action.target(),
        kind: kind(error),
        message: Chain(error).to_string(),
    }
}

fn kind(error: &ActError) -> FailureKind {
    match error {
        ActError::Conflict { .. } => FailureKind::Conflict,
        ActError::NameTaken { .. } => FailureKind::NameTaken,
        ActError::NotFound { .. } | ActError::Secret(_) => FailureKind::NotFound,
        ActError::InUse { .. } => FailureKind::InUse,
        ActError::Refused { .. } => FailureKind::Refused,
        ActError::Unavailable { .. } => FailureKind::Unavailable,
        ActError::Indeterminate { .. } => FailureKind::Indeterminate,
    }
}

/// An action's name, for metrics.
pub fn operation(action: &Action) -> &'static str {
    match action {
        Action::CreateNetwork { .. } => "create-network",
        Action::CreateSecret { .. } => "create-secret",
        Action::CreateConfig { .. } => "create-config",
        Action::CreateService { .. } => "create-service",
        Action::UpdateService { .. } => "update-service",
        Action::RemoveService { .. } => "remove-service",
        Action::ReleaseService { .. } => "release-service",
        Action::RemoveNetwork { .. } => "remove-network",
        Action::RemoveSecret { .. } => "remove-secret",
        Action::RemoveConfig { .. } => "remove-config",
    }
}
