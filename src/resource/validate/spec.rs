//! What schemas cannot say of the kinds' specs.

use std::time::Duration;

use serde_json::Value;

use super::super::agent_spec::AgentSpec;
use super::super::kind::Kind;
use super::super::kinds::{CoreRole, OptionalRole};
use super::super::nearest;
use super::super::path;
use super::super::schema;
use super::cause::{Cause, CauseReason};
use super::view::{Causes, Node};
use super::{agent, git_source, merged, policy, syntax};

/// More agents than this are no object's business: they are several objects'.
const AGENTS_MAX: i64 = 10_000;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn check(kind: Kind, spec: &Node<'_>, causes: &mut Causes) {
    match kind {
        Kind::Team => team(spec, causes),
        Kind::Council => council(spec, causes),
        Kind::AgentTemplate => agent::check(spec, causes),
        Kind::Policy => policy::check(spec, causes),
        Kind::GitSource => git_source::check(spec, causes),
        Kind::Agent => {}
    }
}

fn team(spec: &Node<'_>, causes: &mut Causes) {
    let task = spec.field("task");
    causes.text(&task.field("id"), syntax::line);
    causes.text(&task.field("title"), syntax::line);
    causes.text(&task.field("description"), syntax::variable);
    causes.text(&task.field("url"), syntax::url);
    common(spec, causes);
    let roles: Vec<Role<'_>> = spec.field("roles").items().map(Role::declared).collect();
    for role in &roles {
        causes.text(&role.node.field("name"), syntax::dns_label);
    }
    number_of_agents(spec, &roles, causes);
    agents(spec, &roles, causes);
}

fn council(spec: &Node<'_>, causes: &mut Causes) {
    causes.text(&spec.field("designBrief").field("url"), syntax::url);
    causes.duration(&spec.field("formation").field("deadline"), SECOND, DAY);
    common(spec, causes);
    let core = names(&spec.field("coreRoles"), &CoreRole::ALL.map(CoreRole::name));
    let optional = names(&spec.field("optionalRoles"), &[]);
    if core.is_empty() && optional.is_empty() {
        let message = "is empty, and so is spec.optionalRoles: a council needs a role";
        causes.add(&spec.field("coreRoles"), CauseReason::Required, message);
    }
    for role in spec.field("roles").items() {
        override_of_a_role(&role, &core, &optional, causes);
    }
    let roles: Vec<Role<'_>> = core
        .iter()
        .chain(&optional)
        .map(|name| Role::of_council(spec, name))
        .collect();
    number_of_agents(spec, &roles, causes);
    agents(spec, &roles, causes);
}

/// What Teams and Councils share.
fn common(spec: &Node<'_>, causes: &mut Causes) {
    causes.text(&spec.field("project"), syntax::line);
    causes.text(&spec.field("network"), syntax::network);
    agent::check(&spec.field("defaults"), causes);
    for role in spec.field("roles").items() {
        causes.text(&role.field("template"), syntax::dns_label);
        agent::check(&role.field("agent"), causes);
    }
}

/// A role that is to be filled, and where the spec speaks of it.
struct Role<'v> {
    /// Its entry in `roles`; one without a value when a council's role has none.
    node: Node<'v>,
    /// Whether it has an entry.
    has_entry: bool,
}

impl<'v> Role<'v> {
    fn declared(node: Node<'v>) -> Self {
        Self {
            node,
            has_entry: true,
        }
    }

    fn of_council(spec: &Node<'v>, name: &str) -> Self {
        let entry = spec
            .field("roles")
            .items()
            .find(|role| role.field("name").text() == Some(name));
        match entry {
            Some(node) => Self::declared(node),
            None => Self {
                node: Node {
                    value: None,
                    path: path::field(&spec.path, "defaults"),
                },
                has_entry: false,
            },
        }
    }
}

fn number_of_agents(spec: &Node<'_>, roles: &[Role<'_>], causes: &mut Causes) {
    let default = spec.field("replicas").number().unwrap_or(1);
    let counts: Vec<i64> = roles
        .iter()
        .map(|role| role.node.field("replicas").number().unwrap_or(default))
        .collect();
    // A count that is wrong by itself has been told.
    if counts.iter().any(|count| !(0..=AGENTS_MAX).contains(count)) {
        return;
    }
    let all: i64 = counts.iter().sum();
    if all > AGENTS_MAX {
        let message = format!(
            "must declare at most {AGENTS_MAX} agents in all, got {all}: split them over several objects"
        );
        causes.add(&spec.field("roles"), CauseReason::Invalid, message);
    }
}

/// Checks each role's blocks as they are merged, as far as they fit the schema.
fn agents(spec: &Node<'_>, roles: &[Role<'_>], causes: &mut Causes) {
    let defaults = block(&spec.field("defaults"));
    for role in roles {
        let partial = role.node.field("template").exists();
        let own = role.node.field("agent");
        let at = if role.has_entry {
            &own.path
        } else {
            &role.node.path
        };
        let found = merged::check(&[&defaults, &block(&own)], partial, at);
        for cause in found.err().unwrap_or_default() {
            // Roles of a council without entries of their own share one path.
            if !causes.found.contains(&cause) {
                causes.found.push(cause);
            }
        }
    }
}

fn block(node: &Node<'_>) -> AgentSpec {
    let schema = schema::member(Kind::AgentTemplate, "spec");
    let fitting = node
        .value
        .zip(schema)
        .and_then(|(value, schema)| schema::fitting(value, schema));
    fitting
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default()
}

/// The names in a list; those of `default` when there is no list.
fn names<'v>(list: &Node<'v>, default: &[&'v str]) -> Vec<&'v str> {
    if !list.exists() {
        return default.to_vec();
    }
    list.items().filter_map(|item| item.text()).collect()
}

fn override_of_a_role(role: &Node<'_>, core: &[&str], optional: &[&str], causes: &mut Causes) {
    let node = role.field("name");
    let Some(name) = node.text() else {
        return;
    };
    let required = role.field("required");
    if core.contains(&name) {
        if required.value == Some(&Value::Bool(false)) {
            let message =
                "must not be false for a core role: to do without it, leave it out of spec.coreRoles";
            causes.add(&required, CauseReason::Invalid, message);
        }
        return;
    }
    if optional.contains(&name) {
        return;
    }
    let message = if OptionalRole::ALL.iter().any(|role| role.name() == name) {
        format!("\"{name}\" is none of this council's roles: add it to spec.optionalRoles")
    } else if CoreRole::ALL.iter().any(|role| role.name() == name) {
        format!("\"{name}\" is none of this council's roles: add it to spec.coreRoles")
    } else {
        let mine = [core, optional].concat();
        let hint = nearest::hint(name, mine.iter().copied());
        format!(
            "\"{name}\" is none of this council's roles{hint}: {}",
            mine.join(", ")
        )
    };
    causes
        .found
        .push(Cause::new(node.path, CauseReason::NotSupported, message));
}
