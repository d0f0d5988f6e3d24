//! `make bench`: the figures, each beside its reference, measured in one run: on a real Swarm of its own, and, for its size and
//! for Git, on simulated ones.
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
mod gitops;
#[path = "../../tests/it/harness/mod.rs"]
#[allow(
    dead_code,
    reason = "the harness serves the tests; the figures need a part of it"
)]
mod harness;
mod idle;
mod pending;
mod repair;
mod scale;
mod watchers;

use std::path::Path;
use std::process::ExitCode;

use figures::Figures;
use harness::docker::Engine;
use harness::operator::Operator;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, socket] = arguments.as_slice()
        && mode == scale::SERVE
    {
        scale::serve(socket).await;
        return ExitCode::SUCCESS;
    }
    // `cargo bench` passes `--bench`, `cargo test --benches` does not: then there is nothing to measure.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let sizes = scale::sizes();
    let has = |part: &str| arguments.iter().any(|argument| argument == part);
    let is_all = !["real", "pending", "watchers", "gitops", "scale"]
        .into_iter()
        .any(has);
    let mut figures = Figures::default();
    if is_all || has("real") {
        measure_real(&mut figures).await;
    }
    if is_all || has("real") || has("pending") {
        pending::measure(&Engine::start().await, &mut figures).await;
    }
    if is_all || has("watchers") {
        watchers::measure(&mut figures).await;
    }
    if is_all || has("gitops") {
        gitops::measure(&mut figures).await;
    }
    let sizes = if is_all || has("scale") { sizes } else { Vec::new() };
    let table = scale::measure(&sizes).await;
    figures.print();
    table.print();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.jsonl");
    std::fs::write(&file, figures.json() + &table.json()).unwrap();
    println!("\nwritten to target/bench.jsonl");
    let over: Vec<&str> = figures.over().chain(table.over()).collect();
    if over.is_empty() {
        println!("every figure is within its limit");
        ExitCode::SUCCESS
    } else {
        println!("OVER THEIR LIMITS: {}", over.join("; "));
        ExitCode::FAILURE
    }
}

async fn measure_real(figures: &mut Figures) {
    let engine = Engine::start().await;
    engine.load_agent_image().await;
    agent::measure(&engine, figures).await;
    let operator = Operator::start_with(&engine, &[("WHOOSH_LOG", "info".to_owned())]).await;
    fleet::measure(&engine, &operator, figures).await;
    repair::measure(&engine, &operator, figures).await;
    idle::measure(&operator, figures).await;
}
