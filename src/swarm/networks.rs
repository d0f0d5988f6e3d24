//! Makes an overlay network, and makes sure that it has addresses.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use tokio::time::{Instant, sleep};

use super::act::{Act, Done};
use super::decode::SeenNetwork;
use super::engine::Engine;
use super::error::{ActError, SwarmError};
use super::subnet::{self, Subnet};
use crate::resource::labels::Labels;

/// How often a block of addresses is tried that turns out to be taken by something no list shows.
const TRIES: usize = 5;
/// How long the managers may take to give a network its addresses; it takes them a few milliseconds.
const ALLOCATION_LIMIT: Duration = Duration::from_secs(3);

/// Makes an attachable overlay network on a large block of addresses that nothing else has.
///
/// The engine does not refuse a block that is taken: it makes the network, which then never works. So the
/// network is looked at afterwards, and made again elsewhere when it got no addresses.
pub(super) async fn create(act: &Act<'_>, name: &str, labels: &Labels) -> Result<Done, ActError> {
    let engine = act.engine;
    let fail = |error| act.failed(error);
    let fail_to_look = |error| act.failed_read(error);
    let _turn = engine.making_network.lock().await;
    let mut refused = Vec::new();
    for _ in 0..TRIES {
        let known = engine.networks().await.map_err(fail_to_look)?;
        if let Some(found) = known.iter().find(|network| network.swarm && network.name == name) {
            if !act.is_ours(&found.network.labels) || !found.network.overlay {
                return Err(act.name_taken());
            }
            if found.allocated {
                return Ok(Done::AlreadyThere(found.network.id.clone()));
            }
            // Left by an attempt that was cut short.
            act.delete("networks", &found.network.id).await?;
        }
        let mut taken = refused.clone();
        taken.extend(known.iter().flat_map(|network| &network.subnets).copied());
        taken.extend(node_addresses(engine).await.map_err(fail_to_look)?);
        let block = subnet::choose(name, &taken).ok_or_else(|| {
            act.refused("all addresses for networks are taken; remove networks that nobody uses")
        })?;
        let id = match post(engine, name, labels, block).await {
            // Somebody was faster: the next look tells who.
            Err(SwarmError::NameTaken { .. }) => continue,
            answer => answer.map_err(fail)?,
        };
        if is_allocated(engine, &id).await.map_err(fail)? {
            return Ok(Done::Created(id));
        }
        act.delete("networks", &id).await?;
        refused.push(block);
    }
    let why = "the Swarm's managers gave it no addresses; their log (`journalctl -u docker`) says why";
    Err(act.refused(why))
}

/// What is sent to make an overlay network; without a block of addresses, the managers choose one.
pub(super) fn request(name: &str, labels: &Labels, block: Option<Subnet>) -> NetworkCreateRequest {
    let pool = block.map(|block| IpamConfig {
        subnet: Some(block.to_string()),
        ..IpamConfig::default()
    });
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("overlay".to_owned()),
        attachable: Some(true),
        ipam: Some(Ipam {
            config: Some(Vec::from_iter(pool)),
            ..Ipam::default()
        }),
        labels: Some(labels.clone().into_iter().collect::<HashMap<_, _>>()),
        ..NetworkCreateRequest::default()
    }
}

async fn post(engine: &Engine, name: &str, labels: &Labels, block: Subnet) -> Result<String, SwarmError> {
    let request = request(name, labels, Some(block));
    let what = "POST /networks/create".to_owned();
    Ok(engine
        .bollard(what, engine.limits().write, engine.docker.create_network(request))
        .await?
        .id)
}

async fn is_allocated(engine: &Engine, id: &str) -> Result<bool, SwarmError> {
    let deadline = Instant::now() + ALLOCATION_LIMIT;
    let mut pause = Duration::from_millis(2);
    while Instant::now() < deadline {
        match engine.network(id).await {
            Ok(SeenNetwork { allocated: true, .. }) => return Ok(true),
            Ok(_) => sleep(pause).await,
            Err(error) => return Err(error),
        }
        pause = (pause * 2).min(Duration::from_millis(250));
    }
    Ok(false)
}

/// The nodes' own addresses: a container on a network that covers one could not reach that node.
async fn node_addresses(engine: &Engine) -> Result<Vec<Subnet>, SwarmError> {
    let nodes = engine.nodes().await?;
    Ok(nodes
        .iter()
        .filter_map(|node| node.address.parse().ok())
        .collect())
}
