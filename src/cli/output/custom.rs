//! Columns of the user's own: `NAME:.metadata.name,IMAGE:.spec.image`.

use std::str::FromStr;

use serde_json::Value;

use crate::resource::jsonpath::{Path, plain};

/// Columns of the user's own.
#[derive(Clone, Debug)]
pub(in crate::cli) struct CustomColumns(Vec<Column>);

#[derive(Clone, Debug)]
struct Column {
    heading: String,
    path: Path,
}

impl CustomColumns {
    /// The headings.
    pub(in crate::cli) fn headings(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.heading.as_str())
    }

    /// The cells of an object; several values of a column are joined by commas.
    pub(in crate::cli) fn row(&self, object: &Value) -> impl Iterator<Item = String> {
        self.0.iter().map(|column| {
            let found: Vec<String> = column.path.find(object).into_iter().map(plain).collect();
            if found.is_empty() {
                "<none>".to_owned()
            } else {
                found.join(",")
            }
        })
    }
}

impl FromStr for CustomColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let columns: Result<_, _> = split(text).into_iter().map(column).collect();
        columns.map(Self)
    }
}

fn column(text: &str) -> Result<Column, String> {
    match text.split_once(':') {
        Some((heading, path)) if !heading.is_empty() && !path.is_empty() => Ok(Column {
            heading: heading.to_owned(),
            path: Path::parse(path).map_err(|error| error.to_string())?,
        }),
        _ => Err(format!(
            "{text:?} is no column; write each column as HEADING:.path.of.a.field"
        )),
    }
}

/// Splits at commas that are not inside brackets: a filter may hold some.
fn split(text: &str) -> Vec<&str> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_cut_at_outer_commas() {
        let object = json!({
            "metadata": {"name": "payments"},
            "spec": {"roles": [{"name": "a"}, {"name": "b", "replicas": 2}]},
        });
        let columns: CustomColumns =
            "NAME:.metadata.name,FIRST:.spec.roles[0,1].name,N:.spec.roles[?(@.replicas==2)].name,X:.spec.none"
                .parse()
                .unwrap();
        assert_eq!(
            columns.headings().collect::<Vec<_>>(),
            ["NAME", "FIRST", "N", "X"]
        );
        assert_eq!(
            columns.row(&object).collect::<Vec<_>>(),
            ["payments", "a,b", "b", "<none>"]
        );
    }
}
