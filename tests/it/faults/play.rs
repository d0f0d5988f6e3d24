//! Plays a script, with a plan's trouble or without, and notes what is seen.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use whoosh::controller::LeaseTuning;
use whoosh::resource::Key;
use whoosh::sim::Timing;
use whoosh::sim::faults::{Fault, Point};

use super::ground::Ground;
use super::operator::{HASTY, PATIENT};
use super::plans::{Place, Trouble};
use super::seen::{Idle, Seen, StepSeen};
use super::workload::{Declared, Script, Step};
use super::writes::WriteFault;
use super::{foreign, look, settled};
use crate::harness::eventually::within;

/// The bound of P1: within this, a step settles once the trouble is over. It takes a hundredth of it, where nothing
/// else keeps the machine busy.
const BOUND: Duration = Duration::from_secs(60);
/// How many resyncs of a settled workload are watched.
const RESYNCS: u64 = 10;

/// What a Swarm is like in which nothing goes wrong.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) timing: Timing,
    /// Where its chance begins.
    pub(super) seed: u64,
}

/// A Swarm that keeps nobody waiting.
pub(super) const QUICK: Manner = {
    let moment = Duration::from_millis(1);
    let timing = Timing {
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
        election: moment,
        handover: moment,
    };
    Manner { timing, seed: 1 }
};

/// One fault, where it is to happen.
pub(super) type Armed = (Place, Trouble);

/// Plays a script. With an `expected` run, a step has settled when the Swarm runs what it ran there.
pub(super) async fn play(
    script: &Script,
    manner: Manner,
    armed: Vec<Armed>,
    expected: Option<&Seen>,
) -> Seen {
    let mut play = Play::new(script, manner, LeaseTuning::default(), armed).await;
    play.ground.start();
    for (number, step) in script.steps.iter().enumerate() {
        if *step == Step::Delete {
            play.idle().await;
        }
        let expected = expected.and_then(|expected| expected.steps.get(number));
        if !play.take(*step, expected.map(|step| &step.world)).await {
            return play.finish().await;
        }
    }
    if play.seen.idle.is_none() {
        play.idle().await;
    }
    play.finish().await
}

/// What becomes of the operator when a call of it is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtFreeze {
    /// It is killed and started again.
    Restart,
    /// It is stopped, and another one started beside it.
    Replace,
}

/// A script under way.
pub(super) struct Play {
    pub(super) ground: Ground,
    pub(super) seen: Seen,
    pub(super) at_freeze: AtFreeze,
    /// The calls that were frozen.
    reached: UnboundedReceiver<Point>,
    declared: Declared,
    armed: Vec<Armed>,
    /// What becomes of the write that is held, until it was.
    held: Option<WriteFault>,
    started: Instant,
}

impl Play {
    /// Everything but the operator is there, and the plan's faults wait for their points.
    pub(super) async fn new(script: &Script, manner: Manner, lease: LeaseTuning, armed: Vec<Armed>) -> Self {
        let limits = if of_engine(&armed).iter().any(|(_, fault)| hangs(fault)) {
            HASTY
        } else {
            PATIENT
        };
        let ground = Ground::new(manner, lease, limits).await;
        foreign::plant(&ground.simulation);
        let faults = ground.simulation.faults();
        let reached = faults.reached();
        faults.play(of_engine(&armed));
        Self {
            seen: Seen::new(script, foreign::look_at(&ground.simulation)),
            ground,
            at_freeze: AtFreeze::Restart,
            reached,
            declared: Declared::new(script),
            armed,
            held: None,
            started: Instant::now(),
        }
    }

    /// Takes a step and waits until it has settled; whether it did.
    pub(super) async fn take(&mut self, step: Step, expected: Option<&Value>) -> bool {
        let (before, started) = (self.ground.store.revision().await.unwrap(), Instant::now());
        let key = self.seen.script.kind.key();
        let edition = u32::try_from(self.seen.steps.len()).unwrap();
        let (other, spec) = self.seen.script.kind.beside(edition);
        self.arm_writes(step).await;
        self.declared.take(step);
        self.ground.declare(&other, &spec).await;
        let mut settled = Ok(Value::Null);
        if matches!(step, Step::Delete | Step::Recreate) {
            self.ground.delete(&key).await;
            settled = self.until_settled(&key, &other, false, None).await;
        }
        let objects = self.declared.objects();
        for (key, spec) in &objects {
            self.ground.declare(key, spec).await;
        }
        if settled.is_ok() {
            settled = self
                .until_settled(&key, &other, !objects.is_empty(), expected)
                .await;
        }
        self.disarm_writes(step).await;
        let is_settled = settled.is_ok();
        self.seen.steps.push(StepSeen {
            step,
            before,
            status: look::status(settled.as_ref().unwrap_or(&Value::Null)),
            settled: settled.map(|_| started.elapsed()),
            world: look::world(&self.ground.simulation),
            agents: look::agents(&self.ground.simulation),
        });
        is_settled
    }

    /// The status that says so; a list from the past may have another one written a moment later.
    async fn until_settled(
        &mut self,
        key: &Key,
        other: &Key,
        is_there: bool,
        expected: Option<&Value>,
    ) -> Result<Value, String> {
        within(BOUND, async || {
            self.tend().await;
            let status = settled::in_store(&self.ground.store, key, other, is_there).await?;
            if let Some(expected) = expected {
                settled::agree(expected, &look::world(&self.ground.simulation))?;
            }
            Ok::<_, String>(status)
        })
        .await
    }

    /// Does what a plan wants done from outside: kills the operator where it is to die, and starts it again.
    async fn tend(&mut self) {
        if self.reached.try_recv().is_ok() {
            match self.at_freeze {
                AtFreeze::Restart => self.ground.start(),
                AtFreeze::Replace => self.ground.replace(),
            }
        }
        let Some(fault) = self.held else { return };
        if !self.ground.writes.is_met().await {
            return;
        }
        self.held = None;
        self.seen.met = true;
        let is_crash = matches!(fault, WriteFault::CrashBefore | WriteFault::CrashAfter);
        if is_crash {
            self.ground.kill();
        }
        if matches!(fault, WriteFault::CrashBefore | WriteFault::Cut) {
            self.ground.writes.cut().await;
        }
        self.ground.writes.release().await;
        if is_crash {
            self.ground.writes.until_quiet().await;
            self.ground.start();
        }
    }

    async fn arm_writes(&mut self, step: Step) {
        self.ground.writes.begin().await;
        for (place, trouble) in &self.armed {
            if let (Place::Write { step: at, nth }, Trouble::Write(fault)) = (place, trouble)
                && *at == step
            {
                self.ground.writes.arm(*nth, *fault).await;
                self.held = Some(*fault);
            }
        }
    }

    async fn disarm_writes(&mut self, step: Step) {
        self.tend().await;
        if self.held.take().is_some() {
            self.ground.writes.release().await;
        }
        let count = self.ground.writes.reached().await;
        self.seen.writes.push((step, count));
    }

    /// Lets ten resyncs of each workload pass, of an operator that starts again if it seldom resyncs. Whatever could go
    /// wrong waits until then.
    pub(super) async fn idle(&mut self) {
        let waiting = self.ground.simulation.faults().disarm();
        let starts_again = !self.ground.resyncs_often();
        if starts_again {
            self.ground.kill();
            self.ground.writes.until_quiet().await;
        }
        let reached = self.ground.simulation.faults().seen().len();
        let revision = self.ground.store.revision().await.unwrap();
        if starts_again {
            self.ground.resync_often();
            self.ground.start();
        }
        let faults = self.ground.simulation.faults();
        let kind = self.seen.script.kind;
        let turns = || [kind.key(), kind.beside(0).0].map(|key| self.ground.turns(key.kind));
        let before = turns();
        let passed = within(BOUND, async || {
            let now = turns();
            let is_past = |(before, now): (&u64, &u64)| *now >= before + RESYNCS;
            if before.iter().zip(&now).all(is_past) {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        });
        if passed.await.is_ok() {
            self.seen.idle = Some(Idle {
                points: faults.seen().split_off(reached),
                revisions: self.ground.store.revision().await.unwrap().0 - revision.0,
            });
        }
        faults.play(waiting);
    }

    /// Ends the run and gathers what was seen.
    pub(super) async fn finish(self) -> Seen {
        let Self {
            mut ground, mut seen, ..
        } = self;
        seen.took = self.started.elapsed();
        let faults = ground.simulation.faults();
        seen.met |= faults.armed().len() < of_engine(&self.armed).len();
        for point in faults.done() {
            *seen.done.entry(point.signature).or_default() += 1;
        }
        seen.points = faults.seen();
        ground.kill();
        seen.head = ground.store.revision().await.unwrap();
        ground.until_watched(seen.head).await;
        seen.watched = ground.watched();
        let kind = seen.script.kind;
        for key in [kind.key(), kind.beside(0).0, settled::template()] {
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

/// Whether a fault is over only when a request is given up.
fn hangs(fault: &Fault) -> bool {
    matches!(fault, Fault::Hang | Fault::DoThenHang)
}

/// What the engine is to play.
fn of_engine(armed: &[Armed]) -> Vec<(Point, Fault)> {
    let faults = armed.iter().flat_map(|(place, trouble)| match (place, trouble) {
        (Place::Engine(point), Trouble::Engine(fault)) => vec![(point.clone(), fault.clone())],
        (Place::Engine(point), Trouble::StaleThrice(back)) => {
            let stale = |later| {
                let occurrence = point.occurrence + later;
                let point = Point {
                    occurrence,
                    ..point.clone()
                };
                (point, Fault::Stale { back: *back })
            };
            (0..3).map(stale).collect()
        }
        _ => Vec::new(),
    });
    faults.collect()
}
