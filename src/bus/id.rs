//! Names that become part of a subject or a message, checked once so that none can hold `.`, `*` or `>`.

use std::fmt;
use std::str::FromStr;

/// Why a name is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing is there.
    #[error("must not be empty")]
    Empty,
    /// Longer than BACKBEAT's contracts allow.
    #[error("has {length} characters, at most {max} are allowed")]
    TooLong {
        /// The length found, in characters.
        length: usize,
        /// The longest allowed.
        max: usize,
    },
    /// A character outside the allowed set.
    #[error("holds {found:?}; only letters, digits and {allowed} are allowed")]
    Character {
        /// The first character that does not fit.
        found: char,
        /// What is allowed beside ASCII letters and digits.
        allowed: &'static str,
    },
}

/// The id of an agent: `^[a-zA-Z0-9_:-]{1,128}$`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentId(String);

/// The id of a BACKBEAT cluster: `^[a-zA-Z0-9_-]{1,64}$`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterId(String);

impl AgentId {
    pub(super) fn check(id: &str) -> Result<(), IdError> {
        check(id, 128, "_:-", "'_', ':' and '-'")
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClusterId {
    pub(super) fn check(id: &str) -> Result<(), IdError> {
        check(id, 64, "_-", "'_' and '-'")
    }

    /// The id as text, a single token of a subject.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks `id` against a length in characters and the characters allowed beside ASCII letters and digits.
pub(super) fn check(id: &str, max: usize, extra: &str, allowed: &'static str) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    let length = id.chars().count();
    if length > max {
        return Err(IdError::TooLong { length, max });
    }
    match id
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !extra.contains(*c))
    {
        Some(found) => Err(IdError::Character { found, allowed }),
        None => Ok(()),
    }
}

impl Default for ClusterId {
    /// The cluster of an installation that names none.
    fn default() -> Self {
        Self("chorus-production".to_owned())
    }
}

impl FromStr for AgentId {
    type Err = IdError;

    fn from_str(id: &str) -> Result<Self, IdError> {
        Self::check(id).map(|()| Self(id.to_owned()))
    }
}

impl FromStr for ClusterId {
    type Err = IdError;

    fn from_str(id: &str) -> Result<Self, IdError> {
        Self::check(id).map(|()| Self(id.to_owned()))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentId, ClusterId};

    #[test]
    fn ids_hold_nothing_that_a_subject_reads_as_syntax() {
        fn check(id: &str, agent: Option<&str>, cluster: Option<&str>) {
            let problem = |parsed: Result<(), super::IdError>| parsed.err().map(|error| error.to_string());
            let found = (
                problem(id.parse::<AgentId>().map(|_| ())),
                problem(id.parse::<ClusterId>().map(|_| ())),
            );
            assert_eq!(
                (found.0.as_deref(), found.1.as_deref()),
                (agent, cluster),
                "id {id:?}"
            );
        }
        check("team_default_payments_coordinator_1", None, None);
        check("chorus-production", None, None);
        check(
            "team:1",
            None,
            Some("holds ':'; only letters, digits and '_' and '-' are allowed"),
        );
        check("", Some("must not be empty"), Some("must not be empty"));
        for injection in ["a.b", "*", ">", "a b", "a\r\nPUB x", "ä"] {
            assert!(injection.parse::<AgentId>().is_err(), "agent {injection:?}");
            assert!(injection.parse::<ClusterId>().is_err(), "cluster {injection:?}");
        }
        check(&"x".repeat(64), None, None);
        check(
            &"x".repeat(65),
            None,
            Some("has 65 characters, at most 64 are allowed"),
        );
        check(
            &"x".repeat(129),
            Some("has 129 characters, at most 128 are allowed"),
            Some("has 129 characters, at most 64 are allowed"),
        );
    }
}
