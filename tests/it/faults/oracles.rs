//! What must hold of every run, whatever went wrong in it: the properties P1 to P10.
//!
//! What an agent sees of (uid, generation) is that it is started, so that P9 counts starts. No message is sent to agents
//! that could be lost or come twice; what they send through NATS that restarts or is silent is in `tests/it/agent.rs`
//! and `tests/it/nodes/silence.rs`. P6's "one worker a key" is shown in `src/queue/workers.rs`, where it can be seen.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::json;
use whoosh::resource::Object;
use whoosh::sim::faults::{Class, Point};

use super::look;
use super::seen::{Seen, StepSeen};
use super::workload::SECRET;

/// Judges a run by a run of the same script in which nothing went wrong.
type Oracle = fn(&Seen, &Seen) -> Result<(), String>;

/// All of them, by name.
const ORACLES: [(&str, Oracle); 10] = [
    ("P1 settles", p1_settles),
    ("P2 same end", p2_same_end),
    ("P3 idle writes nothing", p3_idle_writes_nothing),
    ("P4 foreign untouched", p4_foreign_untouched),
    ("P5 each revision once", p5_each_revision_once),
    ("P6 one leader writes", p6_one_leader_writes),
    ("P7 Ready is true", p7_ready_is_true),
    ("P8 bounded", p8_bounded),
    ("P9 one effect", p9_one_effect),
    ("P10 no secret", p10_no_secret),
];

/// So many calls may come for one fault that would not come without it.
const CALLS_MORE: usize = 20;
/// And so many lists: an operator that starts anew reads everything.
const LISTS_MORE: usize = 100;
/// And so many for each second that the run takes longer: what is read again and again, however long that is.
const LISTS_A_SECOND: f64 = 20.0;

/// An oracle that a run fails, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) oracle: &'static str,
    pub(super) why: String,
}

/// What is wrong with a run: the first oracle that it fails. A run that does not settle fails others by that.
pub(super) fn judge(seen: &Seen, expected: &Seen) -> Result<(), Verdict> {
    for (oracle, holds) in ORACLES {
        holds(seen, expected).map_err(|why| Verdict { oracle, why })?;
    }
    Ok(())
}

/// Once the trouble is over, every step settles in bounded time; that it stays settled is P3's to see.
fn p1_settles(seen: &Seen, _: &Seen) -> Result<(), String> {
    for step in &seen.steps {
        if let Err(missing) = &step.settled {
            return Err(format!("{:?} does not settle: {missing}", step.step.to_string()));
        }
    }
    Ok(())
}

/// The Swarm and the status come to be what they are without trouble, and each object is made, changed and removed
/// as often. No plan has a reason to do more: every fault is over before the next step, so each spec is brought
/// about once, whoever finishes it.
fn p2_same_end(seen: &Seen, expected: &Seen) -> Result<(), String> {
    for (step, expected) in seen.steps.iter().zip(&expected.steps) {
        for (what, expected, found) in [
            ("the Swarm", &expected.world, &step.world),
            ("the status", &expected.status, &step.status),
        ] {
            let difference = look::difference(expected, found);
            if !difference.is_empty() {
                return Err(format!(
                    "after {:?}, of {what} {difference}",
                    step.step.to_string()
                ));
            }
        }
    }
    let counts = |seen: &Seen| serde_json::to_value(&seen.done).unwrap_or_default();
    match look::difference(&counts(expected), &counts(seen)) {
        difference if difference.is_empty() => Ok(()),
        difference => Err(format!("what was done: {difference}")),
    }
}

/// Ten resyncs of what is settled write nothing, to the engine or to the store.
fn p3_idle_writes_nothing(seen: &Seen, _: &Seen) -> Result<(), String> {
    let Some(idle) = &seen.idle else {
        return Err("there were no ten resyncs".to_owned());
    };
    let calls: Vec<String> = of_class(&idle.points, Class::Call)
        .map(ToString::to_string)
        .collect();
    if calls.is_empty() && idle.revisions == 0 {
        return Ok(());
    }
    Err(format!("{} revisions and {calls:?}", idle.revisions))
}

/// What others have in the Swarm is as it was.
fn p4_foreign_untouched(seen: &Seen, _: &Seen) -> Result<(), String> {
    let [before, after] = &seen.foreign;
    if before == after {
        return Ok(());
    }
    Err(format!("{before:?} became {after:?}"))
}

/// Who follows the log is told of each revision once, in order, with what the log holds.
fn p5_each_revision_once(seen: &Seen, _: &Seen) -> Result<(), String> {
    let told: Vec<i64> = seen.watched.iter().map(|change| change.revision.0).collect();
    let all: Vec<i64> = (1..=seen.head.0).collect();
    if told != all {
        return Err(format!("told of {told:?}, up to {}", seen.head));
    }
    for change in &seen.watched {
        let logged = seen.log.get(&change.revision).map(|(_, object)| object);
        if logged != Some(&change.object) {
            return Err(format!(
                "{} was told otherwise than it is logged",
                change.revision
            ));
        }
    }
    Ok(())
}

/// Once an operator has written, none that led before it writes any more.
fn p6_one_leader_writes(seen: &Seen, _: &Seen) -> Result<(), String> {
    let number = |life: &str| life.trim_start_matches("life-").parse::<u32>().unwrap();
    let lives = seen.written.iter().map(|(_, life)| number(life));
    if lives.is_sorted() {
        return Ok(());
    }
    Err(format!("{:?}", seen.written))
}

/// A status that says Ready is written after every agent of a required role runs what it speaks of, and the
/// generation that it speaks of never falls.
fn p7_ready_is_true(seen: &Seen, _: &Seen) -> Result<(), String> {
    let key = seen.script.kind.key();
    let workload = || seen.log.iter().filter(|(_, (_, object))| object.key() == key);
    let observed = |object: &Object| object.status.as_ref()?["observedGeneration"].as_i64();
    let generations: Vec<i64> = workload()
        .filter_map(|(_, (_, object))| observed(object))
        .collect();
    if !generations.is_sorted() {
        return Err(format!("observedGeneration went {generations:?}"));
    }
    for (number, step) in seen.steps.iter().enumerate() {
        let end = seen.steps.get(number + 1).map_or(seen.head, |next| next.before);
        let in_step = || workload().filter(|(revision, _)| **revision > step.before && **revision <= end);
        // One that is deleted and declared again may have become ready a last time before.
        let last = in_step().next_back().map(|(_, (_, object))| object.uid());
        for (revision, (at, object)) in in_step() {
            if last != Some(object.uid()) || !says_ready(object, step) {
                continue;
            }
            let is_required = |service: &str| !service.contains("_security-lead_");
            let agents = step.agents.iter().filter(|(service, _)| is_required(service));
            let mut running = agents.filter_map(|(service, agent)| Some((service, agent.running_since?)));
            if let Some((service, since)) = running.find(|(_, since)| is_before(*at, *since)) {
                return Err(format!(
                    "revision {revision} of {at} says Ready; {service} runs since {since}"
                ));
            }
        }
    }
    Ok(())
}

fn says_ready(object: &Object, step: &StepSeen) -> bool {
    let Some(status) = object.status.as_ref().filter(|_| !object.is_deleting()) else {
        return false;
    };
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let is_ready = conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    is_ready
        && status["observedGeneration"].as_i64() == Some(object.generation())
        // What is still told of the step before came true before this one.
        && status["observedGeneration"] == step.status["observedGeneration"]
        && status["templates"] == step.status["templates"]
}

/// The clocks of the Swarm and the database are this machine's, read at slightly other moments.
fn is_before(at: Timestamp, since: Timestamp) -> bool {
    since.duration_since(at) > SignedDuration::from_millis(2)
}

/// Trouble costs a bounded number of requests: some calls that are tried again, and lists at no higher rate. That it
/// holds up no other owner is in P1: the one beside has to settle in each step, too.
fn p8_bounded(seen: &Seen, expected: &Seen) -> Result<(), String> {
    let count = |seen: &Seen, class| of_class(&seen.points, class).count();
    let longer = seen.took.saturating_sub(expected.took).as_secs_f64();
    for (class, more) in [
        (Class::Call, CALLS_MORE),
        (Class::List, LISTS_MORE + (longer * LISTS_A_SECOND) as usize),
    ] {
        let (found, limit) = (count(seen, class), count(expected, class) + more);
        if found > limit {
            return Err(format!("{found} requests of {class:?}, of at most {limit}"));
        }
    }
    Ok(())
}

fn of_class(points: &[Point], class: Class) -> impl Iterator<Item = &Point> {
    points.iter().filter(move |point| point.class == class)
}

/// Each agent is started as often as without trouble: once for each generation that changes it.
fn p9_one_effect(seen: &Seen, expected: &Seen) -> Result<(), String> {
    for (step, expected) in seen.steps.iter().zip(&expected.steps) {
        for (service, agent) in &step.agents {
            let wanted = expected.agents.get(service).map(|agent| agent.started);
            if wanted != Some(agent.started) {
                return Err(format!(
                    "after {:?}, {service} was started {} times instead of {wanted:?}",
                    step.step.to_string(),
                    agent.started
                ));
            }
        }
    }
    Ok(())
}

/// No secret is where people read.
fn p10_no_secret(seen: &Seen, _: &Seen) -> Result<(), String> {
    if !seen.said.contains("leading") {
        return Err("there is nothing that it said".to_owned());
    }
    let encoded = json!(ByteString(SECRET.into()));
    let encoded = encoded.as_str().unwrap_or_default().trim_end_matches('=');
    let objects = seen.watched.iter().map(|change| format!("{:?}", change.object));
    for text in objects.chain([seen.said.clone()]) {
        if let Some(line) = text
            .lines()
            .find(|line| line.contains(SECRET) || line.contains(encoded))
        {
            return Err(line.to_owned());
        }
    }
    Ok(())
}
