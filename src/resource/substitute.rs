//! Puts the values of variables where a source's manifests name them. Pure.
//!
//! It changes texts that were read, never what they were read from: a value cannot become two, or a list, or a comment,
//! whatever it holds, and everything else stands where it stood. A text becomes a number or a truth value only where the
//! kind's schema wants one.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Number, Value};

use crate::resource::git_source::{GitSourceSpec, is_variable};
use crate::resource::names::SUBSTITUTE;
use crate::resource::validate::{Cause, CauseReason, Invalid};
use crate::resource::{Kind, nearest, path, schema};

/// Bytes that all values of a commit may come to where they are put: one may be put in very many places.
const BYTES: usize = 4 << 20;
/// How many problems of a commit are told.
const PROBLEMS: usize = 100;
/// How much of what is no variable is told, in characters.
const SHOWN: usize = 40;

/// What becomes of each object that a source reads, before anything is made of it: its variables get their `values`
/// ([`GitSourceSpec::values`]), and it is put into the namespace that all of the source's are in. What has no metadata is told
/// of later.
pub fn edits<'a>(
    spec: &'a GitSourceSpec,
    values: Option<&'a BTreeMap<String, String>>,
) -> impl FnMut(&mut Value) -> Result<(), Invalid> + 'a {
    let mut substitution = values.map(Substitution::new);
    move |object| {
        if let Some(substitution) = &mut substitution {
            substitution.apply(object)?;
        }
        if let Some(target) = &spec.target_namespace
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".to_owned(), target.as_str().into());
        }
        Ok(())
    }
}

/// The values of a source's variables, and how often they may still be put somewhere.
#[derive(Debug)]
struct Substitution<'a> {
    values: &'a BTreeMap<String, String>,
    bytes: usize,
    problems: usize,
}

impl<'a> Substitution<'a> {
    /// One for all objects of a commit.
    fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self {
            values,
            bytes: BYTES,
            problems: PROBLEMS,
        }
    }

    /// Substitutes in every text of an object, unless that says that it stays as it is written.
    ///
    /// # Errors
    /// Every variable that is not defined, and all that looks like one and is none.
    fn apply(&mut self, object: &mut Value) -> Result<(), Invalid> {
        let Value::Object(members) = object else {
            return Ok(());
        };
        if members.get("metadata").is_some_and(stays) {
            return Ok(());
        }
        let mut causes = Vec::new();
        // First, since it says how the spec is to be.
        if let Some(kind) = members.get_mut("kind") {
            self.value(kind, None, "kind", &mut causes);
        }
        let kind = members.get("kind").and_then(Value::as_str).and_then(Kind::find);
        let spec = kind.and_then(|kind| schema::member(kind, "spec"));
        for (name, member) in members.iter_mut().filter(|(name, _)| *name != "kind") {
            let schema = spec.filter(|_| name == "spec");
            self.value(member, schema, &path::field("", name), &mut causes);
        }
        match causes.is_empty() {
            true => Ok(()),
            false => Err(Invalid { causes }),
        }
    }

    fn value(
        &mut self,
        value: &mut Value,
        schema: Option<&JSONSchemaProps>,
        at: &str,
        causes: &mut Vec<Cause>,
    ) {
        match value {
            Value::String(text) => match self.text(text) {
                Ok(None) => {}
                Ok(Some(new)) => *value = typed(new, schema),
                Err(wrong) => wrong
                    .into_iter()
                    .for_each(|message| self.refuse(at, message, causes)),
            },
            Value::Array(items) => {
                let schema = schema.and_then(schema::items);
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, schema, &path::item(at, index), causes);
                }
            }
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    let below = path::field(at, name);
                    if name.contains("${") {
                        let message = "variables stand in values alone: write the key as it is to be";
                        self.refuse(&below, message.to_owned(), causes);
                    }
                    let schema = schema.and_then(|schema| schema::described(schema, name));
                    self.value(member, schema, &below, causes);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn refuse(&mut self, at: &str, message: String, causes: &mut Vec<Cause>) {
        // More help nobody, and the first has the commit refused.
        if let Some(left) = self.problems.checked_sub(1) {
            self.problems = left;
            causes.push(Cause::new(at, CauseReason::Invalid, message));
        }
    }

    /// The text with its variables' values; `None` when it holds nothing of the kind.
    ///
    /// # Errors
    /// What is wrong with each that has no value.
    fn text(&mut self, text: &str) -> Result<Option<String>, Vec<String>> {
        if !text.contains("${") {
            return Ok(None);
        }
        let (mut new, mut wrong, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                new.push_str(before);
                new.push_str("${");
                rest = after;
                continue;
            }
            new.push_str(before);
            let Some((inside, after)) = after.split_once('}') else {
                wrong.push(
                    "holds \"${\" without its \"}\"; write \"$${\" for the characters themselves".to_owned(),
                );
                rest = "";
                break;
            };
            match self.variable(inside) {
                Ok(value) => new.push_str(value),
                Err(message) => wrong.push(message),
            }
            rest = after;
        }
        new.push_str(rest);
        match wrong.is_empty() {
            true => Ok(Some(new)),
            false => Err(wrong),
        }
    }

    /// The value of what stands between `${` and `}`.
    fn variable<'t>(&mut self, inside: &'t str) -> Result<&'t str, String>
    where
        'a: 't,
    {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_variable(name) || default.is_some_and(|default| default.contains("${")) {
            let shown: String = inside.chars().take(SHOWN).collect();
            return Err(format!(
                "${{{shown}}} is no variable: write ${{NAME}} or ${{NAME:-default}}, or \"$${{\" for the characters themselves"
            ));
        }
        // As shells have it, what is empty has the default, too.
        let known = self.values.get(name).map(String::as_str);
        let value = match (known, default) {
            (None | Some(""), Some(default)) => default,
            (Some(value), _) => value,
            (None, None) => {
                let hint = nearest::hint(name, self.values.keys().map(String::as_str));
                return Err(format!(
                    "${{{name}}} is not defined{hint}: set it in spec.substitute of the source, or write \
                     ${{{name}:-default}}"
                ));
            }
        };
        let left = self.bytes.checked_sub(value.len());
        self.bytes = left.ok_or_else(|| {
            format!("the values of spec.substitute would come to more than {BYTES} bytes in this commit")
        })?;
        Ok(value)
    }
}

/// Whether an object says in its metadata that its texts stay as they are written.
fn stays(metadata: &Value) -> bool {
    let annotation = metadata
        .get("annotations")
        .and_then(|annotations| annotations.get(SUBSTITUTE));
    annotation.and_then(Value::as_str) == Some("disabled")
}

/// A text as what the schema wants there; the text itself where it wants a text, or is told what is wrong with it.
fn typed(text: String, schema: Option<&JSONSchemaProps>) -> Value {
    let read = match schema.and_then(|schema| schema.type_.as_deref()) {
        Some("integer" | "number") => text.parse::<Number>().ok().map(Value::Number),
        Some("boolean") => text.parse().ok().map(Value::Bool),
        _ => None,
    };
    read.unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> BTreeMap<String, String> {
        let all = [
            ("NAME", "payments"),
            ("EMPTY", ""),
            ("COUNT", "3"),
            ("HOSTILE", "x\", evil: [1]\n# ${NAME}\nspec: {}"),
            ("YES", "true"),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn check(text: &str, expected: Result<&str, &[&str]>) {
        let values = values();
        let found = Substitution::new(&values).text(text);
        let found = found.map(|new| new.unwrap_or_else(|| text.to_owned()));
        let expected = expected
            .map(str::to_owned)
            .map_err(|wrong| wrong.iter().map(|one| (*one).to_owned()).collect::<Vec<String>>());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_variable_has_its_value_and_all_else_stays() {
        for (text, expected) in [
            ("plain $NAME {NAME} $ $$ }", "plain $NAME {NAME} $ $$ }"),
            ("${NAME}", "payments"),
            ("a-${NAME}-${COUNT}", "a-payments-3"),
            ("${NONE:-default}", "default"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-default}", "default"),
            ("${NAME:-default}", "payments"),
            ("${NONE:-a:-b c$}", "a:-b c$"),
            ("$${NAME}", "${NAME}"),
            ("$${NAME} ${NAME} $${", "${NAME} payments ${"),
            // What a value holds is not looked at again.
            ("${HOSTILE}", "x\", evil: [1]\n# ${NAME}\nspec: {}"),
        ] {
            check(text, Ok(expected));
        }
    }

    #[test]
    fn what_is_not_defined_or_no_variable_is_told() {
        let advice = "write ${NAME} or ${NAME:-default}, or \"$${\" for the characters themselves";
        let no_variable = |inside: &str| format!("${{{inside}}} is no variable: {advice}");
        check(
            "${NAMES} and ${NONE}",
            Err(&[
                "${NAMES} is not defined (did you mean \"NAME\"?): set it in spec.substitute of the source, or write \
                 ${NAMES:-default}",
                "${NONE} is not defined: set it in spec.substitute of the source, or write ${NONE:-default}",
            ]),
        );
        for inside in ["", " NAME", "1", "NAME:=x", "NAME%%x", "a.b", "NONE:-${NAME"] {
            check(&format!("${{{inside}}}"), Err(&[no_variable(inside).as_str()]));
        }
        check(
            "${NAME",
            Err(&["holds \"${\" without its \"}\"; write \"$${\" for the characters themselves"]),
        );
    }

    fn team(spec: Value) -> Value {
        json!({"kind": "Team", "metadata": {"name": "${NAME}"}, "spec": spec})
    }

    #[test]
    fn a_text_becomes_what_the_schema_wants_and_never_more() {
        let values = values();
        let mut object = team(json!({
            "replicas": "${COUNT}", "project": "${COUNT}", "suspend": "${YES}", "task": {"title": "${HOSTILE}"},
            "roles": [{"name": "${NAME}", "replicas": "${NAME}", "agent": {"systemPrompt": "${YES}"}}],
        }));
        object["metadata"]["labels"] = json!({"count": "${COUNT}", "yes": "${YES}"});
        Substitution::new(&values).apply(&mut object).unwrap();
        let expected = json!({
            "kind": "Team",
            "metadata": {"name": "payments", "labels": {"count": "3", "yes": "true"}},
            "spec": {
                "replicas": 3, "project": "3", "suspend": true, "task": {"title": "x\", evil: [1]\n# ${NAME}\nspec: {}"},
                "roles": [{"name": "payments", "replicas": "payments", "agent": {"systemPrompt": "true"}}],
            },
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn an_object_may_stay_as_it_is_written() {
        let values = values();
        let mut object = team(json!({"project": "${NONE}"}));
        object["metadata"]["annotations"] = json!({SUBSTITUTE: "disabled"});
        let written = object.clone();
        Substitution::new(&values).apply(&mut object).unwrap();
        assert_eq!(object, written);
        object["metadata"]["annotations"] = json!({SUBSTITUTE: "enabled"});
        let refused = Substitution::new(&values).apply(&mut object).unwrap_err();
        assert_eq!(refused.causes[0].field, "spec.project");
    }

    #[test]
    fn a_key_is_no_place_for_a_variable() {
        let values = values();
        let mut object = team(json!({"${NAME}": 1}));
        let refused = Substitution::new(&values).apply(&mut object).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "spec[${NAME}]: variables stand in values alone: write the key as it is to be"
        );
    }

    #[test]
    fn what_values_come_to_is_bounded_and_so_is_what_is_told() {
        let long = BTreeMap::from([("A".to_owned(), "x".repeat(BYTES / 2))]);
        let mut substitution = Substitution::new(&long);
        let mut object = json!({"spec": ["${A}", "${A}", "${A}"]});
        let refused = substitution.apply(&mut object).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "spec[2]: the values of spec.substitute would come to more than {BYTES} bytes in this commit"
            )
        );
        let values = values();
        let mut object = json!({"spec": vec!["${NONE}"; 2 * PROBLEMS]});
        let refused = Substitution::new(&values).apply(&mut object).unwrap_err();
        assert_eq!(refused.causes.len(), PROBLEMS);
    }
}
