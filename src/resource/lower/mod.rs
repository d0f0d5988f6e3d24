//! From what is declared to what is to run: templates merged in, defaults filled in, engine units.

mod agent;
mod declared;
mod identity;
#[cfg(test)]
mod tests;
mod usage;

pub(super) use identity::RESERVED_ENV;
pub use usage::usage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::agent_spec::AgentSpec;
use super::env;
use super::kinds::TemplateStatus;
use super::names::{DEFAULT_NETWORK, NATS_URL_SECRET};
use super::nearest;
use super::object::Object;
use super::policy::{Asked, Rules};
use super::validate::{Cause, CauseReason, Invalid, merged};
use super::workload::{DesiredAgent, DesiredFile, DesiredRole, MissingTemplate, Owner, Withheld, Workload};
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
    pub nats_url: Option<NatsUrl>,
    /// The operator's address, as agents reach it.
    pub whoosh_endpoint: Option<String>,
}

/// How agents are told of the NATS servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsUrl {
    /// By this address in their environment, which whoever may inspect a service sees.
    Open(String),
    /// By a file ([`env::NATS_URL_PATH`]), since the address holds a user or a password. Only `swarm/` knows it.
    Secret,
}

impl NatsUrl {
    /// How agents are told of the servers at `url`.
    pub fn of(url: &str) -> Self {
        // Nothing but what comes before it makes an address hold one.
        match url.contains('@') {
            true => Self::Secret,
            false => Self::Open(url.to_owned()),
        }
    }
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
/// template is not among `templates` says so, and so does one that asks for more than `rules` allow.
///
/// # Errors
/// Every problem that only shows after merging. It stays until somebody edits the object or one of its templates.
pub fn lower(
    object: &Object,
    templates: &Templates,
    endpoints: &Endpoints,
    rules: &Rules,
) -> Result<Workload, Invalid> {
    let declared = declared::read(object)?;
    let lowering = Lowering {
        owner: Owner::of(object),
        network: declared.network.as_deref().unwrap_or(DEFAULT_NETWORK),
        declared: &declared,
        templates,
        endpoints,
        rules,
    };
    let mut roles = Vec::new();
    let mut causes = Vec::new();
    for role in &declared.roles {
        match lowering.role(role) {
            Ok(role) => roles.push(role),
            Err(found) => causes.extend(found),
        }
    }
    if !causes.is_empty() {
        return Err(Invalid { causes });
    }
    Ok(Workload {
        suspended: declared.suspended,
        network: lowering.network.to_owned(),
        progress_deadline: declared.deadline.map_or(PROGRESS_DEADLINE, |deadline| deadline.0),
        templates: lowering.used_templates(),
        roles,
        rules: rules.clone(),
        owner: lowering.owner,
    })
}

/// What every role of an object is lowered with.
struct Lowering<'a> {
    owner: Owner,
    network: &'a str,
    declared: &'a Declared,
    templates: &'a Templates,
    endpoints: &'a Endpoints,
    rules: &'a Rules,
}

impl Lowering<'_> {
    fn role(&self, role: &DeclaredRole) -> Result<DesiredRole, Vec<Cause>> {
        let replicas = u32::try_from(role.replicas).map_err(|_| {
            let message = format!("role {} cannot have {} agents", role.name, role.replicas);
            vec![Cause::new("spec.roles", CauseReason::Invalid, message)]
        })?;
        let agent = match &role.template {
            None => self.agent(role, None)?,
            Some(name) => match self.templates.get(name) {
                Some(template) => self.agent(role, Some(&template.agent))?,
                None => Err(self.without_template(role, name)?),
            },
        };
        Ok(DesiredRole {
            name: role.name.clone(),
            replicas,
            required: role.required,
            agent,
        })
    }

    /// The agent of a role: the template's block, under the object's, under the role's own.
    fn agent(
        &self,
        role: &DeclaredRole,
        template: Option<&AgentSpec>,
    ) -> Result<Result<DesiredAgent, Withheld>, Vec<Cause>> {
        let own = [&self.declared.defaults, &role.agent];
        let layers: Vec<&AgentSpec> = template.into_iter().chain(own).collect();
        let agent = merged::check(&layers, false, &role.path)?;
        let grace = agent::stop_grace_period(&agent);
        let denied = self.denied(&agent, &role.path, true);
        let work = &self.declared.work;
        let env = identity::environment(&self.owner, &role.name, &agent, work, self.endpoints, grace);
        let mut agent = agent::lower(agent, env, self.network, &role.path)?;
        agent.secrets.extend(self.nats_url(&agent.env));
        Ok(match denied {
            causes if causes.is_empty() => Ok(agent),
            causes => Err(Withheld::Denied(Invalid { causes })),
        })
    }

    /// The file with the address of NATS, for an agent whose environment names it.
    fn nats_url(&self, variables: &BTreeMap<String, String>) -> Option<DesiredFile> {
        let is_named = variables.get(env::NATS_URL_FILE).map(String::as_str) == Some(env::NATS_URL_PATH);
        let is_there = self.endpoints.nats_url == Some(NatsUrl::Secret);
        (is_named && is_there).then(|| DesiredFile {
            name: NATS_URL_SECRET.to_owned(),
            path: env::NATS_URL_PATH.to_owned(),
            data: None,
        })
    }

    /// What Policies refuse of a merged block, on the object's own network.
    fn denied(&self, agent: &AgentSpec, at: &str, is_whole: bool) -> Vec<Cause> {
        let mut asked = Asked::of(agent);
        asked.networks.push(self.network);
        asked.is_whole = is_whole;
        self.rules.judge(&asked, at)
    }

    /// Why a role has no agents whose template is missing. What the object itself asks for is judged all the same.
    fn without_template(&self, role: &DeclaredRole, template: &str) -> Result<Withheld, Vec<Cause>> {
        let agent = merged::check(&[&self.declared.defaults, &role.agent], true, &role.path)?;
        let causes = self.denied(&agent, &role.path, false);
        if !causes.is_empty() {
            return Ok(Withheld::Denied(Invalid { causes }));
        }
        let known = self.templates.keys().map(String::as_str);
        Ok(Withheld::MissingTemplate(MissingTemplate {
            role: role.name.clone(),
            template: template.to_owned(),
            nearest: nearest::nearest(template, known).map(str::to_owned),
        }))
    }

    /// The state of each template that a role starts from, by name.
    fn used_templates(&self) -> Vec<TemplateStatus> {
        let named: BTreeSet<&String> = self
            .declared
            .roles
            .iter()
            .filter_map(|role| role.template.as_ref())
            .collect();
        let used = named.into_iter().filter_map(|name| self.templates.get(name));
        used.map(|template| template.status.clone()).collect()
    }
}
