//! Runs without trouble, in Swarms and with answers of other paces: no oracle may raise an alarm.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use whoosh::sim::Timing;
use whoosh::sim::faults::{Class, Fault};

use super::choice::Choice;
use super::oracles::{Verdict, judge};
use super::plans::{Place, Trouble};
use super::play::{Armed, Manner, QUICK, play};
use super::suite::{Baseline, rehearse, side_by_side};
use super::workload::{Kind, Script};

/// Answers of a run that come late.
const LATE: usize = 30;

#[test]
fn clean_seeds_raise_no_alarm() {
    let scripts = Kind::ALL.map(Script::whole);
    let baselines = scripts.each_ref().map(|script| rehearse(script, 1).unwrap());
    let seeds: Vec<u64> = (0..Choice::asked_for().seeds(12, 1_000)).collect();
    let verdicts = side_by_side(&seeds, async |seed| {
        let number = usize::try_from(*seed).unwrap() % scripts.len();
        run(*seed, &scripts[number], &baselines[number]).await
    });
    let alarms = seeds
        .iter()
        .zip(verdicts)
        .filter_map(|(seed, verdict)| Some((seed, verdict.err()?)));
    let alarms: Vec<String> = alarms
        .map(|(seed, Verdict { oracle, why })| format!("seed {seed}: {oracle}: {why}"))
        .collect();
    println!("{} clean seeds, {} alarms", seeds.len(), alarms.len());
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

async fn run(seed: u64, script: &Script, baseline: &Baseline) -> Result<(), Verdict> {
    let mut dice = StdRng::seed_from_u64(seed);
    let manner = manner(seed, &mut dice);
    let armed = late(&mut dice, &baseline.places);
    let seen = play(script, manner, armed, Some(&baseline.seen)).await;
    judge(&seen, &baseline.seen)
}

fn manner(seed: u64, dice: &mut StdRng) -> Manner {
    let mut moment = |longest| Duration::from_micros(dice.random_range(200..longest));
    let timing = Timing {
        orchestrate: moment(5_000),
        allocate: moment(5_000),
        schedule: moment(5_000),
        accept: moment(5_000),
        prepare: moment(20_000),
        start: moment(20_000),
        stop: moment(20_000),
        reap: moment(5_000),
        ..QUICK.timing
    };
    Manner { timing, seed }
}

fn late(dice: &mut StdRng, places: &[Place]) -> Vec<Armed> {
    let is_request = |place: &&Place| matches!(place, Place::Engine(point) if point.class != Class::Event);
    let requests: Vec<&Place> = places.iter().filter(is_request).collect();
    let some: Vec<Place> = requests
        .sample(dice, LATE)
        .map(|place| (*place).clone())
        .collect();
    let mut by = || Duration::from_millis(dice.random_range(1..40));
    some.into_iter()
        .map(|place| (place, Trouble::Engine(Fault::Late { by: by() })))
        .collect()
}
