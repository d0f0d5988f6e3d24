//! What is wrong with a message: its shape, or every value that its contract refuses.

use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::hlc::{Hlc, HlcError};
use super::id::IdError;

/// Why bytes are not the message they should be.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not JSON, or not these fields with these types.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// The right fields with values that the contract refuses.
    #[error(transparent)]
    Values(#[from] Problems),
}

/// Every value of a message that its contract refuses.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

/// One value that a contract refuses.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Not a cluster's id.
    #[error("cluster_id {0}")]
    ClusterId(IdError),
    /// Not an agent's id.
    #[error("agent_id {0}")]
    AgentId(IdError),
    /// Not a clock reading.
    #[error("hlc {0}")]
    Hlc(HlcError),
    /// Not a time.
    #[error("{field} is {value:?}, expected a time like 2025-09-05T12:30:00Z")]
    Time {
        /// The field's path.
        field: &'static str,
        /// What was found.
        value: String,
    },
    /// Not a bar's id.
    #[error("window_id must be 32 hex digits")]
    WindowId,
    /// A number outside its bounds.
    #[error("{field} is {value}, allowed is {min} to {max}")]
    Range {
        /// The field's path.
        field: &'static str,
        /// What was found.
        value: f64,
        /// The least allowed.
        min: f64,
        /// The most allowed.
        max: f64,
    },
    /// A tempo between two steps.
    #[error("tempo_bpm is {0}, which is not a multiple of 0.1")]
    TempoStep(f64),
    /// A remark that is too long.
    #[error("notes has {0} characters, at most 256 are allowed")]
    Notes(usize),
}

impl Problems {
    /// `Ok` when nothing was found.
    pub(super) fn collect<const N: usize>(found: [Option<Problem>; N]) -> Result<(), Self> {
        let problems: Vec<Problem> = found.into_iter().flatten().collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self(problems))
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Reads JSON and checks its values.
pub(super) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    validate: fn(&T) -> Result<(), Problems>,
) -> Result<T, MessageError> {
    let message = serde_json::from_slice(bytes)?;
    validate(&message)?;
    Ok(message)
}

pub(super) fn hlc_problem(hlc: &str) -> Option<Problem> {
    hlc.parse::<Hlc>().err().map(Problem::Hlc)
}

pub(super) fn time_problem(field: &'static str, value: &str) -> Option<Problem> {
    value.parse::<Timestamp>().err().map(|_| Problem::Time {
        field,
        value: value.to_owned(),
    })
}

/// A `value` that is there and outside `min..=max` (NaN is).
pub(super) fn range_problem(field: &'static str, value: Option<f64>, min: f64, max: f64) -> Option<Problem> {
    value
        .filter(|value| !(min..=max).contains(value))
        .map(|value| Problem::Range {
            field,
            value,
            min,
            max,
        })
}
