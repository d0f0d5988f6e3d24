//! Plays a script at one engine, and records what can be seen of it.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::differences::Record;
use super::machines::Machines;
use super::plain::{Fields, Names, age};
use super::script::{Script, Step, service};
use super::told::{Listener, by_object, past};
use crate::harness::eventually::eventually;
use crate::sim::door::Door;
use crate::swarm::stage::PATIENCE;

/// One script at one engine.
pub(super) struct Play<'a> {
    door: &'a Door,
    machines: Machines<'a>,
    script: &'a Script,
    began: Timestamp,
    names: Names,
    records: Vec<Record>,
    /// The version that the last such step saw.
    version: Option<u64>,
}

/// Plays a script from its first step to the last event; what was seen, until its end or until a step failed.
pub(super) async fn play(door: &Door, machines: Machines<'_>, script: &Script) -> Vec<Record> {
    let mut play = Play {
        door,
        machines,
        script,
        began: Timestamp::now(),
        names: Names::default(),
        records: Vec::new(),
        version: None,
    };
    let listener = Listener::start(door).await;
    play.names.learn("nodes", &door.get("/nodes").await);
    let end = AssertUnwindSafe(play.steps()).catch_unwind().await;
    if let Err(panic) = end {
        let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        // Under the engine's own name, so that it differs even when both fail alike.
        let engine = if play.machines.simulation().is_some() {
            "simulation"
        } else {
            "real engine"
        };
        let fields = Fields::from([(engine.to_owned(), play.names.plain(&why))]);
        play.record("a step failed", fields);
    }
    play.clear().await;
    let events = listener.until_now(door, &script.name).await;
    events.iter().for_each(|event| door.note("/events", event));
    for (object, fields) in by_object(&events, &play.names, &script.name) {
        play.records.push(Record { step: object, fields });
    }
    play.records
}

impl Play<'_> {
    async fn steps(&mut self) {
        for step in &self.script.steps {
            self.step(step).await;
        }
    }

    async fn step(&mut self, step: &Step) {
        let Step { line, argument } = step;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "GET" | "POST" | "DELETE" => {
                let answer = self.ask(verb, rest, argument).await;
                self.record_answer(line, rest, &answer);
            }
            "create" => {
                let answer = self
                    .ask("POST", "/services/create", &service(rest, argument))
                    .await;
                self.names.name(
                    answer.1["ID"].as_str().unwrap_or_default(),
                    &format!("services/{rest}"),
                );
                self.record_answer(line, "/", &answer);
            }
            "update" => {
                let path = format!("services/{rest}");
                let answer = self.update(&path, &service(rest, argument)).await;
                self.record_answer(line, "/", &answer);
            }
            "node" => {
                let role = rest.split('-').next();
                let spec = json!({"Role": role, "Availability": argument});
                let answer = self.update(&format!("nodes/{rest}"), &spec).await;
                self.record_answer(line, "/", &answer);
            }
            "remove" => {
                let answer = self
                    .ask("DELETE", &format!("/services/{rest}"), &Value::Null)
                    .await;
                self.record_answer(line, "/", &answer);
                self.until_no_tasks(rest).await;
            }
            "tasks" => {
                let tasks = self.until_tasks(rest, argument).await;
                self.record_answer(line, "/tasks", &(200, tasks));
            }
            "until" => {
                let answer = self.until(rest, argument).await;
                self.record_answer(line, rest, &(200, answer));
            }
            "wait" => {
                self.until(rest, argument).await;
            }
            "events" => {
                let events = past(self.door, self.began, argument).await;
                let lines = events.iter().enumerate();
                let fields = lines.map(|(number, line)| (format!("{number:02}"), self.names.plain(line)));
                self.record(line, fields.collect());
            }
            "kill" => {
                let container = self.running_container(rest).await;
                let signal = argument.as_str().unwrap();
                let path = format!("/containers/{container}/kill?signal={signal}");
                let answer = self.ask("POST", &path, &Value::Null).await;
                self.record_answer(line, "/", &answer);
            }
            "version" => {
                let seen = self.door.get(&format!("/{rest}")).await["Version"]["Index"]
                    .as_u64()
                    .unwrap();
                let grown = self.version.map_or(0, |before| seen - before);
                self.version = Some(seen);
                self.record(line, Fields::from([("grown by".to_owned(), grown.to_string())]));
            }
            "simulated" => {
                if let Some(simulation) = self.machines.simulation() {
                    assert_eq!(argument, "unhealthy");
                    simulation.set_healthy(rest, false);
                }
            }
            "power-off" => self.machines.power_off(rest),
            "power-on" => self.machines.power_on(rest).await,
            other => panic!("{}: no script can {other}", self.script.name),
        }
    }

    fn record(&mut self, step: &str, fields: Fields) {
        let (number, step) = (self.records.len() + 1, step.to_owned());
        self.records.push(Record {
            step: format!("{number}. {step}"),
            fields,
        });
    }

    fn record_answer(&mut self, step: &str, path: &str, (status, answer): &(u16, Value)) {
        let kind = path.split(['/', '?']).nth(1).unwrap_or_default();
        self.names.learn(kind, answer);
        let mut fields = self.names.fields(answer);
        fields.insert("status".to_owned(), status.to_string());
        self.record(step, fields);
    }

    /// Asks, with what stands in brackets filled in.
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = self.filled_in(path).await;
        let body = serde_json::from_str(&self.filled_in(&body.to_string()).await).unwrap();
        let answer = self.door.ask(method, &path, &body).await;
        if let (Some(kind), Some(name)) = (path.strip_suffix("/create"), body["Name"].as_str()) {
            let id = answer.1["ID"].as_str().or(answer.1["Id"].as_str());
            self.names.name(
                id.unwrap_or_default(),
                &format!("{}/{name}", kind.trim_start_matches('/')),
            );
        }
        answer
    }

    async fn filled_in(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let (what, behind) = after.split_once(')').unwrap();
            let (word, name) = what.split_once(' ').unwrap();
            out.push_str(before);
            out.push_str(&match word {
                "version" => self.door.get(&format!("/{name}")).await["Version"]["Index"].to_string(),
                "id" => {
                    let found = self.door.get(&format!("/{name}")).await;
                    let id = found["ID"].as_str().or(found["Id"].as_str());
                    id.unwrap_or_else(|| panic!("{name} has no id: {found}"))
                        .to_owned()
                }
                "bytes" => base64_zeros(name.parse().unwrap()),
                other => panic!("nothing to put in for {other}"),
            });
            rest = behind;
        }
        out + rest
    }

    /// Changes a service or a node; again when the engine itself was faster.
    async fn update(&mut self, object: &str, spec: &Value) -> (u16, Value) {
        let path = format!("/{object}/update?version=$(version {object})");
        for _ in 0..50 {
            let answer = self.ask("POST", &path, spec).await;
            if !answer.1.to_string().contains("out of sequence") {
                return answer;
            }
        }
        panic!("the engine is always faster: {path}");
    }

    async fn tasks(&self, service: &str) -> Vec<Value> {
        let path = format!("/tasks?filters={{\"name\":[\"{service}.\"]}}");
        let mut tasks = self.door.get(&path).await.as_array().cloned().unwrap_or_default();
        tasks.sort_by_key(age);
        tasks
    }

    async fn until_tasks(&self, service: &str, expect: &Value) -> Value {
        eventually(PATIENCE, &format!("tasks of {service}: {expect}"), async || {
            let tasks = self.tasks(service).await;
            let words = |task: &Value| {
                let word = |at: &str| task.pointer(at).and_then(Value::as_str).unwrap_or_default();
                let slot = task["Slot"].as_u64().unwrap_or_default();
                json!(format!(
                    "{slot} {} {}",
                    word("/DesiredState"),
                    word("/Status/State")
                ))
            };
            let seen: Value = tasks.iter().map(words).collect();
            if seen == *expect {
                Ok(Value::Array(tasks))
            } else {
                Err(format!("{seen}"))
            }
        })
        .await
    }

    async fn until_no_tasks(&self, service: &str) {
        self.until_tasks(service, &json!([])).await;
    }

    async fn until(&self, path: &str, expect: &Value) -> Value {
        let what = format!("{path}: {expect}");
        eventually(PATIENCE, &what, async || {
            let answer = self.door.get(path).await;
            let is_so = |(at, value): (&String, &Value)| answer.pointer(at).unwrap_or(&Value::Null) == value;
            if expect.as_object().unwrap().iter().all(is_so) {
                Ok(answer)
            } else {
                Err(answer)
            }
        })
        .await
    }

    /// The container of the task that runs in `service.slot`.
    async fn running_container(&self, place: &str) -> String {
        let (service, slot) = place.split_once('.').unwrap();
        eventually(PATIENCE, &format!("{place} runs"), async || {
            let tasks = self.tasks(service).await;
            let runs = |task: &&Value| {
                let state = (&task["DesiredState"], &task["Status"]["State"]);
                state == (&json!("running"), &json!("running"))
                    && task["Slot"].as_u64().unwrap_or_default().to_string() == slot
            };
            let id = |task: &Value| {
                task["Status"]["ContainerStatus"]["ContainerID"]
                    .as_str()
                    .map(str::to_owned)
            };
            tasks
                .iter()
                .find(runs)
                .and_then(id)
                .ok_or_else(|| format!("{tasks:?}"))
        })
        .await
    }

    /// Removes what the script left, and waits until its containers are gone, too.
    async fn clear(&self) {
        let script = &self.script.name;
        let named = |item: &Value| {
            let at = ["/Spec/Name", "/Name", "/Names/0"];
            let name = at
                .into_iter()
                .find_map(|at| item.pointer(at)?.as_str())
                .unwrap_or_default();
            let name = name.trim_start_matches('/');
            name.starts_with(script.as_str()).then(|| name.to_owned())
        };
        let left = async |kind: &str| -> Vec<String> {
            let list = self.door.get(kind).await;
            list.as_array().into_iter().flatten().filter_map(named).collect()
        };
        for kind in [
            "/services",
            "/containers/json?all=1",
            "/networks",
            "/secrets",
            "/configs",
        ] {
            eventually(PATIENCE, &format!("{script} leaves no {kind}"), async || {
                let names = left(kind).await;
                if kind != "/containers/json?all=1" {
                    for name in &names {
                        self.door
                            .ask("DELETE", &format!("{kind}/{name}"), &Value::Null)
                            .await;
                    }
                }
                if names.is_empty() {
                    Ok(())
                } else {
                    Err(names.join(" "))
                }
            })
            .await;
        }
    }
}

/// Base64 of so many zeros.
fn base64_zeros(count: usize) -> String {
    let padding = (3 - count % 3) % 3;
    let mut text = "A".repeat(count.div_ceil(3) * 4);
    text.truncate(text.len() - padding);
    text + &"=".repeat(padding)
}
