//! What the engine says of itself and of its Swarm.

use serde_json::{Value, json};

use super::{Ask, Reply, containers, images};
use crate::sim::world::dice::Dice;
use crate::sim::world::model::Node;
use crate::sim::world::refusal::Refusal;
use crate::sim::world::{Membership, World};

/// The engine that is played.
pub(super) const VERSION: &str = "20.10.24+simulated";

/// When that engine was built, says the simulation.
const BUILT: &str = "2023-04-04T00:00:00.000000000+00:00";

pub(super) fn version() -> Reply {
    let json = json!({
        "Platform": {"Name": "whoosh simulation"},
        "Components": [{
            "Name": "Engine",
            "Version": VERSION,
            "Details": {
                "ApiVersion": "1.41", "Arch": "amd64", "BuildTime": BUILT, "Experimental": "false",
                "GitCommit": "simulated", "GoVersion": "", "KernelVersion": "", "MinAPIVersion": "1.12", "Os": "linux",
            },
        }],
        "Version": VERSION,
        "ApiVersion": "1.41",
        "MinAPIVersion": "1.12",
        "GitCommit": "simulated",
        "GoVersion": "",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "",
        "BuildTime": BUILT,
    });
    Reply::ok(json.to_string())
}

pub(super) fn info(world: &World) -> Reply {
    let is_active = world.membership == Membership::Active;
    let own = world.nodes.get(&world.own_node);
    let address = own.map_or("", |node| node.address.as_str());
    let containers = world.containers().count();
    let running = world.containers().filter(|(task, _)| task.is_alive()).count();
    let mut swarm = json!({
        "NodeID": if is_active { &*world.own_node } else { "" },
        "NodeAddr": if is_active { address } else { "" },
        "LocalNodeState": if is_active { "active" } else { "inactive" },
        "ControlAvailable": is_active,
        "Error": "",
        "RemoteManagers": null,
    });
    if is_active {
        let managers: Vec<Value> = world
            .nodes
            .iter()
            .filter(|(_, node)| node.manager)
            .map(|(id, node)| json!({"NodeID": &**id, "Addr": manager_address(node)}))
            .collect();
        swarm["Nodes"] = json!(world.nodes.len());
        swarm["Managers"] = json!(managers.len());
        swarm["RemoteManagers"] = json!(managers);
        swarm["Cluster"] = cluster(world);
    }
    let json = json!({
        "ID": engine_id(world),
        "Containers": containers,
        "ContainersRunning": running,
        "ContainersPaused": 0,
        "ContainersStopped": containers - running,
        "Images": world.images.names().count(),
        "Driver": "overlay2",
        "MemoryLimit": true,
        "SystemTime": world.now.to_string(),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "OperatingSystem": "simulated",
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": own.map_or(0, |node| node.nano_cpus / 1_000_000_000),
        "MemTotal": own.map_or(0, |node| node.memory_bytes),
        "Name": own.map_or("", |node| node.hostname.as_str()),
        "Labels": [],
        "ExperimentalBuild": false,
        "ServerVersion": VERSION,
        "Swarm": swarm,
        "Warnings": null,
    });
    Reply::ok(json.to_string())
}

/// No container has a volume that would be shown.
pub(super) fn volumes() -> Reply {
    Reply::ok(json!({"Volumes": [], "Warnings": null}).to_string())
}

/// What takes up room on the disk.
pub(super) fn disk_usage(world: &World) -> Reply {
    let json = json!({
        "LayersSize": 0,
        "Images": images::all(world, |_| true),
        "Containers": containers::all(world, |_, _| true),
        "Volumes": [],
        "BuildCache": null,
        "BuilderSize": 0,
    });
    Reply::ok(json.to_string())
}

/// Where the other managers find one.
pub(super) fn manager_address(node: &Node) -> String {
    format!("{}:2377", node.address)
}

pub(super) fn swarm(world: &World) -> Reply {
    let mut json = cluster(world);
    json["JoinTokens"] = json!({"Worker": token(world, "worker"), "Manager": token(world, "manager")});
    Reply::ok(json.to_string())
}

pub(super) fn init(world: &World) -> Result<Reply, Refusal> {
    if world.membership == Membership::Active {
        let message = "This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and \
                       join another one.";
        return Err(Refusal::new(503, message));
    }
    Err(Refusal::new(501, "the simulation makes its Swarm itself"))
}

pub(super) fn update(ask: &Ask) -> Result<Reply, Refusal> {
    ask.json::<Value>()?;
    Ok(Reply::Empty(200))
}

pub(super) fn leave(world: &mut World, ask: &Ask) -> Result<Reply, Refusal> {
    if world.membership == Membership::Inactive {
        return Err(Refusal::new(503, "This node is not part of a swarm"));
    }
    if !ask.query.flag("force") {
        let managers = world.nodes.iter().filter(|(_, node)| node.manager);
        let warning = if managers.count() > 1 {
            "The only way to restore a swarm that has lost consensus is to reinitialize it with \
             `--force-new-cluster`. Use `--force` to suppress this message."
        } else {
            "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
        };
        let message = format!(
            "You are attempting to leave the swarm on a node that is participating as a manager. {warning}"
        );
        return Err(Refusal::new(503, message));
    }
    world.membership = Membership::Inactive;
    Ok(Reply::Empty(200))
}

fn cluster(world: &World) -> Value {
    let at = world.cluster_created.to_string();
    json!({
        "ID": &*world.cluster,
        "Version": {"Index": 10},
        "CreatedAt": at,
        "UpdatedAt": at,
        "Spec": {
            "Name": "default",
            "Labels": {},
            "Orchestration": {"TaskHistoryRetentionLimit": 5},
            "Raft": {
                "SnapshotInterval": 10000, "KeepOldSnapshots": 0, "LogEntriesForSlowFollowers": 500,
                "ElectionTick": 10, "HeartbeatTick": 1,
            },
            "Dispatcher": {"HeartbeatPeriod": 5_000_000_000_u64},
            "CAConfig": {"NodeCertExpiry": 7_776_000_000_000_000_u64},
            "TaskDefaults": {},
            "EncryptionConfig": {"AutoLockManagers": false},
        },
        "TLSInfo": tls_info(),
        "RootRotationInProgress": false,
        "DefaultAddrPool": null,
        "SubnetSize": 24,
        "DataPathPort": 4789,
    })
}

/// The name that an engine gives to itself: twelve groups of four letters and digits.
fn engine_id(world: &World) -> String {
    let mut dice = Dice::of(&world.own_node);
    let groups: Vec<String> = (0..12)
        .map(|_| dice.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 4))
        .collect();
    groups.join(":")
}

/// What another engine would join with, as a manager or as a worker. Nobody can.
fn token(world: &World, role: &str) -> String {
    let mut own = Dice::of(&world.cluster);
    let secret = Dice::of(&format!("{} {role}", world.cluster)).id();
    format!(
        "SWMTKN-1-{}-{secret}",
        own.text(b"0123456789abcdefghijklmnopqrstuvwxyz", 50)
    )
}

/// The certificate authority of a Swarm; this one has no key.
pub(super) fn tls_info() -> Value {
    json!({
        "TrustRoot": "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n",
        "CertIssuerSubject": "MBMxETAPBgNVBAMTCHN3YXJtLWNh",
        "CertIssuerPublicKey": "c2ltdWxhdGVk",
    })
}
