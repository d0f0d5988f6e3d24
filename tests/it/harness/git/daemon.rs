//! `git-daemon` on a port of this machine.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::super::eventually::eventually;
use super::super::process::Process;

/// Serves every repository below a folder.
pub(crate) struct Daemon {
    port: u16,
    _process: Process,
}

impl Daemon {
    pub(crate) async fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Not `git daemon`, which starts this one as a process that outlives it.
        let mut command = super::repository::command("git-daemon");
        command
            .args(["--reuseaddr", "--export-all", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", folder.display()))
            .arg(folder);
        let process = Process::spawn(&mut command, &folder.join("daemon.log"));
        eventually(Duration::from_secs(10), "git-daemon listens", async || {
            TcpStream::connect(("127.0.0.1", port)).map(drop)
        })
        .await;
        Self {
            port,
            _process: process,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("git://127.0.0.1:{}/{name}", self.port)
    }
}
