//! Plays a script, with a plan's trouble or without, and notes what is seen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use whoosh::controller::LeaseTuning;
use whoosh::resource::{Key, Object};
use whoosh::sim::Timing;
use whoosh::sim::faults::{Class, Fault, Point};

use super::ground::Ground;
use super::plans::{Place, Trouble};
use super::seen::{Idle, Seen, StepSeen};
use super::workload::{Declared, Script, Step, beside};
use super::writes::WriteFault;
use super::{foreign, look};
use crate::harness::eventually::within;

/// The bound of P1: within this, a step settles once the trouble is over. A hundred times what it takes.
const BOUND: Duration = Duration::from_secs(20);
/// How many resyncs of a settled workload are watched.
const RESYNCS: u64 = 10;

/// Times of a Swarm that keeps nobody waiting.
pub(super) const QUICK: Timing = {
    let moment = Duration::from_millis(1);
    Timing {
        orchestrate: moment,
        allocate: moment,
        schedule: moment,
        accept: moment,
        prepare: Duration::from_millis(3),
        start: Duration::from_millis(3),
        healthy: moment,
        unhealthy: Duration::from_secs(1),
        stop: Duration::from_millis(3),
        reap: moment,
        node_down: Duration::from_secs(15),
        orphan: Duration::from_secs(24 * 60 * 60),
    }
};

/// One fault, where it is to happen.
pub(super) type Armed = (Place, Trouble);

/// Plays `script`. With an `expected` run, a step has settled when the Swarm runs what it ran there.
pub(super) async fn play(script: &Script, timing: Timing, armed: Vec<Armed>, expected: Option<&Seen>) -> Seen {
    let ground = Ground::new(timing, LeaseTuning::default()).await;
    foreign::plant(&ground.simulation);
    let planted = foreign::look_at(&ground.simulation);
    let reached = ground.simulation.faults().reached();
    let mut play = Play {
        ground,
        reached,
        held: None,
        seen: Seen {
            script: script.clone(),
            steps: Vec::new(),
            done: BTreeMap::new(),
            points: Vec::new(),
            writes: Vec::new(),
            idle: None,
            watched: Vec::new(),
            log: BTreeMap::new(),
            head: whoosh::resource::Revision(0),
            written: Vec::new(),
            foreign: [planted, BTreeMap::new()],
            said: String::new(),
            met: false,
        },
    };
    play.arm_engine(&armed);
    play.ground.start();
    play.take_steps(&armed, expected).await;
    play.finish(&armed).await
}

struct Play {
    ground: Ground,
    reached: UnboundedReceiver<Point>,
    /// What becomes of the write that is held, once it is.
    held: Option<WriteFault>,
    seen: Seen,
}

impl Play {
    fn arm_engine(&self, armed: &[Armed]) {
        let faults = armed.iter().filter_map(|(place, trouble)| match (place, trouble) {
            (Place::Engine(point), Trouble::Engine(fault)) => Some(vec![(point.clone(), fault.clone())]),
            (Place::Engine(point), Trouble::StaleThrice(back)) => {
                let stale = |later| {
                    let occurrence = point.occurrence + later;
                    let point = Point { occurrence, ..point.clone() };
                    (point, Fault::Stale { back: *back })
                };
                Some((0..3).map(stale).collect())
            }
            _ => None,
        });
        self.ground.simulation.faults().play(faults.flatten());
    }

    async fn take_steps(&mut self, armed: &[Armed], expected: Option<&Seen>) {
        let script = self.seen.script.clone();
        let mut declared = Declared::new(&script);
        for (number, step) in script.steps.iter().enumerate() {
            if *step == Step::Delete {
                self.idle().await;
            }
            declared.take(*step);
            let expected = expected.map(|expected| expected.steps.get(number));
            self.take(*step, &declared, number, armed, expected.flatten()).await;
            if self.seen.steps.last().is_some_and(|step| step.settled.is_err()) {
                return;
            }
        }
        if self.seen.idle.is_none() {
            self.idle().await;
        }
    }

    async fn take(
        &mut self,
        step: Step,
        declared: &Declared,
        number: usize,
        armed: &[Armed],
        expected: Option<&StepSeen>,
    ) {
        self.ground.writes.begin().await;
        for (place, trouble) in armed {
            if let (Place::Write { step: at, nth }, Trouble::Write(fault)) = (place, trouble)
                && *at == step
            {
                self.ground.writes.arm(*nth, *fault).await;
                self.held = Some(*fault);
            }
        }
        let before = self.ground.store.revision().await.unwrap();
        let started = Instant::now();
        let (other, spec) = beside(u32::try_from(number).unwrap());
        self.ground.declare(&other, &spec).await;
        let key = self.seen.script.kind.key();
        let objects = declared.objects();
        if objects.is_empty() {
            self.ground.delete(&key).await;
        }
        for (key, spec) in &objects {
            self.ground.declare(key, spec).await;
        }
        let settled = within(BOUND, async || {
            self.tend().await;
            self.is_settled(&key, &other, !objects.is_empty()).await?;
            match expected {
                Some(expected) => agree(&expected.world, &look::world(&self.ground.simulation)),
                None => Ok(()),
            }
        })
        .await;
        let count = self.ground.writes.reached().await;
        self.seen.writes.push((step, count));
        let object = self.ground.store.get(&key).await.unwrap();
        let status = object.and_then(|object| object.status).unwrap_or_default();
        self.seen.steps.push(StepSeen {
            step,
            before,
            settled: settled.map(|()| started.elapsed()),
            world: look::world(&self.ground.simulation),
            status: look::status(&status),
            running_since: look::running_since(&self.ground.simulation),
        });
    }

    /// Does what a plan wants done from outside: kills the operator where it is to die, and starts it again.
    async fn tend(&mut self) {
        if self.reached.try_recv().is_ok() {
            self.ground.start();
        }
        let Some(fault) = self.held else { return };
        if fault == WriteFault::Refused {
            self.seen.met |= self.ground.writes.is_refused().await;
            return;
        }
        if !self.ground.writes.is_held().await {
            return;
        }
        self.held = None;
        self.seen.met = true;
        if fault != WriteFault::Cut {
            self.ground.kill();
        }
        if fault != WriteFault::CrashAfter {
            self.ground.writes.cut().await;
        }
        self.ground.writes.release().await;
        if fault != WriteFault::Cut {
            self.ground.writes.until_quiet().await;
            self.ground.start();
        }
    }

    async fn is_settled(&self, key: &Key, other: &Key, is_there: bool) -> Result<(), String> {
        let get = async |key| self.ground.store.get(key).await.map_err(|error| error.to_string());
        settled(other, get(other).await?.as_ref())?;
        match get(key).await? {
            None if !is_there => Ok(()),
            found if is_there => {
                settled(key, found.as_ref())?;
                match (found, get(&template()).await?) {
                    (Some(found), Some(template)) => speaks_of(&found, &template),
                    _ => Ok(()),
                }
            }
            _ => Err(format!("{key} is still there")),
        }
    }

    /// Lets ten resyncs pass.
    async fn idle(&mut self) {
        let faults = self.ground.simulation.faults();
        let calls = || -> Vec<Point> {
            let seen = faults.seen();
            seen.into_iter().filter(|point| point.class == Class::Call).collect()
        };
        let sent = calls().len();
        let revision = self.ground.store.revision().await.unwrap();
        // Two objects: a resync is a turn of each.
        let turns = self.ground.turns() + 2 * RESYNCS;
        let passed = within(BOUND, async || {
            let now = self.ground.turns();
            if now >= turns { Ok(()) } else { Err(format!("{now} of {turns} turns")) }
        });
        if let Err(seen) = passed.await {
            self.seen.said.push_str(&format!("no resync: {seen}"));
            return;
        }
        self.seen.idle = Some(Idle {
            calls: calls().split_off(sent),
            revisions: self.ground.store.revision().await.unwrap().0 - revision.0,
        });
    }

    async fn finish(self, armed: &[Armed]) -> Seen {
        let Self { mut ground, mut seen, .. } = self;
        let faults = ground.simulation.faults();
        let is_engine = armed.iter().any(|(place, _)| matches!(place, Place::Engine(_)));
        seen.met |= is_engine && faults.armed().len() < armed.len();
        for point in faults.done() {
            *seen.done.entry(point.signature).or_default() += 1;
        }
        seen.points = faults.seen();
        seen.head = ground.store.revision().await.unwrap();
        // Whether it comes to the end is the oracles' to judge.
        drop(ground.until_watched(seen.head).await);
        seen.watched = ground.watched();
        for key in [seen.script.kind.key(), beside(0).0, template()] {
            for entry in ground.store.history(&key).await.unwrap() {
                seen.log.insert(entry.revision, (entry.at, entry.object));
            }
        }
        seen.written = ground.writes.written().await;
        seen.foreign[1] = foreign::look_at(&ground.simulation);
        seen.said.push_str(&ground.settings.log.text());
        for event in ground.store.list_events(None).await.unwrap() {
            seen.said.push_str(&format!("{event:?}\n"));
        }
        ground.end().await;
        seen
    }
}

fn template() -> Key {
    Key::new(whoosh::resource::Kind::AgentTemplate, "default", "worker")
}

fn agree(expected: &Value, found: &Value) -> Result<(), String> {
    match look::difference(expected, found) {
        difference if difference.is_empty() => Ok(()),
        difference => Err(difference),
    }
}

/// Whether an object's status says that all is as declared.
fn settled(key: &Key, object: Option<&Object>) -> Result<(), String> {
    let object = object.ok_or_else(|| format!("{key} is not there"))?;
    let status = object.status.clone().unwrap_or_default();
    let is_current = status["observedGeneration"].as_i64() == Some(object.generation());
    if is_current && status["state"] == "Ready" && status["updatedReplicas"] == status["replicas"] {
        Ok(())
    } else {
        Err(format!("{key} at generation {} says {status}", object.generation()))
    }
}

/// Whether an object's status speaks of a template as it is.
fn speaks_of(object: &Object, template: &Object) -> Result<(), String> {
    let status = object.status.clone().unwrap_or_default();
    let told = status.pointer("/templates/0/observedGeneration").and_then(Value::as_i64);
    if told == Some(template.generation()) {
        Ok(())
    } else {
        Err(format!("the template's generation {} is not in {status}", template.generation()))
    }
}
