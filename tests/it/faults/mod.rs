//! What if something goes wrong right here? Every point of a run, every fault of its kind, and the same end.
//!
//! ```text
//! script (steps) -> play without a fault -> points -> plans -> play each -> what was seen -> oracles P1 to P10
//! ```
//!
//! Of Postgres, the writes of the workload are points. That its events or the lease cannot be written is in
//! `tests/it/store/faults.rs` and `tests/it/leaders.rs`: neither is needed to come to the same end.

mod bugs;
mod choice;
mod foreign;
mod ground;
mod log;
mod look;
mod operator;
mod oracles;
mod plans;
mod play;
mod scenarios;
mod seeds;
mod seen;
mod settled;
mod shrink;
mod suite;
mod tally;
mod workload;
mod writes;

use std::time::Instant;

use choice::Choice;
use oracles::Verdict;
use workload::{Kind, Script};

/// Runs without trouble that say which points come in every run.
const REHEARSALS: usize = 3;
/// Of a kind's plans, this share may miss their points: what is polled is not polled as often in every run.
const UNREACHED_MAX: f64 = 0.05;
/// So many plans of a kind there are at least, and their points come.
const PLANS_MIN: usize = 200;
/// Failing plans of a kind whose scripts are made short.
const SHRUNK: usize = 2;

#[test]
fn plans_of_team() {
    come_to_the_same_end(Kind::Team);
}

#[test]
fn plans_of_council() {
    come_to_the_same_end(Kind::Council);
}

#[test]
fn plans_of_template() {
    come_to_the_same_end(Kind::Template);
}

#[test]
fn plans_of_recreated() {
    come_to_the_same_end(Kind::Recreated);
}

fn come_to_the_same_end(kind: Kind) {
    let started = Instant::now();
    let script = Script::whole(kind);
    let baseline = suite::rehearse(&script, REHEARSALS).unwrap();
    let choice = Choice::asked_for();
    let plans = choice.of(plans::all(kind, &baseline.places));
    if let Choice::One(name) = &choice {
        println!("{name}\n  {script}");
    }
    let tally = suite::run_all(&plans, &script, &baseline.seen);
    tally.print(kind);
    println!(
        "{}: {}; took {:.0?}",
        kind.word(),
        baseline.kept,
        started.elapsed()
    );
    for (plan, verdict) in tally.failed().iter().take(SHRUNK) {
        let fails = |shorter: &Script| shrink::fails(plan, shorter, verdict.oracle);
        let (script, Verdict { oracle, why }) = shrink::shrink(&script, verdict, fails);
        println!("{plan}\n  fails on: {script}\n  {oracle}: {why}");
    }
    assert!(tally.failed().is_empty(), "{} plans failed", tally.failed().len());
    let (unreached, all) = tally.unreached();
    let (least, allowed) = match choice {
        Choice::One(_) => (1, 0.0),
        Choice::Sample(_) => (1, 2.0),
        Choice::All => (PLANS_MIN, UNREACHED_MAX * all as f64),
    };
    assert!(
        all - unreached >= least,
        "of {all} plans, {unreached} were not reached"
    );
    assert!(
        unreached as f64 <= allowed,
        "{unreached} of {all} plans were not reached"
    );
}
