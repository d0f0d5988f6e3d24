//! How many plans there were, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use super::oracles::Verdict;
use super::plans::Plan;
use super::suite::Outcome;
use super::workload::Kind;

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

    /// The plans that failed, and how.
    pub(super) fn failed(&self) -> &[(Plan, Verdict)] {
        &self.failed
    }

    /// How many plans' points did not come, of how many plans.
    pub(super) fn unreached(&self) -> (usize, usize) {
        (self.unreached.len(), self.counts.values().flatten().sum())
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
            println!(
                "  {class:<6} {fault:<14} {total:>5} plans {unreached:>4} not reached {failed:>4} failed"
            );
        }
        for name in &self.unreached {
            println!("  not reached: {name}");
        }
    }
}
