//! How much an object declares, whether or not it can be brought about.

use super::super::merge;
use super::super::object::Object;
use super::super::policy::Usage;
use super::super::workload::Amount;
use super::declared::{self, Declared, DeclaredRole};
use super::{Templates, agent};

/// What the agents that an object declares may use in all.
///
/// What they are refused, and what is wrong with their merged block, does not make them fewer or smaller. A role whose
/// template is not among `templates` counts by its number of agents and by what the object itself says of them.
pub fn usage(object: &Object, templates: &Templates) -> Usage {
    // What this version cannot read came through another one's door.
    let Ok(declared) = declared::read(object) else {
        return Usage::default();
    };
    let mut usage = Usage::default();
    for role in &declared.roles {
        let limits = limits(&declared, role, templates);
        let agents = role.replicas.max(0);
        usage += Usage {
            agents,
            nano_cpus: limits.nano_cpus.saturating_mul(agents),
            memory_bytes: limits.memory_bytes.saturating_mul(agents),
        };
    }
    usage
}

/// The upper bounds of each agent of a role.
fn limits(declared: &Declared, role: &DeclaredRole, templates: &Templates) -> Amount {
    let named = role.template.as_ref();
    let template = named.and_then(|name| templates.get(name));
    let is_whole = named.is_none() || template.is_some();
    let template = template.map(|template| &template.agent);
    let layers: Vec<_> = template
        .into_iter()
        .chain([&declared.defaults, &role.agent])
        .collect();
    let resources = merge::all(&layers).resources.unwrap_or_default();
    // Quantities that are none were refused with the block that they stand in.
    agent::limits(&resources, is_whole).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::template;
    use super::*;
    use crate::resource::{Key, Kind};

    /// Agents, cores and mebibytes of a team on the template `big`.
    #[track_caller]
    fn check(spec: Value, big: Option<Value>, (agents, cores, mebibytes): (i64, i64, i64)) {
        let stored = |kind, name, spec| Object::new(&Key::new(kind, "default", name), spec);
        let templates = big.map(|big| stored(Kind::AgentTemplate, "big", big));
        let templates = templates.iter().filter_map(template).collect();
        let expected = Usage {
            agents,
            nano_cpus: cores * 1_000_000_000,
            memory_bytes: mebibytes << 20,
        };
        assert_eq!(
            usage(&stored(Kind::Team, "payments", spec.clone()), &templates),
            expected,
            "{spec}"
        );
    }

    #[test]
    fn each_agent_counts_by_its_merged_limits() {
        let big = || Some(json!({"resources": {"limits": {"cpu": "4", "memory": "8Gi"}}}));
        let role = json!({"name": "a", "replicas": 3, "agent": {"image": "agent:1"}});
        check(json!({"roles": [role]}), None, (3, 3, 3072));
        let role = json!({"name": "a", "template": "big"});
        check(json!({"replicas": 2, "roles": [role]}), big(), (2, 8, 16384));
        let own = json!({"resources": {"limits": {"cpu": "2"}}});
        let role = json!({"name": "a", "template": "big", "agent": own});
        check(json!({"roles": [role]}), big(), (1, 2, 8192));
        check(
            json!({"defaults": own, "roles": [{"name": "a", "template": "big"}]}),
            big(),
            (1, 2, 8192),
        );
    }

    #[test]
    fn what_cannot_be_brought_about_counts_as_well() {
        // No image, and a request above its limit.
        let bad = json!({"resources": {"requests": {"cpu": "5"}}});
        let own = json!({"resources": {"limits": {"cpu": "2"}}});
        let role = json!({"name": "a", "replicas": 5, "template": "big", "agent": own});
        check(json!({"roles": [role]}), Some(bad), (5, 10, 5120));
    }

    #[test]
    fn a_role_without_its_template_counts_by_what_it_says_itself() {
        let role = json!({"name": "a", "replicas": 5, "template": "big"});
        check(json!({"roles": [role]}), None, (5, 0, 0));
        let defaults = json!({"resources": {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}});
        check(
            json!({"defaults": defaults, "roles": [role]}),
            None,
            (5, 10, 5120),
        );
    }
}
