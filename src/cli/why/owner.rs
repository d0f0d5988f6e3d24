//! Why a team or council is as it is.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::deletion::deletion;
use super::{Link, Origin, Told, Topic};
use crate::cli::object;
use crate::resource::condition::Reason;
use crate::resource::event::{last_seen, seen};
use crate::resource::preview::{Preview, PreviewBlocked};

/// How many names, lines or warnings of one kind are told.
const SHOWN: usize = 5;

/// What the operator tells of a team or council.
pub(crate) struct OwnerFacts {
    /// Itself.
    pub owner: Value,
    /// Its agents.
    pub agents: Told<Vec<Value>>,
    /// What is still to be done for it, and what stands in the way.
    pub preview: Told<Preview>,
    /// The templates that its roles name and that do not exist.
    pub missing: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// The events about it.
    pub events: Vec<Event>,
}

impl OwnerFacts {
    /// The answers, the most important first.
    pub(crate) fn chain(&self, now: Timestamp) -> Vec<Link> {
        let mut chain = vec![state(Topic::State, &self.owner)];
        match deletion(&self.owner) {
            Some(ends) => chain.insert(0, ends),
            None => {
                chain.extend(self.missing_templates());
                chain.extend(self.blocked());
                chain.extend(self.not_ready());
                chain.extend(self.to_do());
            }
        }
        chain.extend(self.origin.links(None));
        chain.extend(warnings(&self.events, |_| true, now));
        chain
    }

    fn missing_templates(&self) -> Option<Link> {
        let names: Vec<String> = self
            .missing
            .iter()
            .map(|name| format!("agenttemplate/{name}"))
            .collect();
        let verb = match names.as_slice() {
            [] => return None,
            [_] => "does",
            _ => "do",
        };
        let says = format!("{} {verb} not exist", list(&names));
        Some(Link::new(Topic::Template, says).next("apply what is missing, or have the roles name others"))
    }

    fn obstacles(&self) -> &[PreviewBlocked] {
        self.preview
            .as_ref()
            .map(|preview| preview.blocked.as_slice())
            .unwrap_or_default()
    }

    fn blocked(&self) -> Option<Link> {
        let why = |one: &PreviewBlocked| format!("{}: {}", one.reason, one.message);
        let groups = grouped(self.obstacles(), why);
        let details = groups.iter().map(|(why, blocked)| {
            let names: Vec<String> = blocked.iter().map(|one| one.agent.clone()).collect();
            format!("{}: {why}", list(&names))
        });
        let says = match self.obstacles().len() {
            0 => return None,
            1 => "1 agent cannot be brought about".to_owned(),
            count => format!("{count} agents cannot be brought about"),
        };
        Some(Link::new(Topic::Blocked, says).with(details.collect()))
    }

    fn not_ready(&self) -> Option<Link> {
        let agents = match &self.agents {
            Ok(agents) => agents,
            Err(why) => {
                return Some(Link::new(
                    Topic::NotReady,
                    format!("the agents cannot be seen: {why}"),
                ));
            }
        };
        let waiting = agents
            .iter()
            .filter(|agent| object::text(agent, "/status/state") != "Ready");
        let waiting: Vec<&Value> = waiting.collect();
        let failed = waiting
            .iter()
            .find(|agent| object::text(agent, "/status/state") == "Failed");
        let groups = grouped(&waiting, |agent| self.trouble(agent));
        let details = groups.iter().map(|(trouble, agents)| {
            let names: Vec<String> = agents.iter().map(|agent| slot(agent)).collect();
            format!("{}: {trouble}", list(&names))
        });
        let says = match waiting.len() {
            0 => return None,
            count => format!("{count} of {}", agents.len()),
        };
        let link = Link::new(Topic::NotReady, says).with(details.collect());
        Some(match failed {
            Some(agent) => link.next(format!("`whoosh why agent/{}` tells more", object::name(agent))),
            None => link,
        })
    }

    /// How an agent is; what stands in its way is told already.
    fn trouble(&self, agent: &Value) -> String {
        let error = object::text(agent, "/status/error");
        let is_told = self.obstacles().iter().any(|blocked| blocked.message == error);
        let node = match object::text(agent, "/status/node") {
            "" => String::new(),
            node => format!(" on node {node}"),
        };
        let state = object::text(agent, "/status/state");
        match error {
            "" => format!("{state}{node}"),
            _ if is_told => format!("{state}{node}, blocked"),
            error => format!("{state}{node}: {error}"),
        }
    }

    fn to_do(&self) -> Option<Link> {
        let preview = match &self.preview {
            Ok(preview) => preview,
            // The agents are seen by the same engine, and that it is away is told with them.
            Err(_) if self.agents.is_err() => return None,
            Err(why) => return Some(Link::new(Topic::ToDo, format!("cannot be told: {why}"))),
        };
        let changes = Preview {
            blocked: Vec::new(),
            ..preview.clone()
        };
        let text = changes.to_string();
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_start().to_owned()).collect();
        let sum = lines.pop()?;
        let more = lines.len().saturating_sub(SHOWN);
        lines.truncate(SHOWN);
        lines.extend((more > 0).then(|| format!("and {more} more lines, which `whoosh diff` shows")));
        Some(Link::new(Topic::ToDo, sum).with(lines))
    }
}

/// How a team or council stands: by the condition that its state is named after, or else by whether it is ready.
pub(super) fn state(topic: Topic, owner: &Value) -> Link {
    let name = match topic {
        Topic::State => String::new(),
        _ => format!(
            "{} is ",
            object::key(owner)
                .map(|key| object::slashed(&key))
                .unwrap_or_default()
        ),
    };
    let state = object::text(owner, "/status/state");
    if state.is_empty() {
        let says = format!("{name}new: the operator has not looked at it yet");
        return Link::new(topic, says).next("`whoosh version` shows whether an operator leads");
    }
    let conditions = object::conditions(owner);
    let holds = |type_: &str| conditions.iter().find(|one| one.type_ == type_);
    let condition = holds(state).or_else(|| holds("Ready"));
    let well = [Reason::AsExpected, Reason::AgentsReady].map(|reason| reason.to_string());
    let reason = condition.map(|condition| condition.reason.clone());
    let reason = reason.filter(|reason| !well.contains(reason) && reason != state);
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let mut details: Vec<String> = Vec::new();
    details.extend(
        Some(object::text(owner, "/status/message").trim().to_owned()).filter(|text| !text.is_empty()),
    );
    let seen = owner
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64);
    if let Some(seen) = seen.filter(|seen| *seen < object::generation(owner)) {
        let generation = object::generation(owner);
        details.push(format!(
            "that is of generation {seen}: the operator has not looked at generation {generation} yet"
        ));
    }
    Link {
        since: condition.map(|condition| condition.last_transition_time.0),
        ..Link::new(topic, format!("{name}{state}{reason}")).with(details)
    }
}

/// What went wrong lately, the newest first.
pub(super) fn warnings(events: &[Event], is_about: impl Fn(&Event) -> bool, now: Timestamp) -> Option<Link> {
    let is_warning = |event: &&Event| event.type_.as_deref() == Some("Warning") && is_about(event);
    let mut warnings: Vec<&Event> = events.iter().filter(is_warning).collect();
    warnings.sort_by_key(|event| std::cmp::Reverse(last_seen(event)));
    let says = match warnings.len() {
        0 => return None,
        1 => "1 is remembered".to_owned(),
        count => format!("{count} are remembered"),
    };
    let details = warnings.iter().take(SHOWN).map(|event| {
        let (reason, message) = (event.reason.as_deref(), event.message.as_deref());
        let (reason, message) = (reason.unwrap_or_default(), message.unwrap_or_default().trim());
        format!("{reason}, {} ago: {message}", seen(event, now))
    });
    Some(Link::new(Topic::Warnings, says).with(details.collect()))
}

/// `reviewer.2`, as the operator names an agent beside its owner.
pub(super) fn slot(agent: &Value) -> String {
    format!("{}.{}", object::text(agent, "/spec/role"), agent["spec"]["slot"])
}

/// What has the same to be said of it, in the order in which it comes first.
fn grouped<T>(all: &[T], said: impl Fn(&T) -> String) -> Vec<(String, Vec<&T>)> {
    let mut groups: Vec<(String, Vec<&T>)> = Vec::new();
    for one in all {
        let said = said(one);
        match groups.iter_mut().find(|(other, _)| *other == said) {
            Some((_, group)) => group.push(one),
            None => groups.push((said, vec![one])),
        }
    }
    groups
}

/// `a, b and 32 more`.
fn list(names: &[String]) -> String {
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> OwnerFacts {
        let agent = |role: &str, slot: u32, state: &str, error: Value| {
            json!({"metadata": {"name": format!("team.pay.{role}.{slot}")}, "spec": {"role": role, "slot": slot},
                   "status": {"state": state, "node": "n1", "error": error}})
        };
        let event = |type_: &str, minute: u32, message: &str| {
            serde_json::from_value(json!({
                "metadata": {}, "involvedObject": {}, "type": type_, "reason": "AgentFailed", "message": message,
                "lastTimestamp": format!("2026-01-01T00:0{minute}:00Z"),
            }))
            .unwrap()
        };
        OwnerFacts {
            owner: json!({
                "kind": "Team", "metadata": {"name": "pay", "generation": 3},
                "status": {
                    "state": "Stalled", "message": "dev.1, dev.2: image x cannot be had: build it", "observedGeneration": 2,
                    "conditions": [
                        {"type": "Ready", "status": "False", "reason": "ImageMissing", "message": "",
                         "lastTransitionTime": "2026-01-01T00:00:00Z"},
                        {"type": "Stalled", "status": "True", "reason": "ImageMissing", "message": "",
                         "lastTransitionTime": "2026-01-01T00:01:00Z"},
                    ],
                },
            }),
            agents: Ok(vec![
                agent("lead", 1, "Ready", Value::Null),
                agent("dev", 1, "Failed", "No such image: x".into()),
                agent("dev", 2, "Failed", "No such image: x".into()),
                agent("ops", 1, "Missing", "no template small".into()),
            ]),
            preview: Ok(Preview {
                blocked: vec![PreviewBlocked {
                    agent: "ops.1".to_owned(),
                    reason: "TemplateNotFound".to_owned(),
                    message: "no template small".to_owned(),
                }],
                ..Preview::default()
            }),
            missing: vec!["small".to_owned()],
            origin: Origin::unknown(),
            events: vec![
                event("Warning", 1, "dev.1 ended"),
                event("Normal", 2, "made service x"),
                event("Warning", 3, "dev.2 ended"),
            ],
        }
    }

    fn chain(facts: &OwnerFacts) -> Vec<Link> {
        facts.chain("2026-01-01T00:04:00Z".parse().unwrap())
    }

    #[test]
    fn a_stalled_team_is_explained_from_its_state_to_its_warnings() {
        let chain = chain(&facts());
        let says: Vec<(&str, &str)> = chain
            .iter()
            .map(|link| (link.topic.title(), link.says.as_str()))
            .collect();
        assert_eq!(
            says,
            [
                ("State", "Stalled (ImageMissing)"),
                ("Template", "agenttemplate/small does not exist"),
                ("Blocked", "1 agent cannot be brought about"),
                ("Not ready", "3 of 4"),
                ("Warnings", "2 are remembered"),
            ]
        );
        assert_eq!(chain[0].since, Some("2026-01-01T00:01:00Z".parse().unwrap()));
        assert_eq!(
            chain[0].details,
            [
                "dev.1, dev.2: image x cannot be had: build it",
                "that is of generation 2: the operator has not looked at generation 3 yet"
            ]
        );
        assert_eq!(chain[2].details, ["ops.1: TemplateNotFound: no template small"]);
        assert_eq!(
            chain[3].details,
            [
                "dev.1, dev.2: Failed on node n1: No such image: x",
                "ops.1: Missing on node n1, blocked"
            ]
        );
        assert_eq!(
            chain[3].next.as_deref(),
            Some("`whoosh why agent/team.pay.dev.1` tells more")
        );
        assert_eq!(
            chain[4].details,
            [
                "AgentFailed, 60s ago: dev.2 ended",
                "AgentFailed, 3m ago: dev.1 ended"
            ]
        );
    }

    #[test]
    fn a_team_that_is_well_needs_no_more_than_its_state() {
        let mut facts = facts();
        facts.owner["status"] = json!({
            "state": "Ready", "message": "all 4 agents are ready", "observedGeneration": 3,
            "conditions": [{"type": "Ready", "status": "True", "reason": "AgentsReady", "message": "",
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        (facts.agents, facts.preview) = (Ok(Vec::new()), Ok(Preview::default()));
        (facts.missing, facts.events) = (Vec::new(), Vec::new());
        let chain = chain(&facts);
        assert_eq!(chain.len(), 1, "{chain:?}");
        assert_eq!(chain[0].says, "Ready");
        assert_eq!(chain[0].details, ["all 4 agents are ready"]);
    }

    #[test]
    fn what_cannot_be_seen_is_said_once() {
        let mut facts = facts();
        let away = || "the Docker engine is away".to_owned();
        (facts.agents, facts.preview) = (Err(away()), Err(away()));
        let chain = chain(&facts);
        let told = chain
            .iter()
            .filter(|link| link.says.contains("the Docker engine is away"));
        assert_eq!(told.count(), 1, "{chain:?}");
    }

    #[test]
    fn a_new_team_says_so() {
        let new = state(
            Topic::Owner,
            &json!({"kind": "Team", "metadata": {"name": "pay"}}),
        );
        assert_eq!(new.says, "team/pay is new: the operator has not looked at it yet");
    }
}
