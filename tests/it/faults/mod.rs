//! What if something goes wrong right here? Every point of a run, every fault of its kind, and the same end.
//!
//! ```text
//! script (steps) -> play without a fault -> points -> plans -> play each -> what was seen -> oracles P1 to P10
//! ```

mod foreign;
mod ground;
mod log;
mod look;
mod operator;
mod oracles;
mod plans;
mod play;
mod seen;
mod suite;
mod workload;
mod writes;

use workload::{Kind, Script};

#[test]
fn try_out() {
    let filter = std::env::var("FAULTS_FILTER").unwrap_or_default();
    for kind in Kind::ALL {
        let script = Script::whole(kind);
        let started = std::time::Instant::now();
        let base = suite::baseline(&script);
        println!("{} places {:?} {:?}", base.places.len(), started.elapsed(), base.seen.writes);
        let plans = plans::all(kind, &base.places);
        println!("{} plans", plans.len());
        let plans: Vec<_> = plans.into_iter().filter(|plan| plan.to_string().contains(&filter)).collect();
        let outcomes = suite::side_by_side(&plans, async |plan| suite::run(plan, &script, &base.seen).await);
        let mut tally = suite::Tally::default();
        for (plan, outcome) in plans.iter().zip(outcomes) {
            tally.add(plan, outcome);
        }
        tally.print(kind);
        println!("{:?}", started.elapsed());
    }
}
