//! The simulation's answers, the engine's own, and WHOOSH's requests are as the engine's documents say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::TryStreamExt;
use serde::Deserialize;
use whoosh::plan::Action;
use whoosh::sim::Settings;
use whoosh::swarm::{LogOptions, SecretsDir};

use super::Document;
use super::recorder::{Recorder, goes_on};
use crate::harness::docker::Engine;
use crate::sim::door::Exchange;
use crate::sim::honesty;
use crate::sim::pattern::fits;
use crate::sim::stage::Sim;
use crate::swarm::services::write_and_read_back;
use crate::swarm::stage::{Stage, TUNING, load_image};

/// A fault that the engine has, too: its document is wrong, or says less than it does. `*` stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    fault: String,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    answers: Vec<Accepted>,
    requests: Vec<Accepted>,
}

impl Exceptions {
    fn read() -> Self {
        serde_yaml::from_str(include_str!("accepted.yaml")).unwrap()
    }
}

/// Refuses faults that nobody accepted, and exceptions that nothing needs any longer.
fn judge(faults: &BTreeSet<String>, accepted: &[Accepted]) {
    refuse_new(faults, accepted);
    let idle: Vec<String> = accepted
        .iter()
        .filter(|exception| !faults.iter().any(|fault| fits(&exception.fault, fault)))
        .map(|Accepted { fault, why }| format!("{fault}: {why}"))
        .collect();
    assert!(
        idle.is_empty(),
        "{} exceptions that nothing needs:\n{}",
        idle.len(),
        idle.join("\n")
    );
}

/// Refuses faults that nobody accepted.
fn refuse_new(faults: &BTreeSet<String>, accepted: &[Accepted]) {
    let new: Vec<&str> = faults
        .iter()
        .map(String::as_str)
        .filter(|fault| !accepted.iter().any(|exception| fits(&exception.fault, fault)))
        .collect();
    assert!(new.is_empty(), "{} faults:\n{}", new.len(), new.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulations_answers_are_as_documented() {
    let document = Document::v1_41();
    let mut faults = BTreeSet::new();
    for exchange in honesty::simulated_exchanges().await {
        faults.extend(document.faults_of_answer(&exchange));
    }
    judge(&faults, &Exceptions::read().answers);
}

#[tokio::test]
async fn our_requests_are_as_documented_for_old_and_new_engines() {
    let sim = Sim::start(Settings::default());
    let requests = Box::pin(our_exchanges(sim.socket())).await;
    for expect in [
        "POST /services/create",
        "POST /secrets/create",
        "GET /events",
        "GET /tasks",
        "DELETE /networks/",
    ] {
        let is_there =
            |exchange: &Exchange| format!("{} {}", exchange.method, exchange.path).starts_with(expect);
        assert!(requests.iter().any(is_there), "nothing was said of {expect}");
    }
    for document in [Document::v1_41(), Document::v1_51()] {
        let faults = requests
            .iter()
            .flat_map(|request| document.faults_of_request(request));
        judge(&faults.collect(), &Exceptions::read().requests);
    }
}

/// The document, by which the simulation is judged, is right about the engine, too, but for what is accepted.
#[tokio::test]
async fn the_engines_answers_to_us_are_as_documented() {
    let engine = Engine::start().await;
    load_image(&engine).await;
    let exchanges = Box::pin(our_exchanges(engine.socket())).await;
    let document = Document::v1_41();
    let answers = exchanges.iter().filter(|exchange| !goes_on(exchange));
    let faults = answers.flat_map(|exchange| document.faults_of_answer(exchange));
    refuse_new(&faults.collect(), &Exceptions::read().answers);
}

/// What WHOOSH's client says to an engine, and hears, in the life of an owner with all that it can have.
async fn our_exchanges(engine: PathBuf) -> Vec<Exchange> {
    let recorder = Recorder::start(engine);
    let host = recorder.host();
    // On the heap: a test has a small stack.
    Box::pin(write_and_read_back(&host)).await;
    let stage = Stage::new(&host, TUNING, SecretsDir::default()).await;
    stage.swarm.require_manager().await.unwrap();
    stage.swarm.version().await.unwrap();
    stage.create_network().await;
    stage.create(stage.spec(1)).await.unwrap();
    stage.until_running().await;
    // Managers make it a moment after the Swarm.
    assert!(stage.swarm.gateway().await.is_some());
    let service = stage.service(&stage.spec(1).name).await;
    let options = LogOptions {
        follow: false,
        tail: Some(5),
        since: 1,
        timestamps: true,
    };
    let lines: Vec<_> = stage
        .swarm
        .logs(&service.id, &options)
        .try_collect()
        .await
        .unwrap();
    assert_ne!(lines, []);
    let release = Action::ReleaseService {
        id: service.id,
        version: service.version,
        name: service.spec.name,
        uid: stage.uid().to_owned(),
    };
    stage.act(&release).await.unwrap();
    recorder.seen()
}
