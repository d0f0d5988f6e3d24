//! Virtual Ethernet devices between the networks of processes.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::keeper::run;

/// The file that names the network of `process`.
pub(super) fn of(process: u32) -> PathBuf {
    format!("/proc/{process}/ns/net").into()
}

/// Joins the network of `process` to this machine's, and returns the address of its end.
///
/// The devices vanish with the network of `process`. Their addresses are of the range that is set aside for tests of
/// network equipment (198.18.0.0/15), four for each pair, told apart by the device number that the kernel gave.
/// `room` is a folder of the run, and names the device.
pub(super) fn join_networks(room: &Path, process: u32) -> Ipv4Addr {
    let network = of(process);
    let device = device_name(room);
    ip(
        None,
        &[
            "link",
            "add",
            &device,
            "type",
            "veth",
            "peer",
            "name",
            "uplink",
            "netns",
            &process.to_string(),
        ],
    );
    let index = fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).unwrap();
    let index: u32 = index.trim().parse().unwrap();
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * (index % (1 << 15));
    let (ours, theirs) = (Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2));
    ip(None, &["address", "add", &format!("{ours}/30"), "dev", &device]);
    ip(None, &["link", "set", &device, "up"]);
    ip(
        Some(&network),
        &["address", "add", &format!("{theirs}/30"), "dev", "uplink"],
    );
    ip(Some(&network), &["link", "set", "uplink", "up"]);
    theirs
}

/// Runs the ip command in a network; `None` is this machine's.
///
/// # Panics
/// If the command fails, with its complaint.
pub(super) fn ip(network: Option<&Path>, arguments: &[&str]) {
    try_ip(network, arguments).unwrap_or_else(|error| panic!("ip {arguments:?}: {error}"));
}

/// The same; a complaint is returned.
pub(super) fn try_ip(network: Option<&Path>, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(if network.is_some() { "nsenter" } else { "ip" });
    if let Some(network) = network {
        command.arg(format!("--net={}", network.display())).arg("ip");
    }
    let output = command.args(arguments).output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Unique on this machine, as the run's name is, and at most 15 bytes: of `/tmp/wit-AbCdEf/engine-3`, `wAbCdEf-3`.
fn device_name(room: &Path) -> String {
    let suffix = |path: &Path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    format!("w{}-{}", suffix(run().folder()), suffix(room))
}
