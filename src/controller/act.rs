//! Carries a plan out: stage after stage, the actions of one stage side by side.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt};

use crate::plan::action::{Failure, FailureKind, Outcome};
use crate::plan::{Action, Plan};
use crate::swarm::{ActError, Done};
use crate::telemetry::Chain;

/// Requests that one plan has under way at once. More do not help: a Swarm's writes pass through one raft log.
const AT_ONCE: usize = 8;
/// Actions that a turn begins. The next turn goes on: so an object of thousands of agents has a status that is seconds
/// old at most, and a new generation of it is heard of as soon.
const A_TURN: usize = 500;

/// Does what `plan` says, by `act`. What needs something that failed is left for another turn; the rest goes on,
/// unless the engine is lost: then each further action would only wait for it in vain. Once `may_act` says no, nothing
/// of the plan is begun any more, whatever it says later. A long plan is begun only: its first [`A_TURN`] actions.
pub(super) async fn act<F>(plan: Plan, may_act: impl Fn() -> bool, act: impl Fn(Action) -> F) -> Outcome
where
    F: Future<Output = Result<Done, ActError>>,
{
    let (may_act, act, is_over) = (&may_act, &act, &AtomicBool::new(false));
    let (mut outcome, mut undone) = (Outcome::default(), BTreeSet::new());
    let mut left = A_TURN;
    for stage in plan.stages {
        let (waiting, possible): (Vec<_>, Vec<_>) =
            stage.into_iter().partition(|action| action.waits_for(&undone));
        undone.extend(waiting.iter().map(Action::target));
        undone.extend(possible.iter().skip(left).map(Action::target));
        let begun = possible.into_iter().take(left);
        left -= begun.len();
        let turns = begun.map(|action| async move {
            if !may_act() {
                is_over.store(true, Ordering::Relaxed);
            }
            if is_over.load(Ordering::Relaxed) {
                return None;
            }
            let result = act(action.clone()).await;
            if result.as_ref().is_err_and(ActError::is_outage) {
                is_over.store(true, Ordering::Relaxed);
            }
            Some((action, result))
        });
        let mut results = stream::iter(turns).buffered(AT_ONCE);
        while let Some(turn) = results.next().await {
            match turn {
                Some((action, Ok(_))) => outcome.done.push(action),
                Some((action, Err(error))) => {
                    undone.insert(action.target());
                    outcome.failed.push(failure(&action, &error));
                }
                None => {}
            }
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
        ActError::Denied { .. } => FailureKind::Denied,
        ActError::Unavailable { .. } => FailureKind::Unavailable,
        ActError::Indeterminate { .. } => FailureKind::Indeterminate,
    }
}

/// An action's name, for metrics.
pub(super) fn operation(action: &Action) -> &'static str {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::future::ready;
    use std::time::Duration;

    use futures::FutureExt;
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::plan::{self, Observed};
    use crate::resource::lower::{Endpoints, lower};
    use crate::resource::policy::Rules;
    use crate::resource::{Key, Kind, Object};
    use crate::swarm::SwarmError;

    /// The plan of a Team whose writer needs a secret; a config of the writer's past goes last.
    fn plan() -> Plan {
        let key = Key::new(Kind::Team, "default", "payments");
        let agent = json!({"secrets": [{"name": "token"}]});
        let spec = json!({
            "defaults": {"image": "agent:dev"},
            "roles": [{"name": "writer", "agent": agent}, {"name": "reviewer"}],
        });
        let workload = lower(
            &Object::new(&key, spec),
            &BTreeMap::new(),
            &Endpoints::default(),
            &Rules::default(),
        )
        .unwrap();
        let observed = Observed {
            secret_sources: BTreeMap::from([("token".to_owned(), "1".to_owned())]),
            ..Observed::default()
        };
        let mut plan = plan::plan(&workload, &observed, "here");
        plan.stages.push(vec![Action::RemoveConfig {
            id: "c1".to_owned(),
            name: "old".to_owned(),
            users: BTreeSet::from(["team_default_payments_writer_1".to_owned()]),
        }]);
        plan
    }

    fn check(failing: &str, done: &[&str]) {
        let fail = |action: Action| {
            let what = action.target().to_string();
            ready(match operation(&action) {
                failed if failed == failing || what.starts_with(failing) => Err(ActError::NameTaken { what }),
                _ => Ok(Done::Removed),
            })
        };
        let outcome = act(plan(), || true, fail).now_or_never().unwrap();
        let told: Vec<_> = outcome
            .done
            .iter()
            .map(|action| action.target().to_string())
            .collect();
        let same =
            told.len() == done.len() && told.iter().zip(done).all(|(told, done)| told.starts_with(done));
        assert!(same, "{failing}: {told:?}");
    }

    #[test]
    fn a_failure_holds_up_what_needs_it_and_nothing_else() {
        let (network, secret) = ("network chorus_net", "secret whoosh_default_token_");
        let writer = "service team_default_payments_writer_1";
        let reviewer = "service team_default_payments_reviewer_1";
        check("none", &[network, secret, writer, reviewer, "config old"]);
        check("create-secret", &[network, reviewer]);
        check("create-network", &[secret]);
        check("create-service", &[network, secret]);
        check(writer, &[network, secret, reviewer]);
        check(reviewer, &[network, secret, writer, "config old"]);
        check("remove-config", &[network, secret, writer, reviewer]);
    }

    #[test]
    fn nothing_is_begun_once_it_may_not_act() {
        let (asked, begun) = (Cell::new(0), Cell::new(0));
        let act = act(
            plan(),
            || {
                asked.set(asked.get() + 1);
                asked.get() != 3
            },
            |_| {
                begun.set(begun.get() + 1);
                ready(Ok(Done::Removed))
            },
        );
        let outcome = act.now_or_never().unwrap();
        assert_eq!((begun.get(), outcome.done.len(), outcome.failed.len()), (2, 2, 0));
    }

    #[test]
    fn a_long_plan_takes_several_turns() {
        let remove = |number: usize| Action::RemoveConfig {
            id: format!("c{number}"),
            name: format!("config{number}"),
            users: BTreeSet::new(),
        };
        let last = Action::RemoveConfig {
            id: "last".to_owned(),
            name: "last".to_owned(),
            users: BTreeSet::new(),
        };
        let plan = Plan {
            stages: vec![(0..A_TURN + 1).map(remove).collect(), vec![last]],
            ..Plan::default()
        };
        let outcome = act(plan, || true, |_| ready(Ok(Done::Removed)))
            .now_or_never()
            .unwrap();
        let first: Vec<Action> = (0..A_TURN).map(remove).collect();
        assert_eq!((outcome.done, outcome.failed), (first, Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_engine_is_not_waited_for_once_an_action() {
        let services = |agents: u32| {
            let mut plan = plan();
            let create = plan.stages.iter().flatten().find_map(|action| match action {
                Action::CreateService { spec } => Some(spec.clone()),
                _ => None,
            });
            let create = |number: u32| {
                let mut spec = create.clone().unwrap();
                spec.name = format!("agent{number}");
                Action::CreateService { spec }
            };
            plan.stages = vec![
                (0..agents).map(create).collect(),
                (0..agents).map(create).collect(),
            ];
            plan
        };
        let start = Instant::now();
        let outcome = act(
            services(100),
            || true,
            |action| async move {
                sleep(Duration::from_secs(30)).await;
                let what = action.target().to_string();
                let (request, after) = (what.clone(), Duration::from_secs(30));
                let source = SwarmError::TimedOut { what: request, after };
                Err(ActError::Indeterminate { what, source })
            },
        )
        .await;
        assert_eq!((outcome.failed.len(), start.elapsed().as_secs()), (AT_ONCE, 30));
    }
}
