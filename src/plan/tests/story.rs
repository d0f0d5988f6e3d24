//! Rounds of a reconcile, one after another, and what people are told of each.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::model;
use super::world::{INSTANCE, World};
use crate::plan::action::{Action, Failure, FailureKind, Outcome, Plan};
use crate::plan::events::{deeds, events};
use crate::plan::round::{Round, Subject, Unseen};
use crate::plan::status;
use crate::resource::condition::{self, ConditionType};
use crate::resource::event::EventType;
use crate::resource::kinds::WorkloadStatus;

/// A world whose rounds are told.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) status: WorkloadStatus,
    /// The events of the last round, as `Warning AgentFailed: …`.
    pub(super) events: Vec<String>,
    /// Fails the round's actions that it finds something against.
    pub(super) fault: fn(&Action) -> Option<FailureKind>,
}

impl Story {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            status: WorkloadStatus::default(),
            events: Vec::new(),
            fault: |_| None,
        }
    }

    /// A story of a settled world, after the round that found it so.
    pub(super) fn settled(roles: &str) -> Self {
        let mut story = Self::new(World::settled(roles));
        story.round();
        assert_eq!(story.status.state, "Ready");
        story
    }

    /// Plans, acts and tells.
    pub(super) fn round(&mut self) -> &WorkloadStatus {
        let plan = self.world.plan();
        let before = self.world.observed.clone();
        let outcome = self.act(&plan);
        let workload = self.world.workload.clone();
        self.tell(&Round {
            subject: Subject::Workload(&workload),
            observed: Ok(&before),
            report: &plan.report,
            outcome: &outcome,
            instance: INSTANCE,
            now: self.world.now,
        })
    }

    /// A round without a plan; one that saw nothing has a reason, and the time since when the engine is away.
    pub(super) fn round_of(
        &mut self,
        subject: Subject<'_>,
        observed: Result<(), (&str, Option<Timestamp>)>,
    ) -> &WorkloadStatus {
        let seen = self.world.observed.clone();
        let observed = observed.map_err(|(why, away_since)| Unseen {
            why: why.to_owned(),
            away_since,
        });
        self.tell(&Round {
            subject,
            observed: observed.as_ref().map(|()| &seen),
            report: &Default::default(),
            outcome: &Outcome::default(),
            instance: INSTANCE,
            now: self.world.now,
        })
    }

    fn tell(&mut self, round: &Round<'_>) -> &WorkloadStatus {
        let old = (self.status != WorkloadStatus::default()).then_some(&self.status);
        let new = status(old, round);
        let told = deeds(old, &new, round)
            .into_iter()
            .chain(events(old, &new, round));
        let told = told.map(|event| {
            let type_ = match event.type_ {
                EventType::Normal => "Normal",
                EventType::Warning => "Warning",
            };
            format!("{type_} {}: {}", event.reason, event.message)
        });
        self.events = told.collect();
        self.status = new;
        &self.status
    }

    fn act(&mut self, plan: &Plan) -> Outcome {
        let mut outcome = Outcome::default();
        let mut undone = BTreeSet::new();
        for stage in &plan.stages {
            let (waiting, possible): (Vec<_>, Vec<_>) =
                stage.iter().partition(|action| action.waits_for(&undone));
            undone.extend(waiting.into_iter().map(Action::target));
            for action in possible {
                match (self.fault)(action) {
                    Some(kind) => {
                        undone.insert(action.target());
                        outcome.failed.push(Failure {
                            what: action.target(),
                            kind,
                            message: format!("the engine does not want {}", action.target().kind()),
                        });
                    }
                    None => {
                        let only = Plan {
                            stages: vec![vec![action.clone()]],
                            ..Plan::default()
                        };
                        model::apply(&mut self.world.observed, &only, self.world.now);
                        outcome.done.push(action.clone());
                    }
                }
            }
        }
        outcome
    }

    /// `3/4 Stalled Ready=False:CrashLoop Progressing=False:CrashLoop …`.
    pub(super) fn shown(&self) -> String {
        let WorkloadStatus {
            summary,
            state,
            conditions,
            ..
        } = &self.status;
        let conditions = conditions
            .iter()
            .filter(|condition| condition.reason != "AsExpected");
        let conditions = conditions.map(|found| format!("{}={}:{}", found.type_, found.status, found.reason));
        let conditions: Vec<_> = conditions.collect();
        format!("{summary} {state} {}", conditions.join(" "))
    }

    /// Since when a condition is what it is, in seconds.
    pub(super) fn since(&self, type_: ConditionType) -> i64 {
        let found = condition::get(&self.status.conditions, type_).unwrap();
        found.last_transition_time.0.as_second()
    }
}
