//! A machine of its own for a Docker Engine.
//!
//! It consists of namespaces (processes, mounts, network, host name), of which a small shell, `engine.sh`, is process
//! 1: when that goes, the kernel ends the daemon, its containerd and every container.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::Mutex;
use std::time::Duration;

use super::eventually::eventually;
use super::process::Process;

const PATIENCE: Duration = Duration::from_secs(60);

/// Namespaces, and the shell in them that obeys orders.
pub(super) struct Machine {
    namespaces: Process,
    orders: Mutex<ChildStdin>,
}

impl Machine {
    /// Starts a machine whose disk is the folder `room`. It does nothing before it is ordered to.
    ///
    /// # Panics
    /// If it does not start, with the end of its log: a test that cannot run has failed.
    pub(super) async fn start(room: &Path, hostname: &str) -> Self {
        assert!(
            rustix::process::getuid().is_root(),
            "a private Docker Engine needs root: use sudo"
        );
        let prepared = room.join("prepared");
        let _of_the_last_start = fs::remove_file(&prepared);
        let (mut namespaces, orders) = Process::spawn_piped(
            Command::new("unshare")
                .args([
                    "--fork",
                    "--kill-child",
                    "--pid",
                    "--mount-proc",
                    "--mount",
                    "--net",
                    "--uts",
                    "--ipc",
                ])
                .args(["bash", "-c", include_str!("engine.sh"), "engine"])
                .arg(room)
                .arg(hostname),
            &room.join("log"),
        );
        eventually(PATIENCE, "the machine's namespaces are prepared", async || {
            namespaces.assert_running();
            fs::metadata(&prepared)
        })
        .await;
        Self {
            namespaces,
            orders: Mutex::new(orders),
        }
    }

    /// Gives one of the orders that `engine.sh` knows.
    pub(super) fn order(&self, order: &str) {
        writeln!(self.orders.lock().unwrap(), "{order}").unwrap();
    }

    /// A process of the machine, as this machine numbers it.
    pub(super) fn id(&self) -> u32 {
        self.namespaces.id()
    }

    /// The file that names its network.
    pub(super) fn network(&self) -> PathBuf {
        super::network::of(self.id())
    }

    /// Ends all that runs on it, as a loss of power does.
    pub(super) fn fail(&mut self) {
        self.order("fail");
        self.namespaces.wait();
    }
}
