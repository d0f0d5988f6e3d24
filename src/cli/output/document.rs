//! Forms that show a whole object or list at once.

use std::str::FromStr;

use serde_json::{Value, json};

use super::template::Template;
use super::unknown;
use crate::cli::error::CliError;
use crate::cli::object;
use crate::resource::escape;
use crate::resource::yaml;

/// A form without rows.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Document {
    /// Indented JSON.
    Json,
    /// YAML.
    Yaml,
    /// `team/payments`.
    Name,
    /// A JSONPath template, filled from the object or the list.
    JsonPath(Template),
}

impl Document {
    /// Reads a form; `others` are those that the caller knows beside these.
    pub(super) fn read(text: &str, others: &[&str]) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "json" => Ok(Document::Json),
            None if text == "yaml" => Ok(Document::Yaml),
            None if text == "name" => Ok(Document::Name),
            None if text == "jsonpath" => {
                Err("a template is missing: jsonpath='{.metadata.name}'".to_owned())
            }
            Some(("jsonpath", template)) => Template::parse(template)
                .map(Document::JsonPath)
                .map_err(|error| error.to_string()),
            given => {
                let form = given.map_or(text, |(form, _)| form);
                let known = [&["json", "yaml", "name", "jsonpath=…"], others].concat();
                Err(unknown(form, &known))
            }
        }
    }

    /// A value in this form.
    ///
    /// # Errors
    /// When the value cannot be written in it.
    pub(in crate::cli) fn write(&self, value: &Value) -> Result<String, CliError> {
        match self {
            Document::Json => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(|error| CliError::Failed(error.to_string())),
            Document::Yaml => yaml::to_yaml(value).map_err(|error| CliError::Failed(error.to_string())),
            Document::Name => Ok(names(value)),
            Document::JsonPath(template) => Ok(template.fill(value)),
        }
    }

    /// Several objects, as the `List` that kubectl makes of them.
    ///
    /// # Errors
    /// When they cannot be written in this form.
    pub(in crate::cli) fn write_list(&self, items: &[Value]) -> Result<String, CliError> {
        self.write(&json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
    }

    /// A change of an object, as one of several; `event` says what happened, when that is wanted.
    ///
    /// # Errors
    /// When the object cannot be written in this form.
    pub(in crate::cli) fn write_change(
        &self,
        event: Option<&str>,
        object: &Value,
    ) -> Result<String, CliError> {
        let text = match (self, event) {
            (Document::Json | Document::Yaml, Some(event)) => {
                self.write(&json!({"type": event, "object": object}))?
            }
            _ => self.write(object)?,
        };
        Ok(match self {
            Document::Yaml => format!("---\n{text}"),
            Document::Json | Document::Name | Document::JsonPath(_) => text,
        })
    }
}

impl FromStr for Document {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, &[])
    }
}

fn names(value: &Value) -> String {
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        return items.iter().map(names).collect();
    }
    match (object::key(value), object::text(value, "/kind")) {
        (Some(key), _) => format!("{}\n", escape::line(&object::slashed(&key))),
        (None, "") => String::new(),
        // An event, for example.
        (None, kind) => {
            let name = format!("{}/{}", kind.to_lowercase(), object::name(value));
            format!("{}\n", escape::line(&name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &str, write: impl Fn(Document) -> Result<String, CliError>, expected: &str) {
        assert_eq!(write(form.parse().unwrap()).unwrap(), expected, "{form}");
    }

    #[test]
    fn objects_and_lists_are_written_as_kubectl_does() {
        let object = |name: &str| json!({"kind": "AgentTemplate", "metadata": {"name": name}});
        let two = [object("a"), object("b")];
        check(
            "name",
            |form| form.write_list(&two),
            "agenttemplate/a\nagenttemplate/b\n",
        );
        check("name", |form| form.write(&two[0]), "agenttemplate/a\n");
        check(
            "name",
            |form| form.write(&json!({"kind": "Event", "metadata": {"name": "x.1"}})),
            "event/x.1\n",
        );
        check("jsonpath={.metadata.name}", |form| form.write(&two[0]), "a");
        check(
            "jsonpath={.items[*].metadata.name}",
            |form| form.write_list(&two),
            "a b",
        );
        check("jsonpath={.kind}", |form| form.write_list(&[]), "List");
        check(
            "yaml",
            |form| form.write_change(Some("ADDED"), &json!({"kind": "Team"})),
            "---\nobject:\n  kind: Team\ntype: ADDED\n",
        );
    }
}
