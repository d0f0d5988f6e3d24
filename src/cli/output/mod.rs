//! `-o`: which form objects are printed in.

mod custom;
mod document;
mod template;

use std::str::FromStr;

pub(super) use custom::CustomColumns;
pub(super) use document::Document;

use crate::resource::nearest;

/// A form that objects are printed in.
#[derive(Clone, Debug)]
pub(super) enum Output {
    /// A table, with the columns of priority 1 when wide.
    Table {
        /// Whether those are shown.
        wide: bool,
    },
    /// A table with columns of the user's own.
    CustomColumns(CustomColumns),
    /// Without rows.
    Document(Document),
}

impl Default for Output {
    fn default() -> Self {
        Output::Table { wide: false }
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "wide" => Ok(Output::Table { wide: true }),
            None if text == "custom-columns" => {
                Err("columns are missing: custom-columns=NAME:.metadata.name".to_owned())
            }
            Some(("custom-columns", columns)) => Ok(Output::CustomColumns(columns.parse()?)),
            _ => Document::read(text, &["wide", "custom-columns=…"]).map(Output::Document),
        }
    }
}

/// What is said of a form that is none of those that are known.
fn unknown(form: &str, known: &[&str]) -> String {
    if ["go-template", "go-template-file", "template"].contains(&form) {
        return "Go templates are not supported; use jsonpath='{…}' instead".to_owned();
    }
    format!(
        "unknown form{}; the forms are {}",
        nearest::hint(form, known.iter().copied()),
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_forms_are_refused_with_advice() {
        let why = |text: &str| text.parse::<Output>().unwrap_err();
        assert!(why("go-template={{.x}}").starts_with("Go templates are not supported"));
        assert_eq!(
            why("jsn"),
            "unknown form (did you mean \"json\"?); the forms are json, yaml, name, jsonpath=…, wide, \
             custom-columns=…"
        );
        assert!(why("custom-columns=NAME").contains("write each column as HEADING:"));
        assert!(why("jsonpath={.a").contains("a brace is not closed"));
        let why = "wide".parse::<Document>().unwrap_err();
        assert_eq!(why, "unknown form; the forms are json, yaml, name, jsonpath=…");
    }
}
