//! Objects of one kind, one after another, in the form that `-o` asks for.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::columns::{Columns, Extras};
use super::paint::Paint;
use super::table::{Cell, Table};
use crate::cli::error::CliError;
use crate::cli::follow::{Change, Happened};
use crate::cli::output::{CustomColumns, Document, Output};
use crate::resource::Kind;
use crate::resource::jsonpath::{Path, plain};

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
    form: Form,
    table: Table,
    /// Whether headings are still to be printed.
    headings: bool,
    events: bool,
    paint: Paint,
}

enum Form {
    Columns(Columns),
    Custom(CustomColumns),
    Document(Document),
}

impl Listing {
    /// Begins the listing of a kind.
    pub(crate) fn new(kind: Kind, look: &Look) -> Self {
        let form = match &look.output {
            Output::Table { .. } => Form::Columns(Columns::of(kind, &look.extras)),
            Output::CustomColumns(columns) => Form::Custom(columns.clone()),
            Output::Document(document) => Form::Document(document.clone()),
        };
        Self {
            form,
            table: Table::default(),
            headings: look.headings,
            events: look.events,
            paint: look.paint,
        }
    }

    /// The objects of a list.
    ///
    /// # Errors
    /// When an object cannot be written in the form.
    pub(crate) fn list(&mut self, items: &[Value], now: Timestamp) -> Result<String, CliError> {
        let mut text = String::new();
        for item in items {
            text.push_str(&self.put(Happened::Added, item, now)?);
        }
        Ok(text + &self.table.take(self.paint))
    }

    /// One change.
    ///
    /// # Errors
    /// When the object cannot be written in the form.
    pub(crate) fn change(&mut self, change: &Change, now: Timestamp) -> Result<String, CliError> {
        let text = self.put(change.happened, &change.object, now)?;
        Ok(text + &self.table.take(self.paint))
    }

    /// A row for the table, or the text of a form without rows.
    fn put(&mut self, happened: Happened, item: &Value, now: Timestamp) -> Result<String, CliError> {
        let event = Some(happened.word()).filter(|_| self.events);
        let (headings, cells): (Vec<Cell>, Vec<Cell>) = match &self.form {
            Form::Document(document) => return document.write_change(event, item),
            Form::Columns(columns) => (columns.headings(), columns.row(item, now)),
            Form::Custom(columns) => (
                columns.headings().map(Cell::from).collect(),
                columns.row(item).map(Cell::from).collect(),
            ),
        };
        if std::mem::take(&mut self.headings) {
            let first = event.map(|_| Cell::from("EVENT"));
            self.table.row(first.into_iter().chain(headings));
        }
        self.table.row(event.map(Cell::from).into_iter().chain(cells));
        Ok(String::new())
    }
}

/// Sorts objects by a field, numbers by value and everything else as text; objects without it come first.
pub(crate) fn sort(items: &mut [Value], path: &Path) {
    let key = |item: &Value| path.find(item).into_iter().next().cloned();
    items.sort_by(|a, b| match (key(a), key(b)) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(a), Some(b)) => plain(&a).cmp(&plain(&b)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::object;

    fn template(name: &str, generation: i64) -> Value {
        json!({
            "metadata": {"name": name, "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"image": "i"},
        })
    }

    #[test]
    fn changes_stand_under_the_rows_of_the_list() {
        let look = Look {
            output: Output::default(),
            extras: Extras::default(),
            headings: true,
            events: true,
            paint: Paint::never(),
        };
        let now = "2026-01-01T00:00:07Z".parse().unwrap();
        let mut listing = Listing::new(Kind::AgentTemplate, &look);
        assert_eq!(
            listing.list(&[template("reviewer", 1)], now).unwrap(),
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
    fn sorting_knows_numbers() {
        let mut items = vec![template("b", 10), template("a", 9), json!({})];
        sort(&mut items, &Path::parse("{.metadata.generation}").unwrap());
        let names: Vec<&str> = items.iter().map(object::name).collect();
        assert_eq!(names, ["", "a", "b"]);
    }
}
