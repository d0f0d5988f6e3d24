//! Objects in the form that `-o` asks for.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::columns::{Columns, Extras};
use super::escape;
use super::paint::Paint;
use super::table::{Cell, Table};
use crate::cli::error::CliError;
use crate::cli::follow::Change;
use crate::cli::jsonpath::Path;
use crate::cli::object;
use crate::cli::output::{Output, as_list};
use crate::resource::{Kind, yaml};

/// How a listing looks.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// The form.
    pub output: Output,
    /// Further columns of tables.
    pub extras: Extras,
    /// Whether tables have headings.
    pub headings: bool,
    /// Whether changes say what happened.
    pub events: bool,
    /// Colours.
    pub paint: Paint,
}

/// Prints the objects of one kind, and later their changes.
pub(crate) struct Listing {
    look: Look,
    kind: Kind,
    table: Table,
    begun: bool,
}

impl Listing {
    /// Begins the listing of a kind.
    pub(crate) fn new(kind: Kind, look: &Look) -> Self {
        Self {
            look: look.clone(),
            kind,
            table: Table::default(),
            begun: false,
        }
    }

    /// Several objects as rows of a table, or one after another in forms without rows.
    ///
    /// # Errors
    /// When an object cannot be written in that form.
    pub(crate) fn rows(&mut self, items: &[Value], now: Timestamp) -> Result<String, CliError> {
        let mut text = String::new();
        for item in items {
            text.push_str(&self.put(None, item, now)?);
        }
        text.push_str(&self.table.take(self.look.paint));
        Ok(text)
    }

    /// One change.
    ///
    /// # Errors
    /// When the object cannot be written in that form.
    pub(crate) fn change(&mut self, change: &Change, now: Timestamp) -> Result<String, CliError> {
        let word = match self.look.events {
            true => Some(change.happened.word()),
            false => None,
        };
        let text = self.put(word, &change.object, now)?;
        Ok(text + &self.table.take(self.look.paint))
    }

    fn put(&mut self, event: Option<&str>, item: &Value, now: Timestamp) -> Result<String, CliError> {
        // The rows of the first list are events, too, once changes say what happened.
        let event = event.or(Some("ADDED").filter(|_| self.look.events));
        match self.look.output.clone() {
            Output::Table { .. } => {
                let columns = Columns::of(self.kind, &self.look.extras)?;
                let headings = columns.headings();
                self.row(event, headings, columns.row(item, now));
                Ok(String::new())
            }
            Output::CustomColumns(columns) => {
                let headings = columns.iter().map(|column| Cell::from(&column.heading)).collect();
                self.row(
                    event,
                    headings,
                    columns.iter().map(|column| column.cell(item).into()).collect(),
                );
                Ok(String::new())
            }
            form => match event {
                Some(type_) if !matches!(form, Output::Name | Output::JsonPath(_)) => {
                    document(&form, &json!({"type": type_, "object": item}))
                }
                _ => document(&form, item),
            },
        }
    }

    fn row(&mut self, event: Option<&str>, headings: Vec<Cell>, cells: Vec<Cell>) {
        let with_event = |first: Option<&str>, cells: Vec<Cell>| {
            first.map(Cell::from).into_iter().chain(cells).collect::<Vec<_>>()
        };
        if !self.begun && self.look.headings {
            self.table.row(with_event(event.map(|_| "EVENT"), headings));
        }
        self.begun = true;
        self.table.row(with_event(event, cells));
    }
}

/// Everything that was asked for as one document: the object itself when one was named, or a list.
///
/// # Errors
/// When it cannot be written in that form.
pub(crate) fn whole(form: &Output, mut items: Vec<Value>, one: bool) -> Result<String, CliError> {
    match items.pop() {
        Some(item) if one && items.is_empty() => document(form, &item),
        last => {
            items.extend(last);
            document(form, &as_list(items))
        }
    }
}

/// One value in a form without rows; the table forms have none here.
///
/// # Errors
/// When it cannot be written in that form.
pub(crate) fn document(form: &Output, value: &Value) -> Result<String, CliError> {
    match form {
        Output::Json => serde_json::to_string_pretty(value)
            .map(|text| text + "\n")
            .map_err(|error| CliError::Failed(error.to_string())),
        Output::Yaml => yaml::to_yaml(value).map_err(|error| CliError::Failed(error.to_string())),
        Output::JsonPath(template) => Ok(template.fill(value)),
        Output::Name => Ok(names(value)),
        Output::Table { .. } | Output::CustomColumns(_) => Ok(String::new()),
    }
}

/// Sorts objects by a field, numbers by value and everything else as text; objects without it come first.
pub(crate) fn sort(items: &mut [Value], path: &Path) {
    let key = |item: &Value| path.find(item).into_iter().next().cloned();
    items.sort_by(|a, b| match (key(a), key(b)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(a), Some(b)) => crate::cli::jsonpath::plain(&a).cmp(&crate::cli::jsonpath::plain(&b)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
}

fn names(value: &Value) -> String {
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        return items.iter().map(names).collect();
    }
    match object::key(value) {
        Some(key) => format!("{}\n", escape::cell(&object::slashed(&key))),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::follow::Happened;

    fn look(output: &str, events: bool) -> Look {
        Look {
            output: output.parse().unwrap(),
            extras: Extras::default(),
            headings: true,
            events,
            paint: Paint::never(),
        }
    }

    fn template(name: &str, generation: i64) -> Value {
        json!({
            "apiVersion": "chorus.services/v1", "kind": "AgentTemplate",
            "metadata": {"name": name, "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"image": "i"},
        })
    }

    #[test]
    fn changes_stand_under_the_rows_of_the_list() {
        let now = "2026-01-01T00:00:07Z".parse().unwrap();
        let mut listing = Listing::new(Kind::AgentTemplate, &look("wide", true));
        assert_eq!(
            listing.rows(&[template("reviewer", 1)], now).unwrap(),
            "EVENT   NAME       IMAGE   MODEL    GENERATION   AGE\n\
             ADDED   reviewer   i       <none>   1            7s\n"
        );
        let change = Change {
            happened: Happened::Deleted,
            object: template("x", 2),
        };
        assert_eq!(
            listing.change(&change, now).unwrap(),
            "DELETED   x          i       <none>   2            7s\n"
        );
    }

    #[test]
    fn forms_of_the_whole_are_kubectls() {
        let check = |form: &str, count: usize, one: bool, expected: &str| {
            let items = ["a", "b"][..count].iter().map(|name| template(name, 1)).collect();
            let text = whole(&form.parse().unwrap(), items, one).unwrap();
            assert_eq!(text, expected, "{form} of {count}");
        };
        check("name", 2, false, "agenttemplate/a\nagenttemplate/b\n");
        check("name", 1, true, "agenttemplate/a\n");
        check("jsonpath={.metadata.name}", 1, true, "a");
        check("jsonpath={.items[*].metadata.name}", 1, false, "a");
        check("jsonpath={.kind}", 0, false, "List");
    }

    #[test]
    fn sorting_knows_numbers() {
        let mut items = vec![template("b", 10), template("a", 9), json!({})];
        sort(&mut items, &Path::parse("{.metadata.generation}").unwrap());
        let names: Vec<&str> = items.iter().map(object::name).collect();
        assert_eq!(names, ["", "a", "b"]);
    }
}
