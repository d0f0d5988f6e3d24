//! The status tells what became of the actions of the very turn that wrote it.

use whoosh::resource::kinds::WorkloadStatus;
use whoosh::resource::{Key, Kind};
use whoosh::sim::Settings;
use whoosh::sim::faults::{Class, Fault, Point};
use whoosh::store::Store;

use super::stage::Sim;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

const TEAM: &str = "apiVersion: chorus.services/v1
kind: Team
metadata: {name: once}
spec: {defaults: {image: agent:1}, roles: [{name: worker}]}
";

#[tokio::test]
async fn what_fails_once_is_told_although_the_next_turn_has_it_done() {
    let sim = Sim::start(Settings::default());
    let create = Point {
        class: Class::Call,
        signature: "create service team_default_once_worker_1".to_owned(),
        occurrence: 1,
    };
    let failure = Fault::Answer {
        status: 500,
        text: "the disk is full".to_owned(),
    };
    sim.simulation.faults().play([(create, failure)]);
    let database = database().await;
    let operator = Operator::start_on(&sim.socket(), &database, &[]).await;
    let patiently = ["--wait", "--timeout", "60s"];
    operator.apply(TEAM, &patiently).await.ok();

    let store = Store::connect(&database.url).await.unwrap();
    let history = store.history(&Key::new(Kind::Team, "default", "once")).await;
    let told: Vec<WorkloadStatus> = history
        .unwrap()
        .into_iter()
        .filter_map(|entry| serde_json::from_value(entry.object.status?).ok())
        .collect();
    let of_failure = told
        .iter()
        .filter(|status| status.message.contains("the disk is full"));
    assert_eq!(of_failure.count(), 1, "{told:#?}");
}
