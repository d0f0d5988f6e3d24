//! Condition types and reasons, and the one way to set a condition.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// All declared agents run this generation and are healthy.
    Ready,
    /// The operator or the Swarm is still at work on this generation.
    Progressing,
    /// Something that was or should be ready is not.
    Degraded,
    /// It goes no further without a person.
    Stalled,
    /// The operator was told to leave the agents as they are.
    Suspended,
    /// The operator is at work to bring the repository about, or will try again.
    Reconciling,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}

/// Why a condition is as it is: one CamelCase word for machines. The message speaks to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Every declared agent is ready.
    AgentsReady,
    /// Agents are being started or updated.
    AgentsStarting,
    /// Agents that are no longer declared are being stopped.
    AgentsStopping,
    /// Nothing of this condition applies.
    AsExpected,
    /// A template that a role names does not exist yet.
    TemplateNotFound,
    /// A service or network of the wanted name belongs to somebody else.
    NameConflict,
    /// Neither a registry nor the node has the image.
    ImageMissing,
    /// No node meets the constraints or has the resources.
    NothingFits,
    /// A container ended, and is started again.
    AgentFailed,
    /// A container ends again and again.
    CrashLoop,
    /// A container runs, and its health check fails.
    Unhealthy,
    /// A node with agents does not answer.
    NodeDown,
    /// The required agents were not ready in time.
    ProgressDeadlineExceeded,
    /// The operator was told to leave the agents as they are.
    Suspended,
    /// The object is being deleted.
    Deleting,
    /// The overlay network has not enough addresses.
    NetworkFull,
    /// A secret is not in the operator's secrets folder, or a file of a GitSource's secret is not there.
    SecretNotFound,
    /// A secret cannot be used as it is: it is too large, empty, or cannot be read.
    SecretUnusable,
    /// A file of a GitSource's secret cannot be read, or cannot be what it should be.
    SecretInvalid,
    /// A Policy of the namespace refuses what an agent asks for, or none allows it.
    PolicyDenied,
    /// The Docker engine does not answer.
    EngineUnavailable,
    /// The Docker engine refused a change.
    EngineRefused,
    /// What is declared cannot be run.
    InvalidSpec,
    /// The commit's objects are applied.
    RevisionApplied,
    /// The commit's objects are applied, and not all of them are ready.
    ObjectsNotReady,
    /// The repository is looked at for the first time.
    Fetching,
    /// The repository cannot be fetched now; it is tried again.
    FetchFailed,
    /// The repository cannot be fetched until somebody changes something: credentials, its address, what is in it.
    FetchRefused,
    /// The repository holds what is not read: a link, a submodule, too much.
    ContentRefused,
    /// Nobody who is trusted signed the commit or tag.
    SignatureRefused,
    /// Some of the commit's objects are not valid or not allowed, and so none is applied.
    RevisionRefused,
    /// The commit would delete more than it may without a person's word.
    PruneGuarded,
    /// A source that this one depends on is not ready.
    DependencyNotReady,
    /// A source depends, through others, on itself.
    DependencyLoop,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Sets one condition, in place or at the end. Its transition time moves only with its status.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: ConditionType,
    status: impl Into<ConditionStatus>,
    reason: Reason,
    message: impl Into<String>,
    generation: i64,
    now: Timestamp,
) {
    let status = status.into().to_string();
    let old = conditions
        .iter_mut()
        .find(|condition| condition.type_ == type_.to_string());
    let since = match &old {
        Some(old) if old.status == status => old.last_transition_time.clone(),
        _ => Time(now),
    };
    let new = Condition {
        type_: type_.to_string(),
        status,
        reason: reason.to_string(),
        message: message.into(),
        observed_generation: Some(generation),
        last_transition_time: since,
    };
    match old {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}

/// The condition of this type.
pub fn get(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == type_.to_string())
}

/// Whether the condition of this type is there and holds.
pub fn holds(conditions: &[Condition], type_: ConditionType) -> bool {
    get(conditions, type_).is_some_and(|condition| condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_with_the_status_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = Vec::new();
        for (second, status, reason, generation, since) in [
            (1, false, Reason::AgentsStarting, 1, 1),
            (2, false, Reason::CrashLoop, 2, 1),
            (3, true, Reason::AgentsReady, 2, 3),
            (4, true, Reason::AgentsReady, 3, 3),
        ] {
            let ready = ConditionType::Ready;
            set(
                &mut conditions,
                ready,
                status,
                reason,
                "words",
                generation,
                at(second),
            );
            let [condition] = conditions.as_slice() else {
                panic!("one condition a type");
            };
            assert_eq!(condition.last_transition_time, Time(at(since)), "at {second}");
            assert_eq!(condition.reason, reason.to_string());
            assert_eq!(condition.observed_generation, Some(generation));
            assert_eq!(holds(&conditions, ready), status);
        }
        assert!(!holds(&conditions, ConditionType::Stalled));
    }
}
