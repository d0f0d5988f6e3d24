//! Where the simulation does not do as the engine does, and which of that is accepted, and why.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::plain::Fields;
use super::script::Script;
use crate::sim::pattern::fits;

/// One step of a script, and what the engine showed.
pub(super) struct Record {
    pub(super) step: String,
    pub(super) fields: Fields,
}

/// One field that is not the same.
#[derive(Debug)]
pub(super) struct Difference {
    script: String,
    step: String,
    field: String,
    real: Option<String>,
    simulated: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
        write!(
            f,
            "{} / {} / {}\n        real      {}\n        simulated {}",
            self.script,
            self.step,
            self.field,
            told(&self.real),
            told(&self.simulated)
        )
    }
}

/// All fields that differ between two courses of one script.
pub(super) fn between(script: &str, real: &[Record], simulated: &[Record]) -> Vec<Difference> {
    let mut found = Vec::new();
    let steps: BTreeSet<&String> = real.iter().chain(simulated).map(|record| &record.step).collect();
    for step in steps {
        let of = |records: &[Record]| -> Option<Fields> {
            records
                .iter()
                .find(|record| record.step == *step)
                .map(|record| record.fields.clone())
        };
        let mut differ = |field: &str, real: Option<String>, simulated: Option<String>| {
            if real != simulated {
                found.push(Difference {
                    script: script.to_owned(),
                    step: step.clone(),
                    field: field.to_owned(),
                    real,
                    simulated,
                });
            }
        };
        match (of(real), of(simulated)) {
            (Some(real), Some(simulated)) => {
                let fields: BTreeSet<&String> = real.keys().chain(simulated.keys()).collect();
                for field in fields {
                    differ(field, real.get(field).cloned(), simulated.get(field).cloned());
                }
            }
            (one, other) => {
                let whole = |fields: Option<Fields>| fields.map(|fields| format!("{fields:?}"));
                differ("the whole step", whole(one), whole(other));
            }
        }
    }
    found
}

/// A difference that stays; `*` stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    script: String,
    step: String,
    field: String,
    /// Whether it is only about what the simulation does not show at all.
    #[serde(default)]
    absent: bool,
    /// The reason.
    why: String,
}

impl Accepted {
    fn covers(&self, difference: &Difference) -> bool {
        fits(&self.script, &difference.script)
            && fits(&self.step, &difference.step)
            && fits(&self.field, &difference.field)
            && (!self.absent || difference.simulated.is_none())
    }
}

/// The accepted differences of scripts.
pub(super) fn accepted<'a>(scripts: impl IntoIterator<Item = &'a Script>) -> Vec<Accepted> {
    let mut all: Vec<Accepted> = serde_yaml::from_str(include_str!("accepted.yaml")).unwrap();
    let names: Vec<&str> = scripts.into_iter().map(|script| script.name.as_str()).collect();
    all.retain(|exception| names.iter().any(|name| fits(&exception.script, name)));
    all
}

/// Refuses differences that nobody accepted, and exceptions that nothing needs any longer.
///
/// # Panics
/// With all of them.
pub(super) fn judge(differences: &[Difference], accepted: &[Accepted]) {
    let covered = |difference: &&Difference| accepted.iter().any(|exception| exception.covers(difference));
    let new: Vec<String> = differences
        .iter()
        .filter(|difference| !covered(difference))
        .map(ToString::to_string)
        .collect();
    let idle: Vec<String> = accepted
        .iter()
        .filter(|exception| !differences.iter().any(|difference| exception.covers(difference)))
        .map(
            |Accepted {
                 script,
                 step,
                 field,
                 why,
                 absent: _,
             }| format!("{script} / {step} / {field}: {why}"),
        )
        .collect();
    assert!(
        new.is_empty() && idle.is_empty(),
        "{} differences (script / step / field):\n{}\n{} exceptions that nothing needs:\n{}",
        new.len(),
        new.join("\n"),
        idle.len(),
        idle.join("\n")
    );
}
