//! From what is declared to what is to run: templates merged in, defaults filled in, engine units.

mod agent;
mod declared;
mod identity;
#[cfg(test)]
mod tests;

pub(super) use identity::RESERVED_ENV;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::agent_spec::AgentSpec;
use super::kinds::TemplateStatus;
use super::names::DEFAULT_NETWORK;
use super::nearest;
use super::object::Object;
use super::validate::{Cause, CauseReason, Invalid, merged};
use super::workload::{DesiredAgent, DesiredRole, MissingTemplate, Owner, Workload};
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

/// Lowers a valid Team or Council: every default filled in, every quantity in the engine's units. A role whose
/// template is not among `templates` says so.
///
/// # Errors
/// Every problem that only shows after merging. It stays until somebody edits the object or one of its templates.
pub fn lower(object: &Object, templates: &Templates, endpoints: &Endpoints) -> Result<Workload, Invalid> {
    let declared = declared::read(object)?;
    let owner = Owner::of(object);
    let network = declared
        .network
        .clone()
        .unwrap_or_else(|| DEFAULT_NETWORK.to_owned());
    let mut used = BTreeSet::new();
    let mut roles = Vec::new();
    let mut causes = Vec::new();
    for role in &declared.roles {
        let template = find_template(role, templates);
        used.extend(
            template
                .iter()
                .copied()
                .flatten()
                .map(|template| template.status.clone()),
        );
        match lower_role(role, template, &declared, &owner, &network, endpoints) {
            Ok(role) => roles.push(role),
            Err(found) => causes.extend(found),
        }
    }
    if !causes.is_empty() {
        return Err(Invalid { causes });
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

/// The template that a role names, if it names one.
fn find_template<'a>(
    role: &DeclaredRole,
    templates: &'a Templates,
) -> Result<Option<&'a Template>, MissingTemplate> {
    let Some(name) = &role.template else {
        return Ok(None);
    };
    templates.get(name).map(Some).ok_or_else(|| MissingTemplate {
        role: role.name.clone(),
        template: name.clone(),
        nearest: nearest::nearest(name, templates.keys().map(String::as_str)).map(str::to_owned),
    })
}

fn lower_role(
    role: &DeclaredRole,
    template: Result<Option<&Template>, MissingTemplate>,
    declared: &Declared,
    owner: &Owner,
    network: &str,
    endpoints: &Endpoints,
) -> Result<DesiredRole, Vec<Cause>> {
    let replicas = u32::try_from(role.replicas).map_err(|_| {
        let message = format!("role {} cannot have {} agents", role.name, role.replicas);
        vec![Cause::new("spec.roles", CauseReason::Invalid, message)]
    })?;
    let agent = match template {
        Ok(template) => Ok(lower_agent(role, template, declared, owner, network, endpoints)?),
        Err(missing) => Err(missing),
    };
    Ok(DesiredRole {
        name: role.name.clone(),
        replicas,
        required: role.required,
        agent,
    })
}

fn lower_agent(
    role: &DeclaredRole,
    template: Option<&Template>,
    declared: &Declared,
    owner: &Owner,
    network: &str,
    endpoints: &Endpoints,
) -> Result<DesiredAgent, Vec<Cause>> {
    let layers: Vec<&AgentSpec> = template
        .map(|template| &template.agent)
        .into_iter()
        .chain([&declared.defaults, &role.agent])
        .collect();
    let agent = merged::check(&layers, false, &role.path)?;
    let grace = agent::stop_grace_period(&agent);
    let env = identity::environment(owner, &role.name, &agent, &declared.work, endpoints, grace);
    agent::lower(agent, env, network, &role.path)
}
