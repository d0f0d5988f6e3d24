//! `make bench`: the figures, each beside its reference, measured in one run on a real Swarm of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a figure that cannot be measured ends the run"
)]

mod agent;
mod engine;
mod figures;
mod fleet;
#[path = "../../tests/it/harness/mod.rs"]
#[allow(
    dead_code,
    reason = "the harness serves the tests; the figures need a part of it"
)]
mod harness;
mod idle;
mod repair;

use figures::Figures;
use harness::docker::Engine;
use harness::operator::Operator;

#[tokio::main]
async fn main() {
    // `cargo bench` passes `--bench`, `cargo test --benches` does not: then there is nothing to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut figures = Figures::default();
    let engine = Engine::start().await;
    engine.load_agent_image().await;
    agent::measure(&engine, &mut figures).await;
    let operator = Operator::start_with(&engine, &[("WHOOSH_LOG", "info".to_owned())]).await;
    fleet::measure(&engine, &operator, &mut figures).await;
    repair::measure(&engine, &operator, &mut figures).await;
    idle::measure(&operator, &mut figures).await;
    figures.print();
}
