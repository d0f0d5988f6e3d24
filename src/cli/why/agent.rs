//! Why an agent is as it is.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::owner::{slot, state, warnings};
use super::{Link, Origin, Topic};
use crate::cli::object;

/// What the operator tells of an agent, and of those whom it comes from.
pub(crate) struct AgentFacts {
    /// Itself.
    pub agent: Value,
    /// Its team or council; `None` when that is gone.
    pub owner: Option<Value>,
    /// The template that its role names, if it names one and there is such a one.
    pub template: Option<Value>,
    /// Where the owner comes from.
    pub origin: Origin,
    /// Where the template comes from.
    pub template_origin: Origin,
    /// The events about the owner.
    pub events: Vec<Event>,
}

/// The role that asks for an agent, as its owner declares it; `None` when it declares none of that name.
fn role<'a>(owner: &'a Value, agent: &Value) -> Option<&'a Value> {
    let name = object::text(agent, "/spec/role");
    let roles = owner["spec"]["roles"].as_array()?;
    roles.iter().find(|role| object::text(role, "/name") == name)
}

impl AgentFacts {
    /// The template that the role of an agent names.
    pub(crate) fn template_name<'a>(owner: &'a Value, agent: &Value) -> Option<&'a str> {
        role(owner, agent)?.get("template")?.as_str()
    }

    /// The answers, the most important first.
    pub(crate) fn chain(&self, now: Timestamp) -> Vec<Link> {
        let mut chain = vec![self.state()];
        let is_in_trouble = |owner: &&Value| object::text(owner, "/status/state") != "Ready";
        let owner = self.owner.as_ref();
        chain.extend(
            owner
                .filter(is_in_trouble)
                .map(|owner| state(Topic::Owner, owner)),
        );
        chain.push(self.asked_by());
        chain.extend(owner.map(|owner| self.template(owner)));
        let owner_name = object::text(&self.agent, "/spec/owner");
        chain.extend(self.origin.links(Some(owner_name)));
        if let Some(template) = &self.template {
            let name = format!("agenttemplate/{}", object::name(template));
            chain.extend(self.template_origin.links(Some(&name)));
        }
        let (slot, service) = (slot(&self.agent), object::text(&self.agent, "/spec/service"));
        let is_named = |text: &str| {
            text.split([' ', ',', ':', ';', '"'])
                .any(|word| word == slot || word == service)
        };
        chain.extend(warnings(
            &self.events,
            |event| event.message.as_deref().is_some_and(is_named),
            now,
        ));
        chain
    }

    fn state(&self) -> Link {
        let text = |field: &str| object::text(&self.agent, &format!("/status/{field}"));
        let mut facts = Vec::new();
        match (text("taskState"), text("node")) {
            ("", "") => {}
            ("", node) => facts.push(format!("on node {node}")),
            (task, "") => facts.push(format!("its task is {task}")),
            (task, node) => facts.push(format!("its task is {task} on node {node}")),
        }
        let restarts = self.agent["status"]["restarts"].as_u64().unwrap_or_default();
        facts.extend(match restarts {
            0 => None,
            1 => Some("restarted once".to_owned()),
            count => Some(format!("restarted {count} times")),
        });
        let facts = match facts.is_empty() {
            true => String::new(),
            false => format!(": {}", facts.join(", ")),
        };
        let error = Some(text("error").trim()).filter(|error| !error.is_empty());
        let link = Link::new(Topic::State, format!("{}{facts}", text("state")))
            .with(error.map(str::to_owned).into_iter().collect());
        match text("state") {
            "Failed" if !text("taskState").is_empty() || restarts > 0 => link.next(format!(
                "read its log with `whoosh logs {}`",
                object::name(&self.agent)
            )),
            _ => link,
        }
    }

    fn asked_by(&self) -> Link {
        let (name, role) = (
            object::text(&self.agent, "/spec/owner"),
            object::text(&self.agent, "/spec/role"),
        );
        let slot = &self.agent["spec"]["slot"];
        let Some(owner) = &self.owner else {
            return Link::new(
                Topic::AskedBy,
                format!("nobody any more: {name} is gone, and this is what is left of its role {role}"),
            );
        };
        let roles = owner["status"]["roles"].as_array().into_iter().flatten();
        let mut roles = roles.filter(|known| object::text(known, "/name") == role);
        let desired = roles.next().and_then(|role| role["desired"].as_u64());
        let generation = object::generation(owner);
        let image = object::text(&self.agent, "/spec/image");
        let model = object::text(&self.agent, "/spec/model");
        let what = [("image", image), ("model", model)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let what = what.map(|(name, value)| format!("{name} {value}")).collect();
        let says = match (desired, slot.as_u64()) {
            (Some(desired), Some(slot)) if slot > desired => format!(
                "nobody any more: role {role} of {name}, generation {generation}, asks for {desired}, and this is number \
                 {slot}: it is on its way out"
            ),
            (Some(desired), _) => {
                format!("role {role} of {name}, generation {generation}: number {slot} of {desired}")
            }
            (None, _) => format!("role {role} of {name}, generation {generation}: number {slot}"),
        };
        Link::new(Topic::AskedBy, says).with(what)
    }

    /// What its agent block is merged of, the weakest first.
    fn template(&self, owner: &Value) -> Link {
        let own = role(owner, &self.agent).and_then(|role| role.get("agent"));
        let layers = [
            ("spec.defaults", owner["spec"].get("defaults")),
            ("the role's own block", own),
        ];
        let layers = layers
            .into_iter()
            .filter_map(|(name, block)| block.map(|_| name.to_owned()));
        let layers: Vec<String> = layers.collect();
        let over = match layers.as_slice() {
            [] => String::new(),
            layers => format!(", then {}", layers.join(", then ")),
        };
        match (Self::template_name(owner, &self.agent), &self.template) {
            (None, _) if layers.is_empty() => Link::new(Topic::Template, "none"),
            (None, _) => Link::new(
                Topic::Template,
                format!("none: it is made of {}", layers.join(", then ")),
            ),
            (Some(name), Some(template)) => Link::new(
                Topic::Template,
                format!(
                    "agenttemplate/{name}, generation {}{over}",
                    object::generation(template)
                ),
            ),
            (Some(name), None) => Link::new(Topic::Template, format!("agenttemplate/{name} does not exist"))
                .next("apply it, or have the role name another"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> AgentFacts {
        AgentFacts {
            agent: json!({
                "kind": "Agent", "metadata": {"name": "team.pay.dev.2"},
                "spec": {"owner": "team/pay", "role": "dev", "slot": 2, "service": "team_default_pay_dev_2", "image": "a:1"},
                "status": {"state": "Failed", "taskState": "starting", "node": "n1", "restarts": 3,
                           "error": "task: non-zero exit (3)"},
            }),
            owner: Some(json!({
                "kind": "Team", "metadata": {"name": "pay", "generation": 4},
                "spec": {"defaults": {"image": "a:1"}, "roles": [{"name": "dev", "template": "small", "agent": {}}]},
                "status": {"state": "Degraded", "message": "dev.2: ends again and again; read its log",
                           "roles": [{"name": "dev", "desired": 2}], "conditions": []},
            })),
            template: Some(json!({"metadata": {"name": "small", "generation": 7}})),
            origin: Origin {
                change: Err("forbidden".to_owned()),
                commit: None,
            },
            template_origin: Origin::unknown(),
            events: ["dev.2 ended on node n1", "dev.21 ended"]
                .map(|message| {
                    serde_json::from_value(json!({
                        "metadata": {}, "involvedObject": {}, "type": "Warning", "reason": "AgentFailed",
                        "message": message, "lastTimestamp": "2026-01-01T00:00:00Z",
                    }))
                    .unwrap()
                })
                .into(),
        }
    }

    fn says(facts: &AgentFacts) -> Vec<String> {
        let chain = facts.chain("2026-01-01T00:00:09Z".parse().unwrap());
        chain
            .iter()
            .map(|link| format!("{}: {}", link.topic.title(), link.says))
            .collect()
    }

    #[test]
    fn a_failing_agent_is_explained_from_its_task_to_its_owner() {
        let facts = facts();
        assert_eq!(
            says(&facts),
            [
                "State: Failed: its task is starting on node n1, restarted 3 times",
                "Owner: team/pay is Degraded",
                "Asked by: role dev of team/pay, generation 4: number 2 of 2",
                "Template: agenttemplate/small, generation 7, then spec.defaults, then the role's own block",
                "Last change: team/pay: cannot be told: forbidden",
                "Warnings: 1 is remembered",
            ]
        );
        let chain = facts.chain("2026-01-01T00:00:09Z".parse().unwrap());
        assert_eq!(chain[0].details, ["task: non-zero exit (3)"]);
        assert_eq!(
            chain[0].next.as_deref(),
            Some("read its log with `whoosh logs team.pay.dev.2`")
        );
        assert_eq!(chain[1].details, ["dev.2: ends again and again; read its log"]);
        assert_eq!(chain[5].details, ["AgentFailed, 9s ago: dev.2 ended on node n1"]);
    }

    #[test]
    fn an_agent_that_nobody_asks_for_says_so() {
        let mut facts = facts();
        facts.template = None;
        let missing = "Template: agenttemplate/small does not exist";
        assert!(says(&facts).contains(&missing.to_owned()));
        facts.owner.as_mut().unwrap()["status"]["roles"][0]["desired"] = json!(1);
        let told = says(&facts);
        assert!(
            told[2].contains("asks for 1, and this is number 2: it is on its way out"),
            "{told:?}"
        );
        facts.owner = None;
        let told = says(&facts);
        assert!(
            told[1].starts_with("Asked by: nobody any more: team/pay is gone"),
            "{told:?}"
        );
    }
}
