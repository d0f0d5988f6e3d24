//! Troubles of agents, told together.

use std::collections::BTreeSet;

use crate::resource::condition::Reason;

use super::words;

/// What is wrong with an agent, in words that are the same for all agents with the same trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// `reviewer.2`.
    pub(super) agent: String,
    pub(super) reason: Reason,
    /// Whether it goes no further without a person.
    pub(super) stalled: bool,
    pub(super) message: String,
}

/// Shown of different troubles; the rest is counted.
const SHOWN: usize = 3;

/// `reviewer.1, reviewer.2: node n2 does not answer; …`, each trouble once.
pub(super) fn tell<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let problems: Vec<_> = problems.into_iter().collect();
    let mut told = BTreeSet::new();
    let distinct: Vec<_> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .filter(|message| told.insert(*message))
        .collect();
    let lines = distinct.iter().take(SHOWN).map(|message| {
        let same = problems.iter().filter(|problem| problem.message == *message);
        format!(
            "{}: {message}",
            words::list(same.map(|problem| problem.agent.as_str()))
        )
    });
    let more = distinct.len().saturating_sub(SHOWN);
    let rest = (more > 0).then(|| format!("and {}", words::count(more, "other trouble")));
    lines.chain(rest).collect::<Vec<_>>().join("; ")
}
