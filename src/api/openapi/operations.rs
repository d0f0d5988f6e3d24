//! The paths of a group: an operation for each verb that discovery tells of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use serde_json::{Map, Value, json};

use super::failures;
use super::schemas::{self, reference};
use crate::api::discovery::Group;
use crate::resource::object::VERSION;

/// Every path of a group.
pub(super) fn paths(group: Group) -> Map<String, Value> {
    let mut paths = Map::new();
    for resource in group.resources() {
        for verb in &resource.verbs {
            let Some(operation) = Operation::of(group, &resource, verb) else {
                continue;
            };
            for path in operation.paths() {
                let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
                item[operation.method] = operation.describe(&path);
            }
        }
    }
    paths
}

/// What one verb does to one resource or subresource.
struct Operation<'a> {
    group: Group,
    resource: &'a APIResource,
    verb: &'a str,
    method: &'static str,
    /// Whether it is about one object.
    is_of_one: bool,
}

impl<'a> Operation<'a> {
    /// A watch is a list with a parameter.
    fn of(group: Group, resource: &'a APIResource, verb: &'a str) -> Option<Self> {
        let is_part = resource.name.contains('/');
        let (method, is_of_one) = match verb {
            "get" => ("get", true),
            "list" => ("get", false),
            "create" => ("post", is_part),
            "update" => ("put", true),
            "patch" => ("patch", true),
            "delete" => ("delete", true),
            "deletecollection" => ("delete", false),
            _ => return None,
        };
        Some(Self {
            group,
            resource,
            verb,
            method,
            is_of_one,
        })
    }

    fn paths(&self) -> Vec<String> {
        let root = self.group.path();
        let (plural, part) = self
            .resource
            .name
            .split_once('/')
            .unwrap_or((&self.resource.name, ""));
        let rest = match (self.is_of_one, part) {
            (false, _) => plural.to_owned(),
            (true, "") => format!("{plural}/{{name}}"),
            (true, part) => format!("{plural}/{{name}}/{part}"),
        };
        let namespaced = format!("/{root}/namespaces/{{namespace}}/{rest}");
        let all = format!("/{root}/{rest}");
        match (self.resource.namespaced, self.verb) {
            (false, _) => vec![all],
            (true, "list") => vec![all, namespaced],
            (true, _) => vec![namespaced],
        }
    }

    fn describe(&self, path: &str) -> Value {
        let kind = &self.resource.kind;
        let group = self.resource.group.as_deref().unwrap_or(self.group.name());
        let answer = match self.verb {
            "list" | "deletecollection" => schemas::name(self.group, &format!("{kind}List")),
            _ => schemas::name(self.group, kind),
        };
        let place = if path.contains("{namespace}") {
            "Namespaced"
        } else {
            ""
        };
        let mut operation = json!({
            "operationId": format!("{}{place}{}", self.verb, self.resource.name.replace('/', "-")),
            "parameters": self.parameters(path),
            "responses": {},
            "x-kubernetes-action": if self.verb == "update" { "put" } else { self.verb },
            "x-kubernetes-group-version-kind": {"group": group, "version": VERSION, "kind": kind},
        });
        let responses = &mut operation["responses"];
        let made = || content(&answer, "What was made.");
        match self.verb {
            "create" if !self.is_of_one => responses["201"] = made(),
            // With something that holds it up it is told as it is, else that it is gone.
            "delete" => responses["200"] = either(&answer, &schemas::status()),
            _ => responses["200"] = content(&answer, "What there is."),
        }
        // What is applied comes to be if it is not there.
        if self.verb == "patch" && !self.resource.name.contains('/') {
            responses["201"] = made();
        }
        for (code, failure) in failures::references(self.verb, self.is_of_one) {
            responses[code] = failure;
        }
        if let Some(body) = self.body() {
            operation["requestBody"] = body;
        }
        if self.resource.name.ends_with("/log") {
            operation["responses"]["200"] =
                json!({"description": "Lines.", "content": {"text/plain": {"schema": {"type": "string"}}}});
        }
        operation
    }

    fn body(&self) -> Option<Value> {
        let kind = schemas::name(self.group, &self.resource.kind);
        match self.verb {
            "create" | "update" => Some(body(&[("application/json", reference(&kind))], true)),
            "patch" => {
                let object = json!({"type": "object"});
                let mut forms = vec![
                    ("application/merge-patch+json", object.clone()),
                    (
                        "application/json-patch+json",
                        json!({"type": "array", "items": {"type": "object"}}),
                    ),
                ];
                if !self.resource.name.ends_with("/scale") {
                    forms.push(("application/apply-patch+yaml", object));
                }
                Some(body(&forms, true))
            }
            "delete" | "deletecollection" => Some(body(
                &[("application/json", reference(&schemas::delete_options()))],
                false,
            )),
            _ => None,
        }
    }

    fn parameters(&self, path: &str) -> Vec<Value> {
        let inside = ["namespace", "name"].into_iter();
        let mut all: Vec<Value> = inside
            .filter(|name| path.contains(&format!("{{{name}}}")))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let text = json!({"type": "string"});
        let flag = json!({"type": "boolean"});
        let number = json!({"type": "integer", "minimum": 0});
        let query: Vec<(&str, &Value)> = match self.verb {
            "list" => vec![
                ("labelSelector", &text),
                ("fieldSelector", &text),
                ("resourceVersion", &text),
                ("resourceVersionMatch", &text),
                ("limit", &number),
                ("continue", &text),
                ("watch", &flag),
                ("allowWatchBookmarks", &flag),
                ("sendInitialEvents", &flag),
                ("timeoutSeconds", &number),
            ],
            "get" if self.resource.name.ends_with("/history") => vec![("continue", &text)],
            "create" | "update" | "patch" => {
                let mut all = vec![
                    ("dryRun", &text),
                    ("fieldManager", &text),
                    ("fieldValidation", &text),
                ];
                if self.verb == "patch" {
                    all.push(("force", &flag));
                }
                all
            }
            "delete" => vec![("dryRun", &text), ("propagationPolicy", &text)],
            "deletecollection" => vec![
                ("dryRun", &text),
                ("propagationPolicy", &text),
                ("labelSelector", &text),
                ("fieldSelector", &text),
            ],
            _ => Vec::new(),
        };
        let named = |(name, schema): (&str, &Value)| json!({"name": name, "in": "query", "schema": schema});
        all.extend(query.into_iter().map(named));
        all
    }
}

/// A response in JSON.
pub(super) fn content(schema: &str, description: &str) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": reference(schema)}}})
}

fn either(one: &str, other: &str) -> Value {
    let schema = json!({"anyOf": [reference(one), reference(other)]});
    json!({"description": "What is left.", "content": {"application/json": {"schema": schema}}})
}

fn body(forms: &[(&str, Value)], required: bool) -> Value {
    let content: Map<String, Value> = forms
        .iter()
        .map(|(media, schema)| ((*media).to_owned(), json!({"schema": schema})))
        .collect();
    json!({"required": required, "content": content})
}
