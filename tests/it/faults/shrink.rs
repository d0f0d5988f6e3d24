//! Makes a failing plan's script short: whatever can go while the same oracle still fails goes.

use super::oracles::Verdict;
use super::plans::Plan;
use super::suite::{self, Outcome};
use super::workload::{Script, Step};

/// The shortest script found on which `plan` fails as it did, and how it fails there.
pub(super) fn shrink(plan: &Plan, script: &Script, verdict: &Verdict) -> (Script, Verdict) {
    let (mut script, mut verdict) = (script.clone(), verdict.clone());
    while let Some((shorter, same)) = shorter(&script)
        .into_iter()
        .find_map(|shorter| Some((shorter.clone(), fails(plan, &shorter, verdict.oracle)?)))
    {
        (script, verdict) = (shorter, same);
    }
    (script, verdict)
}

/// Every script that lacks one thing.
fn shorter(script: &Script) -> Vec<Script> {
    let can_go = |(number, step): (usize, &Step)| (number > 0 && *step != Step::Apply).then_some(number);
    let without = |number| {
        let mut steps = script.steps.clone();
        steps.remove(number);
        Script {
            steps,
            ..script.clone()
        }
    };
    let steps = script.steps.iter().enumerate().filter_map(can_go);
    let mut all: Vec<Script> = steps.rev().map(without).collect();
    if script.second_role && !script.steps.contains(&Step::RemoveRole) {
        all.push(Script {
            second_role: false,
            ..script.clone()
        });
    }
    all
}

fn fails(plan: &Plan, script: &Script, oracle: &str) -> Option<Verdict> {
    let baseline = suite::rehearse(script, 1).ok()?;
    match suite::runtime().block_on(suite::run(plan, script, &baseline.seen)) {
        Outcome::Failed(verdict) if verdict.oracle == oracle => Some(verdict),
        _ => None,
    }
}
