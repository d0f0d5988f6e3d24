//! Many runs side by side, and what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use whoosh::sim::faults::{Class, Point};

use super::oracles::{Verdict, judge};
use super::plans::{Place, Plan};
use super::play::{QUICK, play};
use super::seen::Seen;
use super::workload::{Kind, Script, Step};

/// Runs at once. They wait more than they work.
const SIDE_BY_SIDE: usize = 8;
/// Runs without trouble that say which points come in every run.
const REHEARSALS: usize = 3;
/// Of a list that is read again and again, so many first readings are points, and of the others each fifth.
const READINGS: u32 = 3;

/// What a script comes to without trouble.
pub(super) struct Baseline {
    pub(super) seen: Seen,
    /// The points that come in every run, in order.
    pub(super) places: Vec<Place>,
}

/// What became of a plan.
pub(super) enum Outcome {
    Held,
    /// Its point did not come.
    NotReached,
    Failed(Verdict),
}

/// Does `work` for each item, some at a time, each in a thread and runtime of its own; results in the items' order.
pub(super) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl AsyncFn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0..items.len());
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(items.len()) {
            scope.spawn(|| {
                while let Some(number) = take(&next) {
                    let result = runtime().block_on(work(&items[number]));
                    results.lock().unwrap().insert(number, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

fn take(next: &Mutex<std::ops::Range<usize>>) -> Option<usize> {
    next.lock().unwrap().next()
}

/// A runtime for one run.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Plays a script without trouble, some times.
///
/// # Panics
/// When an oracle fails: nothing can be said of trouble then.
pub(super) fn baseline(script: &Script) -> Baseline {
    let runs = side_by_side(&[(); REHEARSALS], async |()| play(script, QUICK, Vec::new(), None).await);
    for run in &runs {
        if let Err(Verdict { oracle, why }) = judge(run, &runs[0]) {
            panic!("{script}, without any trouble: {oracle}: {why}");
        }
    }
    let places = places(&runs);
    let seen = runs.into_iter().next().expect("there was a run");
    Baseline { seen, places }
}

/// Plays one plan.
pub(super) async fn run(plan: &Plan, script: &Script, expected: &Seen) -> Outcome {
    let armed = vec![(plan.place.clone(), plan.trouble())];
    let seen = play(script, QUICK, armed, Some(expected)).await;
    match judge(&seen, expected) {
        Err(verdict) => Outcome::Failed(verdict),
        Ok(()) if seen.met => Outcome::Held,
        Ok(()) => Outcome::NotReached,
    }
}

/// The points that come in every run.
fn places(runs: &[Seen]) -> Vec<Place> {
    let every = |place: &Place| runs.iter().all(|run| has(run, place));
    let first = &runs[0];
    let points = first.points.iter().filter(|point| is_ours(point) && is_kept(point));
    let engine = points.cloned().map(Place::Engine);
    let writes = first.writes.iter().flat_map(|(step, count)| {
        (1..=*count).map(|nth| Place::Write { step: *step, nth })
    });
    engine.chain(writes).filter(every).collect()
}

fn has(run: &Seen, place: &Place) -> bool {
    match place {
        Place::Engine(point) => run.points.contains(point),
        Place::Write { step, nth } => {
            let of_step = |(at, count): &(Step, u32)| at == step && count >= nth;
            run.writes.iter().any(of_step)
        }
    }
}

/// The owner beside is there to be left alone; and what is gone has no name.
fn is_ours(point: &Point) -> bool {
    !point.signature.contains("beside") && !point.signature.ends_with('?')
}

fn is_kept(point: &Point) -> bool {
    point.class != Class::List || point.occurrence <= READINGS || point.occurrence % 5 == 0
}

/// How many plans of each class and fault there were, and what became of them.
#[derive(Default)]
pub(super) struct Tally {
    counts: BTreeMap<(&'static str, &'static str), [usize; 3]>,
    unreached: BTreeSet<String>,
    failed: Vec<(Plan, Verdict)>,
}

impl Tally {
    pub(super) fn add(&mut self, plan: &Plan, outcome: Outcome) {
        let counts = self.counts.entry((plan.class(), plan.fault)).or_default();
        match outcome {
            Outcome::Held => counts[0] += 1,
            Outcome::NotReached => {
                counts[1] += 1;
                self.unreached.insert(plan.to_string());
            }
            Outcome::Failed(verdict) => {
                counts[2] += 1;
                self.failed.push((plan.clone(), verdict));
            }
        }
    }

    /// The table, for people.
    pub(super) fn print(&self, kind: Kind) {
        let sum = |column: usize| self.counts.values().map(|counts| counts[column]).sum::<usize>();
        println!(
            "{}: {} plans, {} not reached, {} failed",
            kind.word(),
            sum(0) + sum(1) + sum(2),
            sum(1),
            sum(2)
        );
        for ((class, fault), [held, unreached, failed]) in &self.counts {
            let total = held + unreached + failed;
            println!("  {class:<6} {fault:<14} {total:>5} plans {unreached:>4} not reached {failed:>4} failed");
        }
        for name in &self.unreached {
            println!("  not reached: {name}");
        }
        for (plan, Verdict { oracle, why }) in &self.failed {
            println!("  FAILED {plan}: {oracle}: {why}");
        }
    }
}
