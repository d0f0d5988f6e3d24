//! What a change would do to the Swarm: sent by the API, printed by `whoosh diff`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A plan, before anybody carries it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preview {
    /// What would change, in plan order.
    pub changes: Vec<PreviewChange>,
    /// What stands in the way.
    pub blocked: Vec<PreviewBlocked>,
    /// How many running agents would be stopped, for good or for a restart.
    pub interrupted: usize,
    /// Whether nothing would be done because the workload is suspended.
    pub suspended: bool,
}

/// How deep a change cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PreviewKind {
    /// `+`: something new.
    Create,
    /// `-`: something goes.
    Remove,
    /// `+/-`: the agent is stopped and started.
    Replace,
    /// `~`: changed in place, the agent runs on.
    InPlace,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewChange {
    /// How deep it cuts.
    pub action: PreviewKind,
    /// `service`, `network`, `secret` or `config`.
    pub kind: String,
    /// Its name in the Swarm.
    pub name: String,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<PreviewField>,
    /// Whether it takes back what somebody else changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drift: bool,
}

/// One field that differs, with secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewField {
    /// Its path, for example `container.env.RUST_LOG`.
    pub field: String,
    /// What is live; absent when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What is desired; absent when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// An agent that cannot be brought about, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewBlocked {
    /// The agent, as `reviewer.2`.
    pub agent: String,
    /// One CamelCase word for machines.
    pub reason: String,
    /// What to do next.
    pub message: String,
}

impl Preview {
    /// Whether nothing would change and nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.blocked.is_empty()
    }
}

impl PreviewKind {
    /// `+`, `-`, `+/-` or `~`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Remove => "-",
            Self::Replace => "+/-",
            Self::InPlace => "~",
        }
    }
}

/// One line a change, its fields below it, and a last line that sums up. Nothing at all for an empty preview.
///
/// ```text
/// +/- service team_default_payments_reviewer_1
///       container.env.RUST_LOG: info -> debug
///   ! reviewer.2: NameConflict: service … exists and does not belong to this team: …
/// 1 to replace; 1 agent is interrupted
/// ```
impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let PreviewChange {
                action,
                kind,
                name,
                fields,
                drift,
            } = change;
            let drift = if *drift { " (changed outside WHOOSH)" } else { "" };
            writeln!(f, "{:>3} {kind} {}{drift}", action.symbol(), printable(name))?;
            for PreviewField { field, old, new } in fields {
                writeln!(f, "      {}: {} -> {}", printable(field), value(old), value(new))?;
            }
        }
        for PreviewBlocked {
            agent,
            reason,
            message,
        } in &self.blocked
        {
            writeln!(f, "  ! {agent}: {reason}: {}", printable(message))?;
        }
        if self.changes.is_empty() {
            return Ok(());
        }
        let number = |kind| self.changes.iter().filter(|change| change.action == kind).count();
        let parts = [
            (PreviewKind::Create, "to create"),
            (PreviewKind::Replace, "to replace"),
            (PreviewKind::InPlace, "to change in place"),
            (PreviewKind::Remove, "to remove"),
        ];
        let parts = parts.map(|(kind, what)| (number(kind), what));
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts.map(|(number, what)| format!("{number} {what}")).collect();
        let cost = match self.interrupted {
            _ if self.suspended => "suspended: nothing is done until it is resumed".to_owned(),
            0 => "no agent is interrupted".to_owned(),
            1 => "1 agent is interrupted".to_owned(),
            number => format!("{number} agents are interrupted"),
        };
        writeln!(f, "{}; {cost}", parts.join(", "))
    }
}

fn value(value: &Option<String>) -> String {
    const LONGEST: usize = 80;
    match value.as_deref() {
        None => "(none)".to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(text) if text.chars().count() > LONGEST => {
            printable(&text.chars().take(LONGEST).collect::<String>()) + "…"
        }
        Some(text) => printable(text),
    }
}

/// Text without control characters, which could move a terminal's cursor.
fn printable(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_every_change_its_fields_and_its_cost() {
        let change =
            |action, kind: &str, name: &str, fields: &[(&str, Option<&str>, Option<&str>)]| PreviewChange {
                action,
                kind: kind.to_owned(),
                name: name.to_owned(),
                fields: fields
                    .iter()
                    .map(|(field, old, new)| PreviewField {
                        field: field.to_string(),
                        old: old.map(str::to_owned),
                        new: new.map(str::to_owned),
                    })
                    .collect(),
                drift: false,
            };
        let mut preview = Preview {
            changes: vec![
                change(PreviewKind::Create, "network", "chorus_net", &[]),
                change(
                    PreviewKind::Replace,
                    "service",
                    "one",
                    &[
                        ("container.env.A", Some("a\u{1b}[2J"), None),
                        ("container.user", Some(""), Some("1")),
                    ],
                ),
                change(
                    PreviewKind::InPlace,
                    "service",
                    "two",
                    &[("replicas", Some("3"), Some("1"))],
                ),
                change(PreviewKind::Remove, "service", "three", &[]),
            ],
            blocked: vec![PreviewBlocked {
                agent: "writer.1".to_owned(),
                reason: "NameConflict".to_owned(),
                message: "taken".to_owned(),
            }],
            interrupted: 2,
            suspended: false,
        };
        preview.changes[2].drift = true;
        let expected = [
            "  + network chorus_net",
            "+/- service one",
            r"      container.env.A: a\u{1b}[2J -> (none)",
            r#"      container.user: "" -> 1"#,
            "  ~ service two (changed outside WHOOSH)",
            "      replicas: 3 -> 1",
            "  - service three",
            "  ! writer.1: NameConflict: taken",
            "1 to create, 1 to replace, 1 to change in place, 1 to remove; 2 agents are interrupted",
            "",
        ];
        assert_eq!(preview.to_string(), expected.join("\n"));
        assert_eq!(Preview::default().to_string(), "");
        let json = serde_json::to_value(&preview).unwrap();
        assert_eq!(serde_json::from_value::<Preview>(json).unwrap(), preview);
    }
}
