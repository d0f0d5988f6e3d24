//! What one agent costs: its image, and its memory while idle.

use std::process::Command;
use std::time::Duration;

use crate::figures::{Figures, Reference};
use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::eventually::eventually;
use crate::harness::keeper::run;
use crate::harness::process::Process;
use crate::idle::resident_mebibytes;

/// Where the measured agent answers.
const PORT: u16 = 18_080;

/// Measures the image of this build and an agent of it.
pub(crate) async fn measure(engine: &Engine, figures: &mut Figures) {
    let bytes = engine
        .docker(&["image", "inspect", "--format", "{{.Size}}", AGENT_IMAGE])
        .await;
    let megabytes = bytes.trim().parse::<f64>().unwrap() / 1e6;
    figures.add(
        "agent's image",
        megabytes,
        Reference::Target(20.0),
        "MB",
        1,
        "target",
    );

    let nats = engine.nats().await;
    let room = run().room("agent");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorus-agent"));
    command.args(["run", "--port", &PORT.to_string()]);
    command.envs([
        ("CHORUS_AGENT_NAME", "bench"),
        ("CHORUS_ROLE", "bench"),
        ("CHORUS_SLOT", "1"),
    ]);
    command.env("NATS_URL", nats.url());
    let mut agent = Process::spawn(&mut command, &room.join("log"));
    let client = crate::harness::http().build().unwrap();
    eventually(Duration::from_secs(10), "the agent is ready", async || {
        let answer = client
            .get(format!("http://127.0.0.1:{PORT}/ready"))
            .send()
            .await
            .map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(answer.status().to_string())
        }
    })
    .await;
    figures.add(
        "agent idle: resident",
        resident_mebibytes(agent.id()),
        Reference::Target(10.0),
        "MiB",
        1,
        "target",
    );
    agent.kill();
}
