//! The simulated engine: served by a process of its own, so that what it costs is not taken for the operator's.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use reqwest::Client;
use serde_json::Value;
use tokio::sync::mpsc;
use whoosh::sim::faults::Class;
use whoosh::sim::{NodeSettings, Settings, Simulation};

use crate::harness::eventually::eventually;
use crate::harness::keeper::run;

/// The argument that makes this program serve a simulated engine.
pub(crate) const SERVE: &str = "simulated-engine";

/// Nodes, large enough for whatever is declared.
const NODES: usize = 20;

/// Serves a simulated engine on `socket`, and answers each line of the standard input with the number of requests
/// since the last one, until the input ends.
pub(crate) async fn serve(socket: &str) {
    let node = |number: usize| NodeSettings {
        hostname: format!("node-{number}"),
        nano_cpus: i64::MAX / 4,
        memory_bytes: i64::MAX / 4,
        ..NodeSettings::default()
    };
    let settings = Settings {
        nodes: (1..=NODES).map(node).collect(),
        ..Settings::default()
    };
    let simulation = Simulation::start(Path::new(socket), settings).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        for _line in std::io::stdin().lock().lines() {
            let seen = simulation.faults().seen();
            simulation.faults().reset();
            let requests = seen.iter().filter(|point| point.class != Class::Event).count();
            println!("{requests}");
            std::io::stdout().flush().unwrap();
        }
    });
    asked.await.unwrap();
}

/// The engine's process, and what it tells.
pub(crate) struct SimulatedEngine {
    socket: PathBuf,
    client: Client,
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    events: mpsc::UnboundedReceiver<ServiceEvent>,
}

/// That a service was made or changed.
struct ServiceEvent {
    at: Instant,
    action: String,
    name: String,
}

impl SimulatedEngine {
    pub(crate) async fn start() -> Self {
        let socket = run().room("simulation").join("docker.sock");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        run().entrust(process.id());
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let client = crate::harness::http()
            .unix_socket(socket.clone())
            .build()
            .unwrap();
        let events = eventually(
            super::stage::PATIENCE,
            "the simulated engine answers",
            async || follow(&client).await,
        )
        .await;
        Self {
            socket,
            client,
            process,
            orders,
            answers,
            events,
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Requests to it since this was asked last.
    pub(super) fn requests(&mut self) -> u64 {
        self.orders.write_all(b"\n").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Removes a service by name, as by hand.
    pub(super) async fn remove_service(&self, name: &str) {
        let url = format!("http://docker/v1.41/services/{name}");
        let answer = self.client.delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Forgets the events so far.
    pub(super) fn forget_events(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    /// When the engine did `action` to the service `name`.
    pub(super) async fn did(&mut self, action: &str, name: &str) -> Instant {
        let wait = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if event.action == action && event.name == name {
                    return event.at;
                }
            }
        };
        let waited = tokio::time::timeout(super::stage::PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("the engine does not {action} {name}"))
    }
}

impl Drop for SimulatedEngine {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

async fn follow(client: &Client) -> Result<mpsc::UnboundedReceiver<ServiceEvent>, reqwest::Error> {
    const SERVICES: &str = "http://docker/v1.41/events?filters=%7B%22type%22%3A%5B%22service%22%5D%7D";
    let mut answer = client.get(SERVICES).send().await?;
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = super::watcher::Lines::default();
        while let Ok(Some(chunk)) = answer.chunk().await {
            let at = Instant::now();
            for line in lines.push(&chunk) {
                let event: Value = serde_json::from_slice(&line).unwrap();
                let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
                let event = ServiceEvent {
                    at,
                    action: text("/Action"),
                    name: text("/Actor/Attributes/name"),
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}
