//! What comes of an AgentTemplate or a Policy.

use serde_json::Value;

use super::deletion::deletion;
use super::owner::state;
use super::{Link, Origin, Topic};
use crate::cli::object;

/// What the operator tells of a template or Policy.
pub(crate) struct TemplateFacts {
    /// Itself.
    pub template: Value,
    /// The teams and councils whose roles start from it, or that go by it.
    pub users: Vec<Value>,
    /// Where it comes from.
    pub origin: Origin,
}

impl TemplateFacts {
    /// The answers, the most important first.
    pub(crate) fn chain(&self) -> Vec<Link> {
        let users = self.users.iter().map(|user| {
            let Link { says, details, .. } = state(Topic::UsedBy, user);
            let parts: Vec<String> = std::iter::once(says).chain(details).collect();
            parts.join(": ")
        });
        let says = match self.users.len() {
            0 => "nobody".to_owned(),
            1 => "1 team or council".to_owned(),
            count => format!("{count} teams and councils"),
        };
        let generation = object::generation(&self.template);
        let mut chain: Vec<Link> = deletion(&self.template).into_iter().collect();
        chain.push(Link::new(Topic::State, format!("generation {generation}")));
        chain.push(Link::new(Topic::UsedBy, says).with(users.collect()));
        chain.extend(self.origin.links(None));
        chain
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_tells_who_starts_from_it() {
        let user = json!({
            "kind": "Team", "metadata": {"name": "pay"},
            "status": {"state": "Ready", "message": "all 2 agents are ready", "conditions": []},
        });
        let facts = TemplateFacts {
            template: json!({"metadata": {"name": "small", "generation": 2}}),
            users: vec![user],
            origin: Origin::unknown(),
        };
        let chain = facts.chain();
        assert_eq!(chain[0].says, "generation 2");
        assert_eq!(chain[1].details, ["team/pay is Ready: all 2 agents are ready"]);
    }
}
