//! From what is declared to what is to run: templates merged in, defaults filled in, engine units.

use std::collections::{BTreeMap, BTreeSet};

use super::agent_spec::AgentSpec;
use super::object::Object;
use super::validate::{Cause, CauseReason, Invalid};
use super::workload::Workload;

/// The agent blocks of a namespace's AgentTemplates, by name.
pub type Templates = BTreeMap<String, AgentSpec>;

/// Where agents find the systems around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The NATS servers, as agents reach them.
    pub nats_url: Option<String>,
    /// The operator's address, as agents reach it.
    pub whoosh_endpoint: Option<String>,
}

/// Why an object cannot be run now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// It will not be until somebody edits it or one of its templates.
    #[error("{0}")]
    Invalid(#[source] Invalid),
    /// It waits for templates that do not exist (yet).
    #[error("{}", list(.0))]
    MissingTemplates(Vec<MissingTemplate>),
}

/// A role's template that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTemplate {
    /// The role.
    pub role: String,
    /// The template that it names.
    pub template: String,
    /// The existing template that was perhaps meant.
    pub nearest: Option<String>,
}

fn list(_missing: &[MissingTemplate]) -> String {
    String::new()
}

/// The templates that an object's roles name. Empty for kinds without roles.
pub fn template_names(_object: &Object) -> BTreeSet<String> {
    BTreeSet::new()
}

/// Lowers a valid Team or Council: every default filled in, every quantity in the engine's units.
///
/// # Errors
/// [`LowerError::MissingTemplates`] names every role whose template is not among `templates`.
/// [`LowerError::Invalid`] has every problem that only shows after merging.
pub fn lower(
    object: &Object,
    _templates: &Templates,
    _endpoints: &Endpoints,
) -> Result<Workload, LowerError> {
    Err(LowerError::Invalid(Invalid {
        causes: vec![Cause::new(
            "kind",
            CauseReason::NotSupported,
            format!("{} declares no agents", object.kind),
        )],
    }))
}
