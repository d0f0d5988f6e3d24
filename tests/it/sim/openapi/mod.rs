//! What the Docker Engine API's documents say of requests and answers.
//!
//! `v1.41.yaml` is what the simulation speaks, `v1.51.yaml` the newest that a client may meet.

mod documented;
mod recorder;
mod schema;

use std::collections::BTreeMap;

use serde_json::Value;

use self::schema::Schemas;
use super::door::Exchange;

/// One version's document.
pub(super) struct Document {
    paths: BTreeMap<String, Value>,
    schemas: Schemas,
}

impl Document {
    pub(super) fn v1_41() -> Self {
        Self::read(include_str!("v1.41.yaml"))
    }

    pub(super) fn v1_51() -> Self {
        Self::read(include_str!("v1.51.yaml"))
    }

    fn read(text: &str) -> Self {
        let document: Value = serde_yaml::from_str(text).unwrap();
        Self {
            paths: serde_json::from_value(document["paths"].clone()).unwrap(),
            schemas: Schemas::new(document["definitions"].clone()),
        }
    }

    /// What is wrong with a request: each begins with its method and path.
    pub(super) fn faults_of_request(&self, exchange: &Exchange) -> Vec<String> {
        let (name, operation) = match self.operation(exchange) {
            Ok(found) => found,
            Err(fault) => return vec![fault],
        };
        let parameters = operation["parameters"].as_array().unwrap();
        let mut faults = self.faults_of_query(exchange, parameters);
        let body = parameters.iter().find(|parameter| parameter["in"] == "body");
        match (body, &exchange.body) {
            (None, Value::Null) => {}
            (None, _) => faults.push("a body that nobody reads".to_owned()),
            (Some(parameter), Value::Null) if parameter["required"] == true => {
                faults.push("without its body".to_owned());
            }
            (Some(_), Value::Null) => {}
            (Some(parameter), body) => faults.extend(self.schemas.faults(&parameter["schema"], body)),
        }
        faults.iter().map(|fault| format!("{name} {fault}")).collect()
    }

    fn faults_of_query(&self, exchange: &Exchange, parameters: &[Value]) -> Vec<String> {
        let query = exchange.path.split_once('?').map_or("", |(_, query)| query);
        let given: BTreeMap<&str, &str> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let known: BTreeMap<&str, &Value> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| (parameter["name"].as_str().unwrap(), parameter))
            .collect();
        let mut faults = Vec::new();
        for (name, value) in &given {
            match known.get(name) {
                None => faults.push(format!("?{name}: is unknown")),
                Some(parameter) => faults.extend(fault_of_parameter(name, value, parameter)),
            }
        }
        for (name, parameter) in known {
            if parameter["required"] == true && !given.contains_key(name) {
                faults.push(format!("?{name}: is missing"));
            }
        }
        faults
    }

    /// What is wrong with an answer: each begins with its method, path and status.
    pub(super) fn faults_of_answer(&self, exchange: &Exchange) -> Vec<String> {
        let (name, operation) = match self.operation(exchange) {
            Ok(found) => found,
            Err(fault) => return vec![fault],
        };
        let name = format!("{name} {}", exchange.status);
        let Some(response) = operation["responses"].get(exchange.status.to_string()) else {
            return vec![format!("{name}: is no status of it")];
        };
        match response.get("schema") {
            Some(schema) => {
                let faults = match &exchange.answer {
                    // A stream has one object a line, and one that is over may have none.
                    Value::String(lines) if path_of(exchange) == "/events" => lines
                        .lines()
                        .flat_map(|line| self.schemas.faults(schema, &serde_json::from_str(line).unwrap()))
                        .collect(),
                    answer => self.schemas.faults(schema, answer),
                };
                faults.iter().map(|fault| format!("{name} {fault}")).collect()
            }
            None if exchange.answer == "" || exchange.answer == "OK\n" => Vec::new(),
            None => vec![format!("{name}: has content")],
        }
    }

    /// What a request asks for, by the document's name: `GET /services/{id}`.
    fn operation(&self, exchange: &Exchange) -> Result<(String, &Value), String> {
        let path = path_of(exchange);
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &&String| {
            let wanted: Vec<&str> = pattern.split('/').collect();
            wanted.len() == parts.len()
                && wanted
                    .iter()
                    .zip(&parts)
                    .all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
        };
        // `/services/create` fits `/services/{id}`, too.
        let exact = self
            .paths
            .keys()
            .filter(fits)
            .min_by_key(|pattern| pattern.contains('{'));
        let pattern = exact.ok_or_else(|| format!("{} {path}: is no path", exchange.method))?;
        let operation = self.paths[pattern].get(exchange.method.to_lowercase());
        let name = format!("{} {pattern}", exchange.method);
        match operation {
            Some(operation) => Ok((name, operation)),
            None => Err(format!("{name}: is no method of it")),
        }
    }
}

fn path_of(exchange: &Exchange) -> &str {
    exchange.path.split('?').next().unwrap_or_default()
}

fn fault_of_parameter(name: &str, value: &str, parameter: &Value) -> Option<String> {
    let fits = match parameter["type"].as_str().unwrap_or_default() {
        "integer" => value.parse::<u64>().is_ok(),
        "boolean" => ["true", "false", "1", "0"].contains(&value),
        _ => true,
    };
    let listed = parameter["enum"].as_array();
    let is_listed = listed.is_none_or(|listed| listed.iter().any(|known| known == value));
    (!fits || !is_listed).then(|| format!("?{name}: cannot be {value:?}"))
}
