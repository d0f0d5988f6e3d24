//! The fleet of 34 agents: from `whoosh apply`, and from `docker stack deploy` of the same 34 services.

use std::time::Instant;

use crate::engine::Eyes;
use crate::figures::{Figures, Reference, median};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::keeper::run;
use crate::harness::operator::Operator;

/// The fleet that the example declares.
pub(crate) const AGENTS: usize = 34;
/// The names of its services start so.
pub(crate) const PREFIX: &str = "team_default_fleet_";
/// The stack's services start so.
const STACK: &str = "stack_";
/// Runs of each side, taken in turns.
const RUNS: usize = 5;

/// Measures both sides in turns.
pub(crate) async fn measure(engine: &Engine, operator: &Operator, figures: &mut Figures) {
    let eyes = Eyes::on(engine);
    let fleet = manifest();
    let compose = run().room("bench").join("compose.yaml");
    std::fs::create_dir_all(compose.parent().unwrap()).unwrap();
    let (mut accepted, mut running) = (Vec::new(), Vec::new());
    let (mut stack_accepted, mut stack_running) = (Vec::new(), Vec::new());
    for round in 0..RUNS {
        let start = Instant::now();
        let (printed, seconds) = tokio::join!(
            operator.apply(&fleet, &[]),
            eyes.until_accepted(PREFIX, AGENTS, start)
        );
        printed.ok();
        accepted.push(seconds);
        running.push(eyes.until_running(PREFIX, AGENTS, start).await);
        if round == 0 {
            std::fs::write(&compose, stack(&eyes.services(PREFIX).await)).unwrap();
        }
        operator
            .whoosh(&["delete", "team", "fleet", "--timeout", "180s"])
            .await
            .ok();
        eyes.until_nothing(PREFIX).await;

        let file = compose.display().to_string();
        let start = Instant::now();
        let deploy = [
            "stack",
            "deploy",
            "--resolve-image",
            "never",
            "-c",
            &file,
            "stack",
        ];
        let (_, seconds) = tokio::join!(engine.docker(&deploy), eyes.until_accepted(STACK, AGENTS, start));
        stack_accepted.push(seconds);
        stack_running.push(eyes.until_running(STACK, AGENTS, start).await);
        engine.docker(&["stack", "rm", "stack"]).await;
        eyes.until_nothing(STACK).await;
    }
    let beside = "docker stack deploy of the same 34 services";
    let (ours, theirs) = (median(&accepted), Reference::Peer(median(&stack_accepted)));
    figures.add(
        "apply to all 34 services accepted",
        ours,
        theirs,
        "s",
        RUNS,
        beside,
    );
    let (ours, theirs) = (median(&running), Reference::Peer(median(&stack_running)));
    figures.add("apply to all 34 agents running", ours, theirs, "s", RUNS, beside);
}

/// The example fleet, with the image of this build.
pub(crate) fn manifest() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/fleet.yaml");
    std::fs::read_to_string(file)
        .unwrap()
        .replace("chorus-agent:dev", AGENT_IMAGE)
}

/// A stack of the very services that WHOOSH made: same image, environment, resources, health check, endpoint.
fn stack(services: &[serde_json::Value]) -> String {
    let mut text =
        "version: '3.8'\nnetworks: {net: {driver: overlay, attachable: true}}\nservices:\n".to_owned();
    for (number, service) in services.iter().enumerate() {
        let task = &service["Spec"]["TaskTemplate"];
        let container = &task["ContainerSpec"];
        let nanos =
            |part: &str| task["Resources"][part]["NanoCPUs"].as_i64().unwrap_or_default() as f64 / 1e9;
        let bytes = |part: &str| {
            task["Resources"][part]["MemoryBytes"]
                .as_i64()
                .unwrap_or_default()
        };
        text += &format!(
            "  agent{number}:
    image: {image}
    environment: {environment}
    read_only: true
    healthcheck: {{disable: true}}
    networks: [net]
    deploy:
      endpoint_mode: dnsrr
      restart_policy: {{condition: any, delay: 2s}}
      update_config: {{order: stop-first, failure_action: pause}}
      resources:
        limits: {{cpus: '{limit}', memory: '{limit_bytes}'}}
        reservations: {{cpus: '{reserved}', memory: '{reserved_bytes}'}}
",
            image = container["Image"],
            environment = container["Env"],
            limit = nanos("Limits"),
            limit_bytes = bytes("Limits"),
            reserved = nanos("Reservations"),
            reserved_bytes = bytes("Reservations"),
        );
    }
    text
}
