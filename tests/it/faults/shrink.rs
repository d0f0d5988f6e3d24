//! Makes a failing plan's script short: whatever can go while the same oracle still fails goes.

use super::oracles::Verdict;
use super::plans::Plan;
use super::suite::{self, Outcome};
use super::workload::{Script, Step};

/// The shortest script found that still `fails`, and how.
pub(super) fn shrink(
    script: &Script,
    verdict: &Verdict,
    fails: impl Fn(&Script) -> Option<Verdict>,
) -> (Script, Verdict) {
    let (mut script, mut verdict) = (script.clone(), verdict.clone());
    while let Some((shorter, same)) = shorter(&script)
        .into_iter()
        .find_map(|shorter| Some((shorter.clone(), fails(&shorter)?)))
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

/// How `plan` fails the same oracle on a script, if it does.
pub(super) fn fails(plan: &Plan, script: &Script, oracle: &str) -> Option<Verdict> {
    let baseline = suite::rehearse(script, 1).ok()?;
    match suite::runtime().block_on(suite::run(plan, script, &baseline.seen)) {
        Outcome::Failed(verdict) if verdict.oracle == oracle => Some(verdict),
        _ => None,
    }
}

#[test]
fn what_a_failure_does_not_need_goes() {
    let verdict = |why: &str| Verdict {
        oracle: "P1 settles",
        why: why.to_owned(),
    };
    let fails_with = |needed: &'static [Step]| {
        move |script: &Script| {
            let has_all = needed.iter().all(|step| script.steps.contains(step));
            has_all.then(|| verdict("again"))
        }
    };
    for (needed, shortest) in [
        (&[Step::ScaleUp][..], "team with one role: apply, then scale up"),
        (
            &[Step::Rollout, Step::RemoveRole],
            "team with two roles: apply, then change the environment, then remove a role",
        ),
        (&[], "team with one role: apply"),
    ] {
        let (script, same) = shrink(
            &Script::whole(super::workload::Kind::Team),
            &verdict("first"),
            fails_with(needed),
        );
        assert_eq!(
            (script.to_string().as_str(), same.why.as_str()),
            (shortest, "again")
        );
    }
    let whole = Script::whole(super::workload::Kind::Council);
    assert_eq!(
        shrink(&whole, &verdict("first"), |_| None),
        (whole.clone(), verdict("first"))
    );
}
