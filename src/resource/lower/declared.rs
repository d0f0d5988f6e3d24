//! What Teams and Councils declare, in one form.

use serde::de::DeserializeOwned;

use super::super::agent_spec::AgentSpec;
use super::super::duration::Duration;
use super::super::kind::Kind;
use super::super::kinds::{CoreRole, CouncilSpec, OptionalRole, Priority, Role, Task, TeamSpec};
use super::super::object::Object;
use super::super::path;
use super::super::validate::{Cause, CauseReason, Invalid};

/// A Team or Council, before templates and defaults.
pub(super) struct Declared {
    pub(super) suspended: bool,
    pub(super) network: Option<String>,
    pub(super) deadline: Option<Duration>,
    pub(super) work: Work,
    pub(super) defaults: AgentSpec,
    pub(super) roles: Vec<DeclaredRole>,
}

/// What the agents work on.
#[derive(Default)]
pub(super) struct Work {
    pub(super) project: Option<String>,
    pub(super) task_id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) priority: Option<Priority>,
    pub(super) url: Option<String>,
}

/// A role with its own block.
pub(super) struct DeclaredRole {
    pub(super) name: String,
    /// Where the spec speaks of its agents.
    pub(super) path: String,
    pub(super) replicas: i64,
    pub(super) required: bool,
    pub(super) template: Option<String>,
    pub(super) agent: AgentSpec,
}

/// Reads the typed spec of an object that declares agents.
pub(super) fn read(object: &Object) -> Result<Declared, Invalid> {
    match object.kind {
        Kind::Team => spec(object).map(team),
        Kind::Council => spec(object).map(council),
        Kind::AgentTemplate | Kind::Policy | Kind::GitSource | Kind::Agent => {
            let message = format!("{} declares no agents", object.kind);
            Err(refused(Cause::new("kind", CauseReason::NotSupported, message)))
        }
    }
}

fn spec<T: DeserializeOwned>(object: &Object) -> Result<T, Invalid> {
    serde_json::from_value(object.spec.clone())
        .map_err(|error| refused(Cause::new("spec", CauseReason::Invalid, error.to_string())))
}

fn refused(cause: Cause) -> Invalid {
    Invalid { causes: vec![cause] }
}

fn team(spec: TeamSpec) -> Declared {
    let TeamSpec {
        project,
        task,
        network,
        suspend,
        replicas,
        defaults,
        roles,
    } = spec;
    let default = replicas.unwrap_or(1);
    let role = |(index, role): (usize, Role)| {
        let own = path::field(&path::item("spec.roles", index), "agent");
        DeclaredRole::new(role, own, default, true)
    };
    Declared {
        suspended: suspend,
        network,
        deadline: None,
        work: Work {
            project,
            ..task.map(Work::task).unwrap_or_default()
        },
        defaults: defaults.unwrap_or_default(),
        roles: roles.into_iter().enumerate().map(role).collect(),
    }
}

fn council(spec: CouncilSpec) -> Declared {
    let CouncilSpec {
        project,
        design_brief,
        network,
        suspend,
        core_roles,
        optional_roles,
        defaults,
        roles,
        formation,
    } = spec;
    let core = core_roles.unwrap_or_else(|| CoreRole::ALL.to_vec());
    let core = core.into_iter().map(|role| (CoreRole::name(role), true));
    let optional = optional_roles
        .into_iter()
        .map(|role| (OptionalRole::name(role), false));
    let role = |(name, required)| match roles.iter().position(|role| role.name == name) {
        Some(index) => {
            let own = path::field(&path::item("spec.roles", index), "agent");
            DeclaredRole::new(roles[index].clone(), own, 1, required)
        }
        None => {
            let role = Role {
                name: String::from(name),
                ..Role::default()
            };
            DeclaredRole::new(role, "spec.defaults".to_owned(), 1, required)
        }
    };
    Declared {
        suspended: suspend,
        network,
        deadline: formation.and_then(|formation| formation.deadline),
        work: Work {
            project,
            url: design_brief.map(|brief| brief.url),
            ..Work::default()
        },
        defaults: defaults.unwrap_or_default(),
        roles: core.chain(optional).map(role).collect(),
    }
}

impl DeclaredRole {
    fn new(role: Role, path: String, replicas: i64, required: bool) -> Self {
        Self {
            name: role.name,
            path,
            replicas: role.replicas.unwrap_or(replicas),
            required: role.required.unwrap_or(required),
            template: role.template,
            agent: role.agent.unwrap_or_default(),
        }
    }
}

impl Work {
    fn task(task: Task) -> Self {
        let Task {
            id,
            title,
            description,
            url,
            priority,
        } = task;
        Self {
            project: None,
            task_id: id,
            title: Some(title),
            description,
            priority,
            url,
        }
    }
}
