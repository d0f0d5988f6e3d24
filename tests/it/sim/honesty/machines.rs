//! The machines that a script is played on, to take their power.

use std::time::Duration;

use futures::future::join_all;
use whoosh::sim::{NodeSettings, Settings, Simulation, Timing};

use super::simulation;
use crate::harness::nodes::Cluster;
use crate::sim::stage::Sim;
use crate::swarm::stage::load_image;

/// Every node of a cluster.
const NODES: [&str; 5] = ["manager-1", "manager-2", "manager-3", "worker-1", "worker-2"];
/// How long a cluster takes to miss a node.
const MISSED: Duration = Duration::from_secs(3);

/// Where a script is played.
pub(super) enum Machines<'a> {
    /// At a real engine that is the only node.
    One,
    /// At the real engine of one of many nodes.
    Cluster(&'a mut Cluster),
    Simulated(&'a Simulation),
}

impl Machines<'_> {
    pub(super) fn simulation(&self) -> Option<&Simulation> {
        match self {
            Self::Simulated(simulation) => Some(simulation),
            Self::One | Self::Cluster(_) => None,
        }
    }

    /// A node's machine loses its power.
    pub(super) fn power_off(&mut self, node: &str) {
        match self {
            Self::One => panic!("{node} is no machine of a cluster: its script belongs into nodes.yaml"),
            Self::Cluster(cluster) => cluster.power_off(node),
            Self::Simulated(simulation) => simulation.fail_node(node).unwrap(),
        }
    }

    /// It starts on its disk.
    pub(super) async fn power_on(&mut self, node: &str) {
        match self {
            Self::One => panic!("{node} is no machine of a cluster: its script belongs into nodes.yaml"),
            Self::Cluster(cluster) => cluster.power_on(node).await,
            Self::Simulated(simulation) => simulation.restart_node(node).unwrap(),
        }
    }
}

/// Gives every node the image that scripts run.
pub(super) async fn load_images(cluster: &Cluster) {
    join_all(NODES.map(|node| load_image(cluster.engine(node)))).await;
}

/// A simulation of a cluster of which `leader` leads.
pub(super) fn simulated_cluster(leader: &str) -> Sim {
    let mut names = NODES;
    // The first one leads.
    names.sort_by_key(|name| *name != leader);
    let settings = |node: &str| NodeSettings {
        hostname: node.to_owned(),
        is_manager: node.starts_with("manager"),
        ..NodeSettings::default()
    };
    simulation(Settings {
        nodes: names.map(settings).into(),
        timing: Timing {
            node_down: MISSED,
            ..Timing::default()
        },
        ..Settings::default()
    })
}
