//! The columns of `get`, read from the kinds' own definitions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::paint::Tone;
use super::table::Cell;
use crate::cli::object;
use crate::resource::Kind;
use crate::resource::columns::{self, Column};
use crate::resource::jsonpath::plain;

/// What a cell shows when there is nothing to show.
const NONE: &str = "<none>";

/// What beside the kind's own columns is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The columns of priority 1.
    pub wide: bool,
    /// NAMESPACE, first.
    pub namespace: bool,
    /// KIND/NAME in place of NAME.
    pub kind: bool,
    /// One column for each of these labels.
    pub labels: Vec<String>,
    /// LABELS, last.
    pub show_labels: bool,
}

/// The columns of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    kind: Kind,
    extras: Extras,
    own: Vec<&'static Column>,
}

impl Columns {
    /// The columns of a kind.
    pub(crate) fn of(kind: Kind, extras: &Extras) -> Self {
        let own = columns::of(kind).iter();
        Self {
            kind,
            extras: extras.clone(),
            own: own.filter(|column| extras.wide || !column.is_wide()).collect(),
        }
    }

    /// The headings.
    pub(crate) fn headings(&self) -> Vec<Cell> {
        let mut row: Vec<Cell> = Vec::new();
        if self.extras.namespace {
            row.push("NAMESPACE".into());
        }
        row.push("NAME".into());
        row.extend(self.own.iter().map(|column| Cell::from(heading(column))));
        row.extend(
            self.extras
                .labels
                .iter()
                .map(|label| Cell::from(label_heading(label))),
        );
        if self.extras.show_labels {
            row.push("LABELS".into());
        }
        row
    }

    /// The cells of one object.
    pub(crate) fn row(&self, item: &Value, now: Timestamp) -> Vec<Cell> {
        let mut row: Vec<Cell> = Vec::new();
        if self.extras.namespace {
            row.push(object::namespace(item).into());
        }
        row.push(if self.extras.kind {
            format!("{}/{}", self.kind.singular(), object::name(item)).into()
        } else {
            object::name(item).into()
        });
        row.extend(self.own.iter().map(|column| cell(column, item, now)));
        let labels = object::labels(item);
        for label in &self.extras.labels {
            row.push(labels.get(label).map_or(NONE, String::as_str).into());
        }
        if self.extras.show_labels {
            row.push(joined(&labels).into());
        }
        row
    }
}

fn heading(column: &Column) -> String {
    column.definition().name.to_uppercase()
}

fn cell(column: &Column, item: &Value, now: Timestamp) -> Cell {
    let text = column
        .value(item, now)
        .map_or_else(String::new, |value| plain(&value));
    let text = if text.is_empty() { NONE } else { &text };
    let tone = match column.definition().name.as_str() {
        "Status" => Tone::of_state(text),
        _ => Tone::Plain,
    };
    Cell::toned(text, tone)
}

/// `app=x,tier=web`, or `<none>`.
pub(crate) fn joined(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return NONE.to_owned();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn label_heading(label: &str) -> String {
    let (_, last) = label.rsplit_once('/').unwrap_or(("", label));
    last.to_uppercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::paint::Paint;
    use super::super::table::Table;
    use super::*;

    fn shown(kind: Kind, extras: &Extras, items: &[Value]) -> String {
        let columns = Columns::of(kind, extras);
        let mut table = Table::default();
        table.row(columns.headings());
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        for item in items {
            table.row(columns.row(item, now));
        }
        table.take(Paint::never())
    }

    fn payments() -> Value {
        json!({
            "kind": "Team",
            "metadata": {
                "name": "payments", "namespace": "prod", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "pay", "x.io/tier": "web"},
            },
            "spec": {"roles": []},
            "status": {"summary": "3/4", "state": "Progressing", "message": "reviewer 2 starts"},
        })
    }

    #[test]
    fn the_columns_are_the_definitions() {
        let fresh = json!({"metadata": {"name": "new"}, "spec": {"suspend": true}});
        assert_eq!(
            shown(Kind::Team, &Extras::default(), &[payments(), fresh]),
            "NAME       READY    STATUS        GENERATION   SUSPENDED   AGE\n\
             payments   3/4      Progressing   3            false       5m\n\
             new        <none>   <none>        <none>       true        <none>\n"
        );
    }

    #[test]
    fn extras_stand_where_kubectl_has_them() {
        let extras = Extras {
            namespace: true,
            kind: true,
            labels: vec!["x.io/tier".to_owned(), "none".to_owned()],
            show_labels: true,
            wide: false,
        };
        let text = shown(Kind::Team, &extras, &[payments()]);
        let (headings, row) = text.split_once('\n').unwrap();
        assert!(headings.starts_with("NAMESPACE   NAME "), "{headings}");
        assert!(headings.ends_with("AGE   TIER   NONE     LABELS"), "{headings}");
        assert!(row.starts_with("prod        team/payments"), "{row}");
        assert!(
            row.trim_end()
                .ends_with("5m    web    <none>   app=pay,x.io/tier=web"),
            "{row}"
        );
    }
}
