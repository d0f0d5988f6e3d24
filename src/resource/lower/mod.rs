//! From what is declared to what is to run: templates merged in, defaults filled in, engine units.

mod agent;
mod declared;
mod identity;
#[cfg(test)]
mod tests;

pub(super) use identity::RESERVED_ENV;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::agent_spec::AgentSpec;
use super::kinds::TemplateStatus;
use super::names::DEFAULT_NETWORK;
use super::nearest;
use super::object::Object;
use super::validate::{Cause, CauseReason, Invalid, merged};
use super::workload::{DesiredRole, Owner, Workload};
use declared::{Declared, DeclaredRole};

/// How long agents may take to be ready, when a Council's formation names no deadline.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(600);

/// A namespace's AgentTemplates, by name.
pub type Templates = BTreeMap<String, Template>;

/// An AgentTemplate, as roles start from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its agent block.
    pub agent: AgentSpec,
    /// Which state of it this is.
    pub status: TemplateStatus,
}

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
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It waits for templates that do not exist (yet).
    #[error("{}", joined(.0))]
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

impl fmt::Display for MissingTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role,
            template,
            nearest: near,
        } = self;
        write!(
            f,
            "role {role} waits for the AgentTemplate \"{template}\", which does not exist{}",
            nearest::did_you_mean(near.as_deref())
        )
    }
}

fn joined(missing: &[MissingTemplate]) -> String {
    missing
        .iter()
        .map(MissingTemplate::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The name and content of an AgentTemplate.
///
/// `None` when this version cannot read it: it then counts as missing, and its users say so.
pub fn template(object: &Object) -> Option<(String, Template)> {
    let name = object.name().to_owned();
    let template = Template {
        agent: serde_json::from_value(object.spec.clone()).ok()?,
        status: TemplateStatus {
            name: name.clone(),
            uid: object.uid().to_owned(),
            observed_generation: object.generation(),
        },
    };
    Some((name, template))
}

/// The templates that a spec's roles name. Empty for kinds without roles.
pub fn template_names(spec: &Value) -> BTreeSet<String> {
    let roles = spec.get("roles").and_then(Value::as_array);
    roles
        .into_iter()
        .flatten()
        .filter_map(|role| role.get("template")?.as_str().map(str::to_owned))
        .collect()
}

/// Lowers a valid Team or Council: every default filled in, every quantity in the engine's units.
///
/// # Errors
/// [`LowerError::MissingTemplates`] names every role whose template is not among `templates`.
/// [`LowerError::Invalid`] has every problem that only shows after merging.
pub fn lower(object: &Object, templates: &Templates, endpoints: &Endpoints) -> Result<Workload, LowerError> {
    let declared = declared::read(object)?;
    let missing = missing_templates(&declared.roles, templates);
    if !missing.is_empty() {
        return Err(LowerError::MissingTemplates(missing));
    }
    let owner = Owner::of(object);
    let network = declared
        .network
        .clone()
        .unwrap_or_else(|| DEFAULT_NETWORK.to_owned());
    let mut used = BTreeSet::new();
    let mut roles = Vec::new();
    let mut causes = Vec::new();
    for role in &declared.roles {
        let template = role.template.as_ref().and_then(|name| templates.get(name));
        used.extend(template.map(|template| template.status.clone()));
        match lower_role(role, template, &declared, &owner, &network, endpoints) {
            Ok(role) => roles.push(role),
            Err(found) => causes.extend(found),
        }
    }
    if !causes.is_empty() {
        return Err(Invalid { causes }.into());
    }
    Ok(Workload {
        owner,
        suspended: declared.suspended,
        network,
        progress_deadline: declared.deadline.map_or(PROGRESS_DEADLINE, |deadline| deadline.0),
        templates: used.into_iter().collect(),
        roles,
    })
}

fn missing_templates(roles: &[DeclaredRole], templates: &Templates) -> Vec<MissingTemplate> {
    let missing = |role: &DeclaredRole| {
        let template = role
            .template
            .as_ref()
            .filter(|name| !templates.contains_key(*name))?;
        let near = nearest::nearest(template, templates.keys().map(String::as_str));
        Some(MissingTemplate {
            role: role.name.clone(),
            template: template.clone(),
            nearest: near.map(str::to_owned),
        })
    };
    roles.iter().filter_map(missing).collect()
}

fn lower_role(
    role: &DeclaredRole,
    template: Option<&Template>,
    declared: &Declared,
    owner: &Owner,
    network: &str,
    endpoints: &Endpoints,
) -> Result<DesiredRole, Vec<Cause>> {
    let layers: Vec<&AgentSpec> = template
        .map(|template| &template.agent)
        .into_iter()
        .chain([&declared.defaults, &role.agent])
        .collect();
    let agent = merged::check(&layers, false, &role.path)?;
    let grace = agent::stop_grace_period(&agent);
    let env = identity::environment(owner, &role.name, &agent, &declared.work, endpoints, grace);
    let replicas = u32::try_from(role.replicas).map_err(|_| {
        let message = format!("role {} cannot have {} agents", role.name, role.replicas);
        vec![Cause::new("spec.roles", CauseReason::Invalid, message)]
    })?;
    Ok(DesiredRole {
        name: role.name.clone(),
        replicas,
        required: role.required,
        agent: agent::lower(agent, env, network, &role.path)?,
    })
}
