//! A service's life takes the same course in a simulated and in a real engine: states, words and events.

use serde_json::{Value, json};
use whoosh::sim::Settings;

use super::likeness::Door;
use super::stage::Sim;
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::swarm::stage::{IMAGE, PATIENCE, load_image};

const NAME: &str = "life";
const SCRIPT: &str = "trap 'exit 0' TERM; while :; do read -r -t 5 <> <(:) || :; done";

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "Name": NAME,
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE, "Args": ["-c", SCRIPT], "Healthcheck": {"Test": ["NONE"]}},
            "RestartPolicy": {"Delay": 100_000_000},
        },
        "UpdateConfig": {"Parallelism": 1, "Monitor": 200_000_000},
        "EndpointSpec": {"Mode": "dnsrr"},
    });
    json_patch::merge(&mut spec, &more);
    spec
}

/// The course of one service's life at an engine.
struct Life<'a> {
    door: &'a Door,
    told: Vec<String>,
}

impl Life<'_> {
    async fn update(&self, spec: &Value) {
        let path = format!("/services/{NAME}/update?version=<services/{NAME}>");
        let answer = self.door.ask("POST", &path, spec).await;
        assert_eq!(answer.0, 200, "{answer:?}");
    }

    async fn tasks(&self) -> Vec<Value> {
        let path = format!("/tasks?filters={{\"name\":[\"{NAME}.\"]}}");
        let (_, tasks) = self.door.ask("GET", &path, &Value::Null).await;
        let mut tasks = tasks.as_array().cloned().unwrap_or_default();
        tasks.sort_by_key(|task| task["CreatedAt"].as_str().unwrap().to_owned());
        tasks
    }

    /// Waits until the tasks are these, oldest first; keeps what is said of them.
    async fn until(&mut self, expect: &[&str]) {
        let tasks = eventually(PATIENCE, &format!("{expect:?}"), async || {
            let tasks = self.tasks().await;
            let words = |task: &Value| {
                let word = |at: &str| {
                    task.pointer(at)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                format!("{} {}", word("/DesiredState"), word("/Status/State"))
            };
            let seen: Vec<String> = tasks.iter().map(words).collect();
            if seen == expect {
                Ok(tasks)
            } else {
                Err(format!("{tasks:?}"))
            }
        })
        .await;
        for task in tasks {
            let (status, slot) = (&task["Status"], &task["Slot"]);
            self.told.push(format!(
                "{slot} {} {} {} {}",
                status["State"], status["Message"], status["Err"], status["ContainerStatus"]["ExitCode"]
            ));
        }
    }

    async fn until_update(&mut self, expect: &str) {
        let path = format!("/services/{NAME}");
        let message = eventually(PATIENCE, expect, async || {
            let (_, service) = self.door.ask("GET", &path, &Value::Null).await;
            let update = service["UpdateStatus"].clone();
            if update["State"] == expect {
                Ok(update["Message"].clone())
            } else {
                Err(update)
            }
        })
        .await;
        let words: Vec<&str> = message
            .as_str()
            .unwrap()
            .split(' ')
            .filter(|word| word.len() < 25)
            .collect();
        self.told.push(words.join(" "));
    }
}

async fn live(door: &Door) -> Vec<String> {
    let mut life = Life {
        door,
        told: Vec::new(),
    };
    let begin = jiff::Timestamp::now();
    let answer = door.ask("POST", "/services/create", &spec(json!({}))).await;
    assert_eq!(answer.0, 201, "{answer:?}");
    let service = answer.1["ID"].as_str().unwrap().to_owned();
    life.until(&["running running"]).await;

    let container = life.tasks().await[0]["Status"]["ContainerStatus"]["ContainerID"].clone();
    let path = format!("/containers/{}/kill", container.as_str().unwrap());
    assert_eq!(door.ask("POST", &path, &Value::Null).await.0, 204);
    life.until(&["shutdown failed", "running running"]).await;

    life.update(&spec(json!({"Labels": {"a": "b"}}))).await;
    life.update(&spec(
        json!({"TaskTemplate": {"ContainerSpec": {"Env": ["A=1"]}}}),
    ))
    .await;
    life.until_update("completed").await;
    life.until(&["shutdown failed", "shutdown shutdown", "running running"])
        .await;

    assert_eq!(
        door.ask("DELETE", &format!("/services/{NAME}"), &Value::Null)
            .await
            .0,
        200
    );
    life.until(&[]).await;
    life.told.extend(events(door, &service, begin).await);
    life.told
}

/// What was told of the service since, and of its containers, each by itself; without their removal, for which
/// the real engine takes its time.
async fn events(door: &Door, service: &str, since: jiff::Timestamp) -> Vec<String> {
    let until = jiff::Timestamp::now().as_second() + 1;
    let path = format!(
        "/events?since={}.{:09}&until={until}&filters={{\"type\":[\"service\",\"container\"]}}",
        since.as_second(),
        since.subsec_nanosecond()
    );
    let (_, lines) = door.ask("GET", &path, &Value::Null).await;
    let events: Vec<Value> = lines
        .as_str()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut told = Vec::new();
    let mut containers: Vec<(String, Vec<String>)> = Vec::new();
    for event in events {
        let (id, attributes) = (
            event["Actor"]["ID"].as_str().unwrap(),
            &event["Actor"]["Attributes"],
        );
        let action = event["Action"].as_str().unwrap();
        if id == service {
            told.push(format!("{action} {attributes} {}", event["scope"]));
        }
        if attributes["com.docker.swarm.service.id"] == service && action != "destroy" {
            let line = format!("{action} {} {}", attributes["exitCode"], attributes["signal"]);
            match containers.iter_mut().find(|(known, _)| known == id) {
                Some((_, lines)) => lines.push(line),
                None => containers.push((id.to_owned(), vec![line])),
            }
        }
    }
    told.extend(containers.into_iter().map(|(_, lines)| lines.join(", ")));
    told
}

#[tokio::test]
async fn a_service_lives_as_at_the_engine() {
    let engine = Engine::shared().await;
    load_image(engine).await;
    let sim = Sim::start(Settings::default());
    let (real, ours) = (Door::new(engine.socket()), Door::new(sim.socket()));
    let (real, ours) = tokio::join!(live(&real), live(&ours));
    assert_eq!(ours, real, "left ours, right the engine's");
}
