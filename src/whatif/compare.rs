//! What differs between two moments of a game.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Today;
use super::look::{Agent, Look, Running};
use crate::plan::{self, Observed, Outcome, Report, Round, Subject, Unseen, agents};
use crate::resource::Key;
use crate::resource::kinds::WorkloadStatus;
use crate::resource::outlook::{Move, ObjectOutlook, Outlook, Stranded};
use crate::sim::Refused;
use crate::swarm::SwarmError;

/// What came about since today. An object to which nothing happened is as it was: that time goes by is no news of it.
pub(super) fn compare<'a>(
    today: &'a Today,
    before: &'a Look,
    after: &'a Look,
    refused: &BTreeMap<String, Refused>,
) -> Outlook {
    let mut outlook = Outlook::default();
    let changed = today.owners.iter().filter(|owner| owner.is_changed);
    let mut touched: BTreeSet<&Key> = changed.map(|owner| &owner.workload.owner.key).collect();
    let names: BTreeSet<_> = before.agents.keys().chain(after.agents.keys()).collect();
    for name in names {
        let (was, is) = (before.agents.get(name), after.agents.get(name));
        let running = |agent: Option<&'a Agent>| agent.and_then(|agent| agent.running.as_ref());
        let (ran, runs) = (running(was), running(is));
        let is_as_before = match (ran, runs) {
            (Some(ran), Some(runs)) => ran.task == runs.task,
            (None, None) => was.is_some() || is.is_none(),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if is_as_before {
            continue;
        }
        touched.extend(was.or(is).map(|agent| &agent.owner));
        let (namespace, agent) = name.clone();
        let from = ran.map(|ran| ran.node.clone());
        match is.filter(|_| runs.is_none()) {
            Some(stranded) => outlook.stranded.push(Stranded {
                namespace,
                agent,
                from,
                reason: reason(stranded, refused),
            }),
            None => outlook.moves.push(Move {
                namespace,
                agent,
                from,
                to: runs.map(|runs| runs.node.clone()),
                after: runs.map(|runs| runs.since.duration_since(today.now).as_secs_f64()),
            }),
        }
    }
    let times = outlook.moves.iter().filter_map(|moved| moved.after);
    outlook.settled_after = times.max_by(f64::total_cmp);
    let told = after.objects.iter().filter(|(key, _)| touched.contains(key));
    outlook.objects = told
        .filter_map(|(key, is)| object(key, before.objects.get(key), is))
        .collect();
    outlook
}

/// What comes of nodes that are `lost` while nobody leads: what ran there is not replaced, what is new is not started,
/// the rest runs on, and the operator does not know how anything is.
pub(super) fn leaderless(
    today: &Today,
    before: &Look,
    lost: &BTreeSet<String>,
    why: Refused,
    now: Timestamp,
) -> Outlook {
    let mut outlook = Outlook::default();
    let is_lost = |running: &&Running| lost.contains(&running.node);
    for ((namespace, name), agent) in &before.agents {
        if let Some(running) = agent.running.as_ref().filter(is_lost) {
            outlook.stranded.push(Stranded {
                namespace: namespace.clone(),
                agent: name.clone(),
                from: Some(running.node.clone()),
                reason: "nothing is replaced while the managers have no leader".to_owned(),
            });
        }
    }
    let unseen = Unseen {
        why: SwarmError::NoQuorum { message: why.message }.to_string(),
        away_since: Some(today.now),
    };
    for owner in &today.owners {
        let key = &owner.workload.owner.key;
        let nothing = Observed::default();
        let declared = agents::views(&owner.workload, &nothing, &today.instance, now);
        for view in declared.into_iter().filter(|_| owner.is_changed) {
            let name = (view.namespace, view.name);
            if !before.agents.contains_key(&name) {
                outlook.stranded.push(Stranded {
                    namespace: name.0,
                    agent: name.1,
                    from: None,
                    reason: "nothing is started while the managers have no leader".to_owned(),
                });
            }
        }
        let round = Round {
            subject: Subject::Workload(&owner.workload),
            observed: Err(&unseen),
            report: &Report::default(),
            outcome: &Outcome::default(),
            instance: &today.instance,
            now,
        };
        let is = plan::status(owner.status.as_ref(), &round);
        outlook.objects.extend(object(key, owner.status.as_ref(), &is));
    }
    outlook
}

/// What people are told of an object, if it is something else than before.
fn object(key: &Key, was: Option<&WorkloadStatus>, is: &WorkloadStatus) -> Option<ObjectOutlook> {
    let (was, after) = (was.map(told), told(is));
    (was.as_ref() != Some(&after)).then(|| ObjectOutlook {
        namespace: key.namespace.clone(),
        object: format!("{}/{}", key.kind.singular(), key.name),
        before: was,
        after,
        message: is.message.clone(),
    })
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
