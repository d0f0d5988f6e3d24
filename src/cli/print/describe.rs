//! One object in detail: who it is, how its agents stand, what it says, its conditions and events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::events;
use super::indent;
use super::paint::{Paint, Tone};
use super::source;
use super::table::{Cell, Table};
use crate::cli::{object, sources};
use crate::resource::age::age;
use crate::resource::git_source::GitSourceStatus;
use crate::resource::jsonpath::plain;
use crate::resource::kinds::{RoleStatus, WorkloadStatus};
use crate::resource::names::LAST_APPLIED;
use crate::resource::{Kind, escape, yaml};

/// What stands where there is nothing to show.
const NONE: &str = "<none>";
const ROLE: [&str; 3] = ["Name", "Ready", "Required"];
const AGENT: [&str; 6] = ["Name", "Status", "Node", "Restarts", "Age", "Error"];
const CONDITION: [&str; 5] = ["Type", "Status", "Reason", "Age", "Message"];
const EVENT: [&str; 5] = ["Type", "Reason", "Age", "From", "Message"];

/// What is described.
pub(crate) struct Subject<'a> {
    /// The object.
    pub object: &'a Value,
    /// Its agents, when it has some.
    pub agents: &'a [Value],
    /// The events about it, oldest first.
    pub events: &'a [Event],
}

/// The description, which ends in a line break.
pub(crate) fn describe(subject: &Subject<'_>, now: Timestamp, paint: Paint) -> String {
    let Subject {
        object,
        agents,
        events,
    } = subject;
    let kind = Kind::find(object::text(object, "/kind"));
    let status = object
        .get("status")
        .filter(|_| kind.is_some_and(Kind::owns_agents))
        .and_then(|status| WorkloadStatus::deserialize(status).ok());
    let mut head = identity(object, now);
    if let Some(status) = &status {
        summary(object, status, &mut head);
    }
    let of_source = object
        .get("status")
        .filter(|_| kind == Some(Kind::GitSource))
        .and_then(|status| GitSourceStatus::deserialize(status).ok());
    if let Some(status) = &of_source {
        source::summary(status, &mut head);
    }
    if let Some(secret) = object.pointer("/spec/secretRef/name").map(plain)
        && kind == Some(Kind::GitSource)
    {
        source::webhook(
            object::namespace(object),
            object::name(object),
            &secret,
            &mut head,
        );
    }
    for (index, key) in sources::listed(object, "pinned").iter().enumerate() {
        let title = if index == 0 { "Pinned:" } else { "" };
        head.row([title.to_owned(), key.seen_from(object::namespace(object))]);
    }
    if kind == Some(Kind::Agent) {
        fields("Declared", object.get("spec"), &mut head);
        fields("Observed", object.get("status"), &mut head);
    }
    let mut page = Page {
        text: head.take(paint),
        head,
        paint,
    };
    if let Some(status) = &status {
        page.section("Roles", &ROLE, roles(&status.roles));
        page.section("Agents", &AGENT, agent_rows(agents, now));
    }
    if kind != Some(Kind::Agent) {
        page.text.push_str(&spec(object));
    }
    if let Some(status) = &of_source {
        let not_ready = source::not_ready(status);
        if !not_ready.is_empty() {
            page.section("Not ready", &source::HEALTH, not_ready);
        }
        page.section(
            "Applications",
            &source::APPLICATION,
            source::applications(status, now),
        );
    }
    if of_source.is_some() || kind.is_some_and(Kind::owns_agents) {
        page.section("Conditions", &CONDITION, conditions(object, now));
    }
    let events = events.iter().map(|event| events::describe_row(event, now));
    page.section("Events", &EVENT, events.collect());
    page.text
}

/// The text so far, and the width of the keys at its left edge.
struct Page {
    text: String,
    head: Table,
    paint: Paint,
}

impl Page {
    /// A titled table, moved to the right; without rows, a key that says so.
    fn section(&mut self, title: &str, headings: &[&str], rows: Vec<Vec<Cell>>) {
        if rows.is_empty() {
            self.head.row([&format!("{title}:"), NONE]);
            self.text.push_str(&self.head.take(self.paint));
            return;
        }
        let mut table = Table::default();
        table.row(headings.iter().copied());
        for row in rows {
            table.row(row);
        }
        let table = indent(&table.take(self.paint));
        self.text.push_str(&format!("{title}:\n{table}"));
    }
}

fn identity(object: &Value, now: Timestamp) -> Table {
    let mut table = Table::default();
    let mut line = |name: &str, value: &str| table.row([format!("{name}:"), value.to_owned()]);
    line("Name", object::name(object));
    line("Namespace", object::namespace(object));
    line("Kind", object::text(object, "/kind"));
    if let Some(created) = object::created(object) {
        line("Created", &format!("{created} ({} ago)", age(created, now)));
    }
    if let Ok(deleted) = object::text(object, "/metadata/deletionTimestamp").parse::<Timestamp>() {
        line(
            "Deleting",
            &format!("since {deleted} ({} ago)", age(deleted, now)),
        );
    }
    if object::generation(object) > 0 {
        let observed = object.pointer("/status/observedGeneration").map(plain);
        let seen = observed.map(|observed| format!(" (the operator has seen {observed})"));
        line(
            "Generation",
            &format!("{}{}", object::generation(object), seen.unwrap_or_default()),
        );
    }
    pairs("Labels:", &object::labels(object), '=', &mut table);
    let mut annotations = object::annotations(object);
    // It repeats the spec in one long line.
    annotations.remove(LAST_APPLIED);
    pairs("Annotations:", &annotations, ':', &mut table);
    table
}

/// One pair a line, all of them below the first.
fn pairs(title: &str, pairs: &BTreeMap<String, String>, sign: char, table: &mut Table) {
    if pairs.is_empty() {
        table.row([title, NONE]);
    }
    let space = if sign == ':' { " " } else { "" };
    for (index, (key, value)) in pairs.iter().enumerate() {
        let title = if index == 0 { title } else { "" };
        table.row([title, &format!("{key}{sign}{space}{value}")]);
    }
}

fn summary(object: &Value, status: &WorkloadStatus, table: &mut Table) {
    let state = Cell::toned(&status.state, Tone::of_state(&status.state));
    table.row([Cell::from("Status:"), state]);
    table.row(["Message:".into(), Cell::or_none(&status.message)]);
    let suspended = object.pointer("/spec/suspend") == Some(&Value::Bool(true));
    table.row(["Suspended:", if suspended { "true" } else { "false" }]);
    table.row(["Agents:".to_owned(), counts(status)]);
}

fn counts(status: &WorkloadStatus) -> String {
    format!(
        "{} desired | {} updated | {} ready | {} unavailable",
        status.replicas, status.updated_replicas, status.ready_replicas, status.unavailable_replicas
    )
}

fn roles(roles: &[RoleStatus]) -> Vec<Vec<Cell>> {
    let rows = roles.iter().map(|role| {
        let RoleStatus {
            name,
            required,
            desired,
            ready,
        } = role;
        vec![
            name.into(),
            format!("{ready}/{desired}").into(),
            required.to_string().into(),
        ]
    });
    rows.collect()
}

fn agent_rows(agents: &[Value], now: Timestamp) -> Vec<Vec<Cell>> {
    let rows = agents.iter().map(|agent| {
        let state = object::text(agent, "/status/state");
        let restarts = agent.pointer("/status/restarts").map_or("0".to_owned(), plain);
        vec![
            object::name(agent).into(),
            Cell::toned(state, Tone::of_state(state)),
            Cell::or_none(object::text(agent, "/status/node")),
            restarts.into(),
            Cell::or_none(
                &object::created(agent)
                    .map(|then| age(then, now))
                    .unwrap_or_default(),
            ),
            Cell::or_none(object::text(agent, "/status/error")),
        ]
    });
    rows.collect()
}

fn spec(object: &Value) -> String {
    let yaml = object
        .get("spec")
        .and_then(|spec| yaml::to_yaml(spec).ok())
        .unwrap_or_default();
    format!("Spec:\n{}", indent(&escape::block(&yaml)))
}

/// The plain fields of a part of the object, one a line, their values below those of all keys.
fn fields(title: &str, part: Option<&Value>, table: &mut Table) {
    let empty = Map::new();
    let part = part.and_then(Value::as_object).unwrap_or(&empty);
    table.row([format!("{title}:")]);
    for (name, value) in part {
        table.row([format!("  {}:", words(name)), plain(value)]);
    }
}

/// `taskState` as `Task state`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for (at, c) in name.char_indices() {
        match c {
            c if at == 0 => words.extend(c.to_uppercase()),
            c if c.is_uppercase() => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            c => words.push(c),
        }
    }
    words
}

fn conditions(object: &Value, now: Timestamp) -> Vec<Vec<Cell>> {
    let conditions = object::conditions(object);
    let rows = conditions.iter().map(|condition| {
        vec![
            Cell::from(&condition.type_),
            Cell::from(&condition.status),
            Cell::from(&condition.reason),
            Cell::from(age(condition.last_transition_time.0, now)),
            Cell::from(condition.message.trim()),
        ]
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_described_with_what_it_applied() {
        let commit = json!({"revision": "1a2b3c4d5e6f7890", "reference": "main", "author": "Ada", "message": "Make room"});
        let source = json!({
            "kind": "GitSource",
            "metadata": {"name": "fleet", "generation": 1},
            "spec": {"url": "https://git.example/fleet.git"},
            "status": {
                "observedGeneration": 1, "revision": "main@1a2b3c4d5e6f", "ready": "False", "fetched": commit,
                "message": "main@1a2b3c4d5e6f is applied: 1 object; team/pay is not ready", "inventory": ["team/default/pay"],
                "attemptedRevision": "1a2b3c4d5e6f7890",
                "health": {"ready": 0, "total": 1,
                           "notReady": [{"object": "team/default/pay", "state": "Stalled", "message": "no image"}]},
                "history": [{"revision": "1a2b3c4d5e6f7890", "author": "Ada", "message": "Make room", "result": "Applied",
                             "time": "2026-01-01T00:00:30Z", "durationMs": 12, "detail": "1 created"}],
                "conditions": [{"type": "Ready", "status": "False", "reason": "ObjectsNotReady", "message": "wait",
                                "lastTransitionTime": "2026-01-01T00:00:30Z"}],
            },
        });
        let subject = Subject {
            object: &source,
            agents: &[],
            events: &[],
        };
        let text = describe(&subject, "2026-01-01T00:01:00Z".parse().unwrap(), Paint::never());
        for part in [
            "Fetched:       main@1a2b3c4d5e6f by Ada, \"Make room\"\n",
            "Health:        0 of 1 are ready\n",
            "Declares:      team/default/pay\n",
            "  team/default/pay   Stalled   no image\n",
            "  1a2b3c4d5e6f   Applied   30s   12ms   Ada      1 created\n",
            "  Ready   False    ObjectsNotReady   30s   wait\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_team_is_described_from_identity_to_events() {
        let team = json!({
            "kind": "Team",
            "metadata": {
                "name": "pay", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {LAST_APPLIED: "{}", "note": "x"}, "labels": {"app": "pay", "tier": "web"},
            },
            "spec": {"roles": [{"name": "lead"}]},
            "status": {
                "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 0,
                "unavailableReplicas": 1, "summary": "0/1", "state": "Stalled", "message": "image x is missing",
                "roles": [{"name": "lead", "required": true, "desired": 1, "ready": 0}],
                "conditions": [{"type": "Ready", "status": "False", "reason": "ImageMissing",
                    "message": "image x is missing", "lastTransitionTime": "2026-01-01T00:00:30Z"}],
            },
        });
        let agent = json!({
            "metadata": {"name": "team.pay.lead.1", "creationTimestamp": "2026-01-01T00:00:10Z"},
            "status": {"state": "Failed", "restarts": 3, "error": "\u{1b}[2Jno such image"},
        });
        let subject = Subject {
            object: &team,
            agents: &[agent],
            events: &[],
        };
        let text = describe(&subject, "2026-01-01T00:01:00Z".parse().unwrap(), Paint::never());
        assert_eq!(
            text,
            "\
Name:          pay
Namespace:     default
Kind:          Team
Created:       2026-01-01T00:00:00Z (60s ago)
Generation:    2 (the operator has seen 2)
Labels:        app=pay
               tier=web
Annotations:   note: x
Status:        Stalled
Message:       image x is missing
Suspended:     false
Agents:        1 desired | 1 updated | 0 ready | 1 unavailable
Roles:
  Name   Ready   Required
  lead   0/1     true
Agents:
  Name              Status   Node     Restarts   Age   Error
  team.pay.lead.1   Failed   <none>   3          50s   \\u{1b}[2Jno such image
Spec:
  roles:
  - name: lead
Conditions:
  Type    Status   Reason         Age   Message
  Ready   False    ImageMissing   30s   image x is missing
Events:        <none>
"
        );
    }

    #[test]
    fn an_agent_is_described_by_its_fields() {
        let agent = json!({
            "kind": "Agent", "metadata": {"name": "team.pay.lead.1"},
            "spec": {"owner": "team/pay", "slot": 1},
            "status": {"state": "Ready", "taskState": "running"},
        });
        let subject = Subject {
            object: &agent,
            agents: &[],
            events: &[],
        };
        let text = describe(&subject, Timestamp::UNIX_EPOCH, Paint::never());
        assert_eq!(
            text,
            "\
Name:           team.pay.lead.1
Namespace:      default
Kind:           Agent
Labels:         <none>
Annotations:    <none>
Declared:
  Owner:        team/pay
  Slot:         1
Observed:
  State:        Ready
  Task state:   running
Events:         <none>
"
        );
    }
}
