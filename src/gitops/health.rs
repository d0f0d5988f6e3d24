//! How the teams, councils and sources that a source declares are. Pure.

use crate::resource::condition::{self, ConditionType, Reason};
use crate::resource::git_source::{GitSourceStatus, ObjectHealth, SourceHealth};
use crate::resource::{Key, Kind, Object};

/// How many of those that are not ready a status names.
const NAMED: usize = 20;
/// The state of one that nobody has looked at since it changed.
const NEW: &str = "Progressing";
const READY: &str = "Ready";

/// How one object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    state: String,
    message: String,
}

impl Health {
    /// How a team, council or source is, as the operator last said of what is declared now; `None` of what does nothing.
    pub(super) fn of(object: &Object) -> Option<Self> {
        if !does_something(object.kind) {
            return None;
        }
        let text = |field: &str| {
            let status = object.status.as_ref()?;
            status.get(field)?.as_str().map(str::to_owned)
        };
        let seen = object
            .status
            .as_ref()
            .and_then(|status| status.get("observedGeneration")?.as_i64());
        let is_seen = seen == Some(object.generation()) && !object.is_deleting();
        let state = match object.kind {
            Kind::GitSource => source_state(object),
            _ => text("state"),
        };
        Some(match state.filter(|_| is_seen) {
            // Of the many that are well, nothing else is kept in mind.
            Some(state) => Self {
                message: text("message").filter(|_| state != READY).unwrap_or_default(),
                state,
            },
            None => Self::unknown(),
        })
    }

    fn unknown() -> Self {
        Self {
            state: NEW.to_owned(),
            message: String::new(),
        }
    }
}

/// How a source is. One that waits for others counts as ready: who declares it may be one of them.
fn source_state(source: &Object) -> Option<String> {
    let status: GitSourceStatus = serde_json::from_value(source.status.clone()?).ok()?;
    let ready = condition::get(&status.conditions, ConditionType::Ready)?;
    let waits = ready.reason == Reason::DependencyNotReady.to_string();
    Some(match ready.status == "True" || waits {
        true => READY.to_owned(),
        false => ready.reason.clone(),
    })
}

fn does_something(kind: Kind) -> bool {
    kind.owns_agents() || kind == Kind::GitSource
}

/// How those of `inventory` are that do something, of whom `known` tells.
pub(super) fn sum<'a>(inventory: &[String], known: impl Fn(&Key) -> Option<&'a Health>) -> SourceHealth {
    let keys = inventory.iter().filter_map(|text| Key::parse(text));
    let mut sum = SourceHealth::default();
    for key in keys.filter(|key| does_something(key.kind)) {
        sum.total += 1;
        let Health { state, message } = known(&key).cloned().unwrap_or_else(Health::unknown);
        if state == READY {
            sum.ready += 1;
        } else if sum.not_ready.len() < NAMED {
            sum.not_ready.push(ObjectHealth {
                object: key.to_string(),
                state,
                message,
            });
        }
    }
    sum
}

/// What is said of a source that waits for those of its objects that are not ready; `None` when all are, or it does not
/// wait. It is in the namespace `here`.
pub(super) fn waits_for(wait: bool, health: &SourceHealth, here: &str) -> Option<String> {
    let left = health.total.saturating_sub(health.ready);
    if !wait || left == 0 {
        return None;
    }
    let first = health.not_ready.first();
    let first = first.map(|first| {
        let ObjectHealth {
            object,
            state,
            message,
        } = first;
        let name = Key::parse(object).map_or(object.clone(), |key| key.seen_from(here));
        match message.as_str() {
            "" => format!(": {name} is {state}"),
            message => format!(": {name} is {state}: {message}"),
        }
    });
    Some(format!(
        "{left} of {} objects are not ready{}",
        health.total,
        first.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn team(name: &str, generation: i64, status: Value) -> Object {
        let mut object = Object::new(&Key::new(Kind::Team, "default", name), json!({}));
        object.metadata.generation = Some(generation);
        object.status = Some(status);
        object
    }

    #[test]
    fn what_counts_is_what_was_said_of_the_generation_that_is_declared() {
        let ready = json!({"state": "Ready", "observedGeneration": 1});
        let stalled = json!({"state": "Stalled", "message": "no image", "observedGeneration": 2});
        let known: BTreeMap<Key, Health> = [
            team("a", 1, ready.clone()),
            team("b", 2, stalled),
            team("c", 2, ready),
        ]
        .iter()
        .map(|team| (team.key(), Health::of(team).unwrap()))
        .collect();
        let inventory = [
            "agenttemplate/default/t",
            "team/default/a",
            "team/default/b",
            "team/default/c",
            "team/default/d",
        ];
        let sum = sum(&inventory.map(str::to_owned), |key| known.get(key));
        assert_eq!((sum.ready, sum.total), (1, 4));
        let states: Vec<(&str, &str)> = sum
            .not_ready
            .iter()
            .map(|one| (one.object.as_str(), one.state.as_str()))
            .collect();
        assert_eq!(
            states,
            [
                ("team/default/b", "Stalled"),
                ("team/default/c", "Progressing"),
                ("team/default/d", "Progressing")
            ]
        );
        assert_eq!(
            waits_for(true, &sum, "default").as_deref(),
            Some("3 of 4 objects are not ready: team/b is Stalled: no image")
        );
        let elsewhere = waits_for(true, &sum, "infra").unwrap();
        assert!(
            elsewhere.contains(": team/b in default is Stalled"),
            "{elsewhere}"
        );
        assert_eq!(waits_for(false, &sum, "default"), None);
        assert_eq!(waits_for(true, &SourceHealth::default(), "default"), None);
        let child = |status: &str, reason: &str| {
            let ready = json!({"type": "Ready", "status": status, "reason": reason, "message": "",
                               "lastTransitionTime": "2026-01-01T00:00:00Z"});
            let mut child = team(
                "child",
                1,
                json!({"observedGeneration": 1, "conditions": [ready]}),
            );
            child.kind = Kind::GitSource;
            Health::of(&child).unwrap().state
        };
        assert_eq!(child("True", "RevisionApplied"), "Ready");
        assert_eq!(child("False", "FetchFailed"), "FetchFailed");
        assert_eq!(child("False", "DependencyNotReady"), "Ready");
        let template = Object::new(&Key::new(Kind::AgentTemplate, "default", "t"), json!({}));
        assert_eq!(Health::of(&template), None);
    }
}
