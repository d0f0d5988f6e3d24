//! Why something is as it is: a chain of answers, the most important first, made of what the operator tells.
//!
//! Nothing here asks the operator for anything.

mod agent;
mod change;
mod commit;
mod deletion;
mod origin;
mod owner;
mod source;
mod template;

pub(crate) use agent::AgentFacts;
pub(crate) use change::Change;
pub(crate) use commit::Commit;
pub(crate) use origin::Origin;
pub(crate) use owner::OwnerFacts;
pub(crate) use source::SourceFacts;
pub(crate) use template::TemplateFacts;

use jiff::Timestamp;
use serde::Serialize;

use super::object;
use crate::resource::Key;
use crate::resource::object::API_VERSION;

/// What was asked for, or why that cannot be told.
pub(crate) type Told<T> = Result<T, String>;

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    /// What it is about, as `team/payments`.
    pub object: String,
    /// Its namespace.
    pub namespace: String,
    /// The answers.
    pub chain: Vec<Link>,
}

impl Answer {
    /// The answer about an object.
    pub(crate) fn about(key: &Key, chain: Vec<Link>) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "Why",
            object: object::slashed(key),
            namespace: key.namespace.clone(),
            chain,
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    /// What it is about.
    pub topic: Topic,
    /// What is said, in one sentence.
    pub says: String,
    /// Since when that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When that happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// More of it, one a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Link {
    fn new(topic: Topic, says: impl Into<String>) -> Self {
        Self {
            topic,
            says: says.into(),
            since: None,
            at: None,
            details: Vec::new(),
            next: None,
        }
    }

    fn with(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self {
            next: Some(next.into()),
            ..self
        }
    }
}

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Topic {
    /// That it is being deleted.
    Deletion,
    /// How it stands.
    State,
    /// Templates that are missing, or the one that an agent starts from.
    Template,
    /// Agents that cannot be brought about.
    Blocked,
    /// Agents that are not ready.
    NotReady,
    /// What the operator is still to do.
    ToDo,
    /// The team or council of an agent.
    Owner,
    /// What asks for an agent.
    AskedBy,
    /// Who starts from a template.
    UsedBy,
    /// What a Git repository declares, and its source leaves as it is.
    Pinned,
    /// The Git repository and the commit that declare it.
    DeclaredBy,
    /// Who changed it last.
    LastChange,
    /// What went wrong lately.
    Warnings,
}

impl Topic {
    /// As people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Topic::Deletion => "Deleted",
            Topic::State => "State",
            Topic::Template => "Template",
            Topic::Blocked => "Blocked",
            Topic::NotReady => "Not ready",
            Topic::ToDo => "To do",
            Topic::Owner => "Owner",
            Topic::AskedBy => "Asked by",
            Topic::UsedBy => "Used by",
            Topic::Pinned => "Pinned",
            Topic::DeclaredBy => "Declared by",
            Topic::LastChange => "Last change",
            Topic::Warnings => "Warnings",
        }
    }
}
