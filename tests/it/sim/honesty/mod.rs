//! The simulation is honest: scripts that are played at it and at a real engine show the same, field by field.
//!
//! The scripts are in `tests/it/sim/scripts/`, the differences that are accepted in `accepted.yaml`. A script of
//! `alone.yaml` has an engine to itself, one after another, and one of `nodes.yaml` a cluster; the others share one.

mod differences;
mod machines;
mod plain;
mod play;
mod script;
mod told;

use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use whoosh::sim::{Settings, Timing};

use self::differences::{Difference, accepted, between, judge};
use self::machines::{Machines, load_images, simulated_cluster};
use self::play::play;
use self::script::{Script, scripts};
use super::door::{Door, Exchange};
use super::stage::Sim;
use crate::harness::docker::Engine;
use crate::harness::nodes::Turn;
use crate::swarm::stage::{IMAGE, load_image};

/// How many scripts are played at once at an engine that they share.
const AT_ONCE: usize = 8;
/// An image that no engine has.
const MISSING: &str = "nowhere:1";
/// How long a container takes to stop: long enough to be seen at it.
const STOP: Duration = Duration::from_millis(300);

/// A simulation as the real engines are.
fn simulation(settings: Settings) -> Sim {
    let timing = Timing {
        stop: STOP,
        ..settings.timing
    };
    let sim = Sim::start(Settings { timing, ..settings });
    sim.simulation.set_image(MISSING, false, None);
    sim.simulation.set_image(IMAGE, true, None);
    sim
}

async fn compare(real: &Door, machines: Machines<'_>, sim: &Sim, script: &Script) -> Vec<Difference> {
    let door = Door::new(sim.socket());
    let (real, simulated) = tokio::join!(
        play(real, machines, script),
        play(&door, Machines::Simulated(&sim.simulation), script)
    );
    between(&script.name, &real, &simulated)
}

async fn compare_all(engine: &Engine, scripts: &[Script], at_once: usize) -> Vec<Difference> {
    load_image(engine).await;
    let door = Door::new(engine.socket());
    let mut found: Vec<Difference> = stream::iter(scripts)
        .map(async |script| compare(&door, Machines::One, &simulation(Settings::default()), script).await)
        .buffer_unordered(at_once)
        .concat()
        .await;
    found.sort_by_key(ToString::to_string);
    found
}

/// All that is asked and answered when every script is played at a simulation.
pub(super) async fn simulated_exchanges() -> Vec<Exchange> {
    let of_one = scripts(|file| file != "nodes")
        .into_iter()
        .map(|script| (script, simulation(Settings::default())));
    let of_many = scripts(|file| file == "nodes")
        .into_iter()
        .map(|script| (script, simulated_cluster("manager-1")));
    stream::iter(of_one.chain(of_many))
        .map(|(script, sim)| async move {
            let door = Door::new(sim.socket());
            play(&door, Machines::Simulated(&sim.simulation), &script).await;
            door.exchanges()
        })
        .buffer_unordered(AT_ONCE)
        .concat()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_show_the_same_as_at_the_engine() {
    let alone = scripts(|file| file == "alone");
    let shared = scripts(|file| !["alone", "nodes"].contains(&file));
    let (mut found, more) = tokio::join!(
        async { compare_all(Engine::shared().await, &shared, AT_ONCE).await },
        async { compare_all(&Engine::start().await, &alone, 1).await },
    );
    found.extend(more);
    judge(&found, &accepted(shared.iter().chain(&alone)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_of_several_nodes_show_the_same_as_at_the_cluster() {
    let scripts = scripts(|file| file == "nodes");
    // Until the end: one on which a script failed is of no use to others.
    let mut cluster = Turn::begin().await;
    load_images(&cluster).await;
    let mut found = Vec::new();
    for script in &scripts {
        let leader = cluster.leader("manager-1").await;
        let door = Door::new(cluster.engine(&leader).socket());
        let machines = Machines::Cluster(&mut cluster);
        found.extend(compare(&door, machines, &simulated_cluster(&leader), script).await);
    }
    judge(&found, &accepted(&scripts));
}
