//! What differs between two moments of a game.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::look::{Agent, Look, Running};
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Managers, Move, ObjectOutlook, Outlook, Stranded};
use crate::sim::Refused;

/// What came about since `start`.
pub(super) fn compare(
    before: &Look,
    after: &Look,
    refused: &BTreeMap<String, Refused>,
    managers: Managers,
    start: Timestamp,
) -> Outlook {
    let mut outlook = Outlook {
        managers,
        ..Outlook::default()
    };
    let names: BTreeSet<_> = before.agents.keys().chain(after.agents.keys()).collect();
    for name in names {
        let (namespace, agent) = name.clone();
        let was = before.agents.get(name).and_then(|agent| agent.running.as_ref());
        let from = was.map(|was| was.node.clone());
        match after.agents.get(name) {
            None if was.is_none() => {}
            None => outlook.moves.push(Move {
                namespace,
                agent,
                from,
                to: None,
                after: None,
            }),
            Some(Agent {
                running: Some(is), ..
            }) if was.is_some_and(|was| was.task == is.task) => {}
            Some(Agent {
                running: Some(is), ..
            }) => outlook.moves.push(Move {
                namespace,
                agent,
                from,
                to: Some(is.node.clone()),
                after: Some(is.since.duration_since(start).as_secs_f64()),
            }),
            // It is today as it would be.
            Some(_) if was.is_none() && before.agents.contains_key(name) => {}
            Some(stranded) => outlook.stranded.push(Stranded {
                namespace,
                agent,
                from,
                reason: reason(stranded, refused),
            }),
        }
    }
    let times = outlook.moves.iter().filter_map(|moved| moved.after);
    outlook.settled_after = times.max_by(f64::total_cmp);
    outlook.objects = after
        .objects
        .iter()
        .filter_map(|(key, is)| {
            let was = before.objects.get(key).map(told);
            (was.as_ref() != Some(&told(is))).then(|| ObjectOutlook {
                namespace: key.namespace.clone(),
                object: format!("{}/{}", key.kind.singular(), key.name),
                before: was,
                after: told(is),
                message: is.message.clone(),
            })
        })
        .collect();
    outlook
}

/// What comes of nodes that are `lost` while nobody leads: what ran there is not replaced, and the rest runs on.
pub(super) fn leaderless(before: &Look, lost: &BTreeSet<String>, managers: Managers) -> Outlook {
    let is_lost = |running: &&Running| lost.contains(&running.node);
    let stranded = before.agents.iter().filter_map(|((namespace, name), agent)| {
        let running = agent.running.as_ref().filter(is_lost)?;
        Some(Stranded {
            namespace: namespace.clone(),
            agent: name.clone(),
            from: Some(running.node.clone()),
            reason: "nothing is replaced while the managers have no leader".to_owned(),
        })
    });
    Outlook {
        stranded: stranded.collect(),
        managers,
        ..Outlook::default()
    }
}

fn reason(agent: &Agent, refused: &BTreeMap<String, Refused>) -> String {
    let refused = refused.get(&agent.service).map(|refused| refused.message.clone());
    let known = agent.error.clone().or(refused);
    known.unwrap_or_else(|| format!("it is {} when the simulation ends", agent.state))
}

/// `3/4 Degraded`
fn told(status: &WorkloadStatus) -> String {
    format!("{} {}", status.summary, status.state)
}
