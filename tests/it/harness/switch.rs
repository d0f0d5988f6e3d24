//! An Ethernet switch for machines.
//!
//! It is a bridge in a network namespace of its own, so that the same addresses serve in each run, and all of it is
//! gone with the one process that holds the namespace.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use super::eventually::eventually;
use super::keeper::run;
use super::network::{self, ip, join_networks, try_ip};
use super::process::Process;

const PATIENCE: Duration = Duration::from_secs(30);

/// Its arguments are the switch's folder and its address.
const SCRIPT: &str = "set -e
ip link set lo up
ip link add bridge type bridge
ip address add \"$2/24\" dev bridge
ip link set bridge up
touch \"$1/prepared\"
read -r";

/// The switch; a machine's cable goes into the port of its number, 1 to 253.
pub(super) struct Switch {
    address: Ipv4Addr,
    holder: Process,
    _input: ChildStdin,
}

impl Switch {
    /// Starts a switch without any cables.
    pub(super) async fn start() -> Self {
        let room = run().room("switch");
        let (mut holder, input) = Process::spawn_piped(
            Command::new("unshare")
                .args(["--net", "bash", "-c", SCRIPT, "switch"])
                .arg(&room)
                .arg(address_of(254).to_string()),
            &room.join("log"),
        );
        eventually(PATIENCE, "the switch is prepared", async || {
            holder.assert_running();
            fs::metadata(room.join("prepared"))
        })
        .await;
        Self {
            address: join_networks(&room, holder.id()),
            holder,
            _input: input,
        }
    }

    /// The address by which this process and the machines, with their containers, reach a server in its network.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The file that names its network.
    pub(super) fn network(&self) -> PathBuf {
        network::of(self.holder.id())
    }

    /// Lays a cable from a port to the network of `process`, and returns the address of that end.
    pub(super) fn connect(&self, port: u8, process: u32) -> Ipv4Addr {
        let (here, there) = (self.network(), network::of(process));
        let (device, address) = (device(port), address_of(port));
        // The kernel takes the last cable away some time after its machine failed.
        let _is_gone = try_ip(Some(&here), &["link", "delete", &device]);
        let process = process.to_string();
        let ends = [
            "link", "add", &device, "type", "veth", "peer", "name", "uplink", "netns", &process,
        ];
        ip(Some(&here), &ends);
        ip(Some(&here), &["link", "set", &device, "master", "bridge", "up"]);
        ip(
            Some(&there),
            &["address", "add", &format!("{address}/24"), "dev", "uplink"],
        );
        ip(Some(&there), &["link", "set", "uplink", "up"]);
        ip(
            Some(&there),
            &["route", "add", "default", "via", &address_of(254).to_string()],
        );
        address
    }

    /// Pulls a cable out of its port: what is sent gets lost, and nobody is told.
    pub(super) fn unplug(&self, port: u8) {
        ip(Some(&self.network()), &["link", "set", &device(port), "down"]);
    }

    /// Puts the cable back.
    pub(super) fn plug(&self, port: u8) {
        ip(Some(&self.network()), &["link", "set", &device(port), "up"]);
    }
}

fn device(port: u8) -> String {
    format!("port-{port}")
}

/// Of the range for documentation, which no overlay network is given.
fn address_of(port: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, port)
}
