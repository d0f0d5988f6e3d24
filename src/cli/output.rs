//! `-o`: which form objects are printed in.

use std::str::FromStr;

use serde_json::{Value, json};

use super::jsonpath::{JsonPathError, Path, Template, plain};
use crate::resource::nearest;

/// A form that objects are printed in.
#[derive(Clone, Debug)]
pub(super) enum Output {
    /// A table, with the columns of priority 1 when wide.
    Table {
        /// Whether those are shown.
        wide: bool,
    },
    /// Indented JSON.
    Json,
    /// YAML.
    Yaml,
    /// `team/payments`.
    Name,
    /// A JSONPath template, filled from the object or the list.
    JsonPath(Template),
    /// Columns of the user's own.
    CustomColumns(Vec<CustomColumn>),
}

/// A column of the user's own.
#[derive(Clone, Debug)]
pub(super) struct CustomColumn {
    /// Its heading.
    pub heading: String,
    path: Path,
}

impl CustomColumn {
    /// The cell of an object; several values are joined by commas.
    pub(super) fn cell(&self, object: &Value) -> String {
        let found: Vec<String> = self.path.find(object).into_iter().map(plain).collect();
        if found.is_empty() {
            "<none>".to_owned()
        } else {
            found.join(",")
        }
    }
}

impl Default for Output {
    fn default() -> Self {
        Output::Table { wide: false }
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const KNOWN: [&str; 6] = ["wide", "json", "yaml", "name", "jsonpath=…", "custom-columns=…"];
        let (form, argument) = match text.split_once('=') {
            Some((form, argument)) => (form, Some(argument)),
            None => (text, None),
        };
        match (form, argument) {
            ("wide", None) => Ok(Output::Table { wide: true }),
            ("json", None) => Ok(Output::Json),
            ("yaml", None) => Ok(Output::Yaml),
            ("name", None) => Ok(Output::Name),
            ("jsonpath", Some(template)) => Template::parse(template)
                .map(Output::JsonPath)
                .map_err(|error| error.to_string()),
            ("jsonpath", None) => Err("a template is missing: jsonpath='{.metadata.name}'".to_owned()),
            ("custom-columns", Some(columns)) => parse_columns(columns)
                .map(Output::CustomColumns)
                .map_err(|error| error.to_string()),
            ("custom-columns", None) => {
                Err("columns are missing: custom-columns=NAME:.metadata.name".to_owned())
            }
            ("go-template" | "go-template-file" | "template", _) => {
                Err("Go templates are not supported; use jsonpath='{…}' or custom-columns=…".to_owned())
            }
            _ => Err(format!(
                "unknown form{}; the forms are {}",
                nearest::hint(form, KNOWN),
                KNOWN.join(", ")
            )),
        }
    }
}

fn parse_columns(text: &str) -> Result<Vec<CustomColumn>, JsonPathError> {
    split_columns(text).into_iter().map(parse_column).collect()
}

fn parse_column(text: &str) -> Result<CustomColumn, JsonPathError> {
    match text.split_once(':') {
        Some((heading, path)) if !heading.is_empty() && !path.is_empty() => Ok(CustomColumn {
            heading: heading.to_owned(),
            path: Path::parse(path)?,
        }),
        _ => Err(JsonPathError::new(
            text,
            "write each column as HEADING:.path.of.a.field",
        )),
    }
}

/// Splits at commas that are not inside brackets: a filter may hold some.
fn split_columns(text: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                columns.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    columns.push(&text[start..]);
    columns
}

/// Several objects as kubectl hands them to JSON and JSONPath.
pub(super) fn as_list(items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_columns_are_cut_at_outer_commas() {
        let object = json!({
            "metadata": {"name": "payments"},
            "spec": {"roles": [{"name": "a"}, {"name": "b", "replicas": 2}]},
        });
        let Ok(Output::CustomColumns(columns)) =
            "custom-columns=NAME:.metadata.name,FIRST:.spec.roles[0,1].name,N:.spec.roles[?(@.replicas==2)].name,X:.spec.none"
                .parse()
        else {
            panic!("these are columns");
        };
        let row: Vec<(&str, String)> = columns
            .iter()
            .map(|column| (column.heading.as_str(), column.cell(&object)))
            .collect();
        assert_eq!(
            row,
            [
                ("NAME", "payments".to_owned()),
                ("FIRST", "a,b".to_owned()),
                ("N", "b".to_owned()),
                ("X", "<none>".to_owned()),
            ]
        );
    }

    #[test]
    fn unknown_forms_are_refused_with_advice() {
        let why = |text: &str| text.parse::<Output>().unwrap_err();
        assert!(why("go-template={{.x}}").starts_with("Go templates are not supported"));
        assert_eq!(
            why("jsn"),
            "unknown form (did you mean \"json\"?); the forms are wide, json, yaml, name, jsonpath=…, \
             custom-columns=…"
        );
        assert!(why("custom-columns=NAME").contains("write each column as HEADING:"));
        assert!(why("jsonpath={.a").contains("a brace is not closed"));
    }
}
