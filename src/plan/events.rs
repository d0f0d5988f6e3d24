//! What of a round is worth telling.

use crate::resource::kinds::WorkloadStatus;

use super::round::Round;

/// An event, before the store counts and dates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// How it is meant.
    pub type_: EventType,
    /// One CamelCase word for machines.
    pub reason: &'static str,
    /// Plain words.
    pub message: String,
}

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// As it should not be.
    Warning,
}

/// What happened between two statuses, and what was done. Empty for a round that changed nothing.
pub fn events(_old: Option<&WorkloadStatus>, _new: &WorkloadStatus, _round: &Round<'_>) -> Vec<EventDraft> {
    Vec::new()
}
