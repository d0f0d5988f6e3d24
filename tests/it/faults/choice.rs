//! Which plans are played: one, a sample, or all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::plans::Plan;

/// `all`, or the name of a plan; without it a sample is played.
const VARIABLE: &str = "WHOOSH_FAULTS";
/// Plans of each fault of each class of points in a sample.
const OF_EACH: usize = 2;

/// Which plans are played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Every plan.
    All,
    /// The plan of this name.
    One(String),
    /// Some of each fault: the same for the same commit.
    Sample(String),
}

impl Choice {
    /// What the environment asks for.
    pub(super) fn asked_for() -> Self {
        match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" => Self::Sample(commit().unwrap_or_else(content)),
            "all" => Self::All,
            name => {
                assert!(Plan::named(name).is_some(), "no plan is called {name:?}");
                Self::One(name.to_owned())
            }
        }
    }

    /// Of all `plans` of a script those that are played.
    pub(super) fn of(&self, plans: Vec<Plan>) -> Vec<Plan> {
        match self {
            Self::All => plans,
            Self::One(name) => {
                let kind = plans.first().map(|plan| plan.kind);
                let plan = Plan::named(name);
                plan.into_iter().filter(|plan| Some(plan.kind) == kind).collect()
            }
            Self::Sample(seed) => sample(seed, plans),
        }
    }

    /// `sample` of a number of seeds, or all of them.
    pub(super) fn seeds(&self, sample: u64, all: u64) -> u64 {
        match self {
            Self::All => all,
            Self::One(_) => 0,
            Self::Sample(_) => sample,
        }
    }
}

fn sample(seed: &str, plans: Vec<Plan>) -> Vec<Plan> {
    let mut groups: BTreeMap<_, Vec<Plan>> = BTreeMap::new();
    for plan in plans {
        groups.entry((plan.class(), plan.fault)).or_default().push(plan);
    }
    let draw = |mut group: Vec<Plan>| {
        group.sort_by_key(|plan| Sha256::digest(format!("{seed} {plan}")).to_vec());
        group.into_iter().take(OF_EACH)
    };
    groups.into_values().flat_map(draw).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commit that is checked out; `None` where there is no Git.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(root())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// What stands for the commit then: a hash of the sources.
fn content() -> String {
    let mut hash = Sha256::new();
    let mut paths: Vec<PathBuf> = vec![root().join("src")];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let mut inside: Vec<_> = fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            inside.sort();
            paths.extend(inside);
        } else {
            hash.update(fs::read(path).unwrap());
        }
    }
    format!("{:?}", hash.finalize())
}
