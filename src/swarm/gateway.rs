//! Where containers of a Swarm reach their node.

use std::net::IpAddr;

use serde_json::Value;

use super::Swarm;
use super::transport::Call;

/// The bridge that Swarm makes on every node, so that containers on overlay networks reach beyond them.
const BRIDGE: &str = "docker_gwbridge";

impl Swarm {
    /// This node's address as containers see it; `None` when the engine has no such bridge, or is away.
    ///
    /// Only processes on the engine's own machine can listen there.
    pub async fn gateway(&self) -> Option<IpAddr> {
        let bridge: Value = self
            .engine
            .transport
            .call(Call::get(format!("/networks/{BRIDGE}")))
            .await
            .ok()?;
        bridge.pointer("/IPAM/Config/0/Gateway")?.as_str()?.parse().ok()
    }
}
