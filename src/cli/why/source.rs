//! How a GitSource stands, and what led to it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::deletion::deletion;
use super::owner::warnings;
use super::{Link, Origin, Topic};
use crate::cli::{object, sources};

/// What the operator tells of a GitSource.
pub(crate) struct SourceFacts {
    /// Itself.
    pub source: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// The events about it.
    pub events: Vec<Event>,
}

impl SourceFacts {
    /// The answers, the most important first.
    pub(crate) fn chain(&self, now: Timestamp) -> Vec<Link> {
        let mut chain: Vec<Link> = deletion(&self.source).into_iter().collect();
        chain.push(self.state());
        chain.extend(self.pinned());
        chain.extend(self.origin.links(None));
        chain.extend(warnings(&self.events, |_| true, now));
        chain
    }

    /// What is left as it is.
    fn pinned(&self) -> Option<Link> {
        let pinned = sources::listed(&self.source, "pinned");
        let first = pinned.first()?;
        let names = pinned
            .iter()
            .map(|key| key.seen_from(object::namespace(&self.source)));
        let link = Link::new(
            Topic::Pinned,
            format!("{}: left as they are", names.collect::<Vec<_>>().join(", ")),
        );
        Some(link.next(format!(
            "`{}` has what is committed applied",
            object::unpin(first)
        )))
    }

    fn state(&self) -> Link {
        let conditions = object::conditions(&self.source);
        let holding = |type_: &str| {
            let found = conditions.iter().find(|condition| condition.type_ == type_);
            found.filter(|condition| condition.status == "True")
        };
        let held = ["Suspended", "Stalled", "Reconciling", "Ready"];
        let Some(condition) = held.iter().find_map(|type_| holding(type_)) else {
            let says = "new: the operator has not looked at it yet";
            return Link::new(Topic::State, says).next("`whoosh version` shows whether an operator leads");
        };
        let says = format!("{} ({})", condition.type_, condition.reason);
        let details = condition.message.lines().map(str::to_owned).collect();
        Link {
            since: Some(condition.last_transition_time.0),
            ..Link::new(Topic::State, says).with(details)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_tells_what_holds_it_up() {
        let condition = |type_: &str, status: &str, reason: &str, message: &str| {
            json!({"type": type_, "status": status, "reason": reason, "message": message,
                   "lastTransitionTime": "2026-03-01T10:00:00Z"})
        };
        let facts = |conditions: Value| SourceFacts {
            source: json!({"status": {"conditions": conditions, "pinned": ["team/default/a", "team/prod/b"]}}),
            origin: Origin::unknown(),
            events: Vec::new(),
        };
        let now: Timestamp = "2026-03-01T10:05:00Z".parse().unwrap();
        let stalled = facts(json!([
            condition(
                "Ready",
                "False",
                "RevisionRefused",
                "main@1a2b3c4 is not applied: a.yaml:3: no"
            ),
            condition(
                "Stalled",
                "True",
                "RevisionRefused",
                "main@1a2b3c4 is not applied: a.yaml:3: no\na.yaml:4: no"
            ),
        ]));
        let link = &stalled.chain(now)[0];
        assert_eq!(link.says, "Stalled (RevisionRefused)");
        assert_eq!(link.details[1], "a.yaml:4: no");
        let link = &stalled.chain(now)[1];
        assert_eq!(link.says, "team/a, team/b in prod: left as they are");
        assert_eq!(
            link.next.as_deref(),
            Some("`whoosh annotate team/a chorus.services/pinned-` has what is committed applied")
        );
        assert!(facts(json!([])).chain(now)[0].says.starts_with("new:"));
    }
}
