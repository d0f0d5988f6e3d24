//! `whoosh simulated-swarm`: serves a simulated Swarm until SIGTERM or SIGINT.

use jiff::Timestamp;
use whoosh::cli::SimulatedSwarmArgs;
use whoosh::sim::{NodeSettings, Settings, Simulation, Timing};

use super::Failure;
use super::stop::told_to_stop;

/// Serves until it is told to stop.
pub(crate) async fn run(args: &SimulatedSwarmArgs) -> Result<(), Failure> {
    let told = told_to_stop()?;
    let count = args.nodes.get();
    let node = |number: u16| NodeSettings {
        // Wherever a node is named, it says what it is.
        hostname: format!("simulated-{number}"),
        // Two managers bear no more than one, and three bear the loss of one.
        is_manager: number == 1 || (count >= 3 && number <= 3),
        ..NodeSettings::default()
    };
    let settings = Settings {
        nodes: (1..=count).map(node).collect(),
        timing: Timing::lifelike(),
        // Ids of an earlier one mean something else.
        seed: Timestamp::now().as_microsecond().cast_unsigned(),
        remembers_points: false,
        ..Settings::default()
    };
    let _simulation = Simulation::start(&args.listen, settings)?;
    tracing::info!(socket = %args.listen.display(), nodes = args.nodes, "serving a simulated Swarm");
    told.await;
    Ok(())
}
