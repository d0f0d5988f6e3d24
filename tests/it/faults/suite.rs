//! Many runs side by side, and what came of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use whoosh::sim::faults::{Class, Point};

use super::oracles::{Verdict, judge};
use super::plans::{Place, Plan};
use super::play::{QUICK, play};
use super::seen::Seen;
use super::tally::Tally;
use super::workload::{Script, Step};

/// Runs at once. They wait more than they work.
const SIDE_BY_SIDE: usize = 4;
/// Who waits for many plans is told of each so many.
const PROGRESS: usize = 50;
/// Of a list that is read again and again, so many first readings are points, and of the others each so manyth.
const READINGS: u32 = 3;
const FURTHER: u32 = 5;

/// What a script comes to without trouble.
pub(super) struct Baseline {
    pub(super) seen: Seen,
    /// The points that come in every run, in order.
    pub(super) places: Vec<Place>,
    /// How many of how many points are played, and why not the others.
    pub(super) kept: String,
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
/// # Errors
/// When an oracle fails: nothing can be said of trouble then.
pub(super) fn rehearse(script: &Script, times: usize) -> Result<Baseline, String> {
    let runs = side_by_side(&vec![(); times], async |()| {
        play(script, QUICK, Vec::new(), None).await
    });
    for run in &runs {
        judge(run, &runs[0])
            .map_err(|Verdict { oracle, why }| format!("{script}, without trouble: {oracle}: {why}"))?;
    }
    let places = places(&runs);
    let seen = runs.into_iter().next().ok_or("there was no run")?;
    let all = seen.points.iter().filter(|point| is_ours(point)).count()
        + seen
            .writes
            .iter()
            .map(|(_, count)| *count as usize)
            .sum::<usize>();
    let kept = format!(
        "{} of {all} points played: of a list that is read over and over, the first {READINGS} readings and each \
         {FURTHER}th; none that does not come in every run",
        places.len()
    );
    Ok(Baseline { seen, places, kept })
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

/// Plays the plans of one script, and says what came of them.
pub(super) fn run_all(plans: &[Plan], script: &Script, expected: &Seen) -> Tally {
    let played = AtomicUsize::new(0);
    let outcomes = side_by_side(plans, async |plan| {
        let outcome = run(plan, script, expected).await;
        let number = played.fetch_add(1, Ordering::Relaxed) + 1;
        if number.is_multiple_of(PROGRESS) {
            println!("{}: {number} of {} plans played", script.kind.word(), plans.len());
        }
        if let Outcome::Failed(Verdict { oracle, why }) = &outcome {
            println!("FAILED {plan}: {oracle}: {why}");
        }
        outcome
    });
    let mut tally = Tally::default();
    for (plan, outcome) in plans.iter().zip(outcomes) {
        tally.add(plan, outcome);
    }
    tally
}

/// The points that come in every run.
fn places(runs: &[Seen]) -> Vec<Place> {
    let every = |place: &Place| runs.iter().all(|run| has(run, place) && !is_idle(run, place));
    let first = &runs[0];
    let points = first
        .points
        .iter()
        .filter(|point| is_ours(point) && is_kept(point));
    let engine = points.cloned().map(Place::Engine);
    let writes = first
        .writes
        .iter()
        .flat_map(|(step, count)| (1..=*count).map(|nth| Place::Write { step: *step, nth }));
    engine.chain(writes).filter(every).collect()
}

fn has(run: &Seen, place: &Place) -> bool {
    match place {
        Place::Engine(point) => run.points.contains(&at_least(point)),
        Place::Write { step, nth } => {
            let of_step = |(at, count): &(Step, u32)| at == step && count >= nth;
            run.writes.iter().any(of_step)
        }
    }
}

/// Whether it is reached only while nothing is to go wrong.
fn is_idle(run: &Seen, place: &Place) -> bool {
    let Place::Engine(point) = place else { return false };
    let mut idle = run.idle.iter().flat_map(|idle| &idle.points);
    idle.any(|reached| reached == point)
}

/// How often a list is read again depends on how long a run takes: a point counts that comes long before the last.
fn at_least(point: &Point) -> Point {
    let is_repeated = point.class == Class::List && point.occurrence > READINGS;
    let occurrence = if is_repeated {
        2 * point.occurrence
    } else {
        point.occurrence
    };
    Point {
        occurrence,
        ..point.clone()
    }
}

/// The owner beside is there to be left alone; and what is gone has no name.
fn is_ours(point: &Point) -> bool {
    !point.signature.contains("beside") && !point.signature.ends_with('?')
}

fn is_kept(point: &Point) -> bool {
    point.class != Class::List || point.occurrence <= READINGS || point.occurrence.is_multiple_of(FURTHER)
}
