//! What an engine tells by itself while a script is played: its events, by the object that they are of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::plain::{Fields, Names};
use crate::harness::eventually::eventually;
use crate::sim::door::Door;
use crate::swarm::stage::PATIENCE;

/// Follows an engine's events.
pub(super) struct Listener {
    events: Arc<Mutex<Vec<Value>>>,
    follower: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Listener {
    pub(super) async fn start(door: &Door) -> Self {
        let now = Timestamp::now();
        let path = format!("/events?since={}.{:09}", now.as_second(), now.subsec_nanosecond());
        let mut stream = door.send("GET", &path, &Value::Null).await;
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let follower = tokio::spawn(async move {
            let mut rest = Vec::new();
            while let Ok(Some(piece)) = stream.chunk().await {
                rest.extend(piece);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    heard.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
                }
            }
        });
        Self { events, follower }
    }

    /// All that was told until now, which is when a config that is made and removed has been told of.
    pub(super) async fn until_now(&self, door: &Door, script: &str) -> Vec<Value> {
        let marker = format!("end-of-{script}");
        let (status, made) = door
            .ask(
                "POST",
                "/configs/create",
                &json!({"Name": marker, "Data": "Zm9v"}),
            )
            .await;
        assert_eq!(status, 201, "{made}");
        door.ask("DELETE", &format!("/configs/{marker}"), &Value::Null)
            .await;
        let is_end = |event: &Value| {
            event["Action"] == "remove" && event["Actor"]["Attributes"]["name"] == marker.as_str()
        };
        eventually(PATIENCE, "the last event", async || {
            let events = self.events.lock().unwrap().clone();
            if events.iter().any(is_end) {
                Ok(events)
            } else {
                Err(format!("{events:?}"))
            }
        })
        .await
    }
}

/// The events since a time that fit filters, as an engine still knows them: kind, action and name of each.
pub(super) async fn past(door: &Door, since: Timestamp, filters: &Value) -> Vec<String> {
    let until = Timestamp::now();
    let time = |at: Timestamp| format!("{}.{:09}", at.as_second(), at.subsec_nanosecond());
    let path = format!(
        "/events?since={}&until={}&filters={filters}",
        time(since),
        time(until)
    );
    let (_, text) = door.ask("GET", &path, &Value::Null).await;
    let line = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let name = &event["Actor"]["Attributes"]["name"];
        format!("{} {} {name}", event["Type"], event["Action"])
    };
    match &text {
        Value::String(lines) => lines.lines().map(line).collect(),
        only => vec![line(&only.to_string())],
    }
}

/// The events of a script's objects, by object; containers by what became of them, since the engine chooses
/// freely which slot comes first.
pub(super) fn by_object(events: &[Value], names: &Names, script: &str) -> BTreeMap<String, Fields> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut containers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for event in events {
        let (kind, id) = (
            event["Type"].as_str().unwrap(),
            event["Actor"]["ID"].as_str().unwrap(),
        );
        let text = |key: &str| event["Actor"]["Attributes"][key].as_str().unwrap_or_default();
        let lines = match kind {
            "container" if text("com.docker.swarm.service.name").starts_with(script) => {
                containers.entry(id).or_default()
            }
            "network" if containers.contains_key(text("container")) => {
                containers.get_mut(text("container")).unwrap()
            }
            "node" if script.starts_with("node") => told.entry(format!("node {}", text("name"))).or_default(),
            "service" | "network" | "secret" | "config" if text("name").starts_with(script) => {
                // What the managers and what the engine do with a network has no order.
                let scope = event["scope"].as_str().unwrap();
                told.entry(format!("{kind} {} ({scope})", text("name")))
                    .or_default()
            }
            _ => continue,
        };
        let line = names.plain(&comparable(event).to_string());
        // A health check goes on and on.
        if !(line.contains("exec_") && lines.contains(&line)) {
            lines.push(line);
        }
    }
    let mut containers: Vec<Vec<String>> = containers.into_values().collect();
    containers.sort();
    let numbered = containers.into_iter().enumerate();
    told.extend(numbered.map(|(number, lines)| (format!("container {number}"), lines)));
    let fields = |lines: Vec<String>| -> Fields {
        let lines = lines.into_iter().enumerate();
        lines
            .map(|(number, line)| (format!("{number:02}"), line))
            .collect()
    };
    told.into_iter()
        .map(|(object, lines)| (format!("events of {object}"), fields(lines)))
        .collect()
}

/// An event without its time, and without the one task that it is of.
fn comparable(event: &Value) -> Value {
    let mut event = event.clone();
    for time in ["time", "timeNano"] {
        event[time] = json!(0);
    }
    let attributes = event["Actor"]["Attributes"].as_object_mut().unwrap();
    attributes.remove("execID");
    attributes.sort_keys();
    let task = attributes.get("com.docker.swarm.task.name").cloned();
    let id = attributes
        .get("com.docker.swarm.task.id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if let (Some(Value::String(task)), Some(id)) = (task, id)
        && task.ends_with(&id)
        && attributes["name"] == task.as_str()
    {
        for of_task in ["name", "com.docker.swarm.task.name", "com.docker.swarm.task.id"] {
            attributes.insert(of_task.to_owned(), json!("<its task>"));
        }
    }
    event
}
