//! Label and field selectors, in kubectl's syntax.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde_json::Value;

use super::object::Object;
use super::validate::syntax;

/// Why a selector cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} selector \"{text}\" cannot be read: {why}; write it like {example}")]
pub struct SelectorError {
    kind: &'static str,
    text: String,
    why: String,
    example: &'static str,
}

/// Selects objects by their labels: `app=x,tier!=db,role in (a,b),!legacy`. All terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    terms: Vec<LabelTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTerm {
    Exists(String),
    Absent(String),
    In(String, BTreeSet<String>),
    /// Holds for objects without the label, too, as in Kubernetes.
    NotIn(String, BTreeSet<String>),
}

impl LabelSelector {
    /// Whether every term holds for these labels.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let value = |key: &String| labels.and_then(|all| all.get(key));
        self.terms.iter().all(|term| match term {
            LabelTerm::Exists(key) => value(key).is_some(),
            LabelTerm::Absent(key) => value(key).is_none(),
            LabelTerm::In(key, allowed) => value(key).is_some_and(|value| allowed.contains(value)),
            LabelTerm::NotIn(key, refused) => !value(key).is_some_and(|value| refused.contains(value)),
        })
    }

    /// Whether there is no term, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let terms = split_outside_parentheses(text)
            .into_iter()
            .map(|term| label_term(term.trim()))
            .collect::<Result<_, _>>()
            .map_err(|why| SelectorError {
                kind: "label",
                text: text.to_owned(),
                why,
                example: "app=payments,tier!=db,role in (a,b),!legacy",
            })?;
        Ok(Self { terms })
    }
}

fn label_term(term: &str) -> Result<LabelTerm, String> {
    if let Some(key) = term.strip_prefix('!') {
        return Ok(LabelTerm::Absent(label_key(key)?));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Ok(LabelTerm::NotIn(label_key(key)?, [label_value(value)?].into()));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(LabelTerm::In(label_key(key)?, [label_value(value)?].into()));
    }
    let Some((head, list)) = term.split_once('(') else {
        return Ok(LabelTerm::Exists(label_key(term)?));
    };
    let list = list
        .strip_suffix(')')
        .ok_or_else(|| format!("\"{term}\" lacks its closing parenthesis"))?;
    let values = list.split(',').map(label_value).collect::<Result<_, _>>()?;
    let words: Vec<&str> = head.split_whitespace().collect();
    match words.as_slice() {
        [key, "in"] => Ok(LabelTerm::In(label_key(key)?, values)),
        [key, "notin"] => Ok(LabelTerm::NotIn(label_key(key)?, values)),
        _ => Err(format!("\"{head}\" is not \"KEY in\" or \"KEY notin\"")),
    }
}

fn label_key(key: &str) -> Result<String, String> {
    let key = key.trim();
    syntax::label_key(key)?;
    Ok(key.to_owned())
}

fn label_value(value: &str) -> Result<String, String> {
    let value = value.trim();
    syntax::label_value(value)?;
    Ok(value.to_owned())
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Selects objects by their fields: `metadata.name=x,status.state!=Ready`. All terms must hold.
///
/// Any field with a plain value can be named (see [`super::fields`]); one that is absent counts as the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Whether every term holds for this object.
    pub fn matches(&self, object: &Object) -> bool {
        self.terms
            .iter()
            .all(|term| (field(object, &term.path) == term.value) == term.equal)
    }

    /// Whether every term holds for this object of any API, which need not be one of our kinds.
    pub fn matches_json(&self, object: &Value) -> bool {
        self.terms
            .iter()
            .all(|term| (plain(object, &term.path) == term.value) == term.equal)
    }

    /// Whether there is no term, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The fields that are compared.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.path.as_str())
    }

    /// With another path for those who ask for a field by one of its names.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for term in self.terms.iter_mut().filter(|term| term.path == from) {
            to.clone_into(&mut term.path);
        }
        self
    }

    /// The one value that the field at `path` must have, if the selector asks for one.
    pub fn wanted(&self, path: &str) -> Option<&str> {
        let mut terms = self.terms.iter();
        let term = terms.find(|term| term.equal && term.path == path)?;
        Some(&term.value)
    }
}

impl FromStr for FieldSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let terms = text
            .split(',')
            .map(str::trim)
            .filter(|term| !term.is_empty())
            .map(field_term)
            .collect::<Result<_, _>>()
            .map_err(|why| SelectorError {
                kind: "field",
                text: text.to_owned(),
                why,
                example: "metadata.name=payments,status.state!=Ready",
            })?;
        Ok(Self { terms })
    }
}

fn field_term(term: &str) -> Result<FieldTerm, String> {
    let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (path, value, true)
    } else {
        return Err(format!("\"{term}\" compares nothing"));
    };
    Ok(FieldTerm {
        path: path.trim().to_owned(),
        value: value.trim().to_owned(),
        equal,
    })
}

fn field(object: &Object, path: &str) -> String {
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    match root {
        "apiVersion" => object.api_version.clone(),
        "kind" => object.kind.to_string(),
        "spec" => plain(&object.spec, rest),
        "status" => object
            .status
            .as_ref()
            .map(|status| plain(status, rest))
            .unwrap_or_default(),
        _ => serde_json::to_value(&object.metadata)
            .map(|metadata| plain(&metadata, rest))
            .unwrap_or_default(),
    }
}

fn plain(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, key| value.get(key));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::kind::Kind;
    use super::super::object::Key;
    use super::*;

    #[test]
    fn labels_are_selected_as_kubectl_does() {
        let labels: BTreeMap<String, String> = [("app", "payments"), ("tier", "web"), ("a.b/c", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        for (selector, expected) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!legacy", true),
            ("app=payments", true),
            ("app==payments", true),
            ("app = payments , tier = web", true),
            ("app=payments,tier=db", false),
            ("app!=payments", false),
            ("absent!=x", true),
            ("absent=x", false),
            ("a.b/c=", true),
            ("tier in (db, web)", true),
            ("tier notin (db,web)", false),
            ("absent notin (db)", true),
            ("absent in (db)", false),
            ("tier in (web),app", true),
        ] {
            let parsed: LabelSelector = selector.parse().unwrap();
            assert_eq!(parsed.matches(Some(&labels)), expected, "{selector}");
        }
        assert!(!"app".parse::<LabelSelector>().unwrap().matches(None));
    }

    #[test]
    fn fields_are_selected_by_their_plain_value() {
        let mut object = Object::new(
            &Key::new(Kind::Team, "prod", "payments"),
            json!({"suspend": true}),
        );
        object.status = Some(json!({"state": "Ready", "replicas": 4, "roles": []}));
        for (selector, expected) in [
            ("", true),
            ("metadata.name=payments", true),
            ("metadata.namespace==prod,status.state=Ready", true),
            ("status.state!=Ready", false),
            ("status.replicas=4", true),
            ("spec.suspend=true", true),
            ("status.absent=", true),
            ("status.roles=x", false),
            ("kind=Team", true),
        ] {
            let parsed: FieldSelector = selector.parse().unwrap();
            assert_eq!(parsed.matches(&object), expected, "{selector}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let label = |text: &str| text.parse::<LabelSelector>().unwrap_err().to_string();
        let field = |text: &str| text.parse::<FieldSelector>().unwrap_err().to_string();
        assert_eq!(
            label("tier in (web"),
            "label selector \"tier in (web\" cannot be read: \"tier in (web\" lacks its closing parenthesis; \
             write it like app=payments,tier!=db,role in (a,b),!legacy"
        );
        assert!(label("a b (c)").contains("\"a b \" is not \"KEY in\""));
        assert!(label("=x").contains("the key \"\" must be a name"));
        assert!(label("a=b,,c=d").contains("the key \"\" must be a name"));
        assert!(label("a=b c").contains("the value \"b c\" must be"));
        assert!(label("a/b/c=d").contains("the key \"a/b/c\" must be a name"));
        assert!(field("name").contains("\"name\" compares nothing"));
    }
}
