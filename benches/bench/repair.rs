//! A service is removed by hand: how long until the engine has accepted its replacement.

use std::time::Instant;

use crate::engine::Eyes;
use crate::figures::{Figures, Reference, median, quantile};
use crate::fleet::{AGENTS, PREFIX, manifest};
use crate::harness::docker::Engine;
use crate::harness::operator::Operator;

/// Removals that are timed.
const RUNS: usize = 100;

/// Measures it on the running fleet, which it leaves running.
pub(crate) async fn measure(engine: &Engine, operator: &Operator, figures: &mut Figures) {
    let eyes = Eyes::on(engine);
    operator
        .apply(&manifest(), &["--wait", "--timeout", "180s"])
        .await
        .ok();
    let mut seconds = Vec::new();
    for turn in 0..RUNS {
        let services = eyes.services(PREFIX).await;
        let victim = &services[turn % AGENTS];
        let name = victim["Spec"]["Name"].as_str().unwrap();
        let start = Instant::now();
        eyes.remove_service(victim["ID"].as_str().unwrap()).await;
        seconds.push(eyes.until_there(name, start).await);
        operator
            .whoosh(&["wait", "team/fleet", "--for=condition=Ready", "--timeout=60s"])
            .await
            .ok();
    }
    let millis: Vec<f64> = seconds.iter().map(|seconds| seconds * 1e3).collect();
    report("removed by hand to replaced", &millis, figures);
}

/// How long it took, in milliseconds, until what was removed was there again.
pub(crate) fn report(label: &str, millis: &[f64], figures: &mut Figures) {
    figures.add(
        &format!("{label}, p50"),
        median(millis),
        Reference::None,
        "ms",
        millis.len(),
        "pollers: minutes",
    );
    figures.add(
        &format!("{label}, p99"),
        quantile(millis, 0.99),
        Reference::Target(100.0),
        "ms",
        millis.len(),
        "target",
    );
}
