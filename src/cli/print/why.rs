//! Why something is as it is, for people.

use jiff::Timestamp;

use super::paint::{Paint, Tone};
use super::table::{Cell, Table};
use crate::cli::why::{Answer, Link, Topic};
use crate::resource::age::age;

/// One answer after another, what belongs to it below it.
pub(crate) fn text(answer: &Answer, now: Timestamp, paint: Paint) -> String {
    let mut table = Table::default();
    table.row(["Object:", &answer.object]);
    for link in &answer.chain {
        let Link {
            topic,
            says,
            since,
            at,
            details,
            next,
        } = link;
        let since = since.map(|since| format!(", for {}", age(since, now)));
        let at = at.map(|at| format!(", {} ago", age(at, now)));
        let says = [Some(says.clone()), since, at]
            .into_iter()
            .flatten()
            .collect::<String>();
        let tone = match topic {
            Topic::State => Tone::of_state(says.split([' ', ':', ',']).next().unwrap_or_default()),
            _ => Tone::Plain,
        };
        table.row([
            Cell::from(format!("{}:", topic.title())),
            Cell::toned(&says, tone),
        ]);
        for detail in details {
            table.row(["", detail]);
        }
        if let Some(next) = next {
            table.row(["".to_owned(), format!("=> {next}")]);
        }
    }
    table.take(paint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::why::{Change, Origin, OwnerFacts};
    use crate::resource::{Key, Kind};

    #[test]
    fn an_answer_reads_from_top_to_bottom() {
        let entry = |revision: i64, replicas: u32| {
            serde_json::from_value(json!({
                "revision": revision, "change": "MODIFIED", "generation": revision, "actor": "token:ci@10.0.0.7",
                "reason": "patch", "at": "2026-01-01T00:00:00Z",
                "object": {"apiVersion": "chorus.services/v1", "kind": "Team", "metadata": {"name": "pay"},
                           "spec": {"replicas": replicas}},
            }))
            .unwrap()
        };
        let facts = OwnerFacts {
            owner: json!({
                "kind": "Team", "metadata": {"name": "pay", "generation": 2},
                "status": {"state": "Suspended", "message": "its agents are left as they are", "observedGeneration": 2,
                    "conditions": [{"type": "Suspended", "status": "True", "reason": "Suspended", "message": "",
                                    "lastTransitionTime": "2026-01-01T00:00:30Z"}]},
            }),
            agents: Ok(Vec::new()),
            preview: Ok(Default::default()),
            missing: vec!["small".to_owned()],
            origin: Origin {
                change: Ok(Change::last(&[entry(1, 1), entry(2, 2)])),
                commit: None,
            },
            events: Vec::new(),
        };
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let answer = Answer::about(&Key::new(Kind::Team, "default", "pay"), facts.chain(now));
        assert_eq!(
            text(&answer, now, Paint::never()),
            "\
Object:        team/pay
State:         Suspended, for 30s
               its agents are left as they are
Template:      agenttemplate/small does not exist
               => apply what is missing, or have the roles name others
Last change:   patch by token:ci@10.0.0.7, which made generation 2, 60s ago
               spec.replicas: 1 -> 2
"
        );
    }
}
