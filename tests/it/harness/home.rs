//! A machine of somebody who runs `whoosh up`: a home folder, and nothing of this machine's own.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::eventually::eventually;
use super::keeper::run;
use super::operator::{Printed, printed};

/// A home, and the environment that its owner has.
pub(crate) struct Home {
    pub(crate) home: PathBuf,
}

impl Home {
    /// One where nothing was started yet.
    pub(crate) fn new() -> Self {
        Self {
            home: run().room("home"),
        }
    }

    /// Starts a command there.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoosh"));
        command
            .args(arguments)
            .env("WHOOSH_HOME", &self.home)
            // What is not named on the command line must not be the machine's own.
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// Runs a command there to its end.
    pub(crate) async fn whoosh(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        printed(child).await
    }

    /// Hands the processes of these names to the run, which ends them if the test does not.
    pub(crate) fn entrust(&self, names: &[&str]) {
        for name in names {
            run().entrust(self.pid(name));
        }
    }

    fn pid(&self, name: &str) -> u32 {
        let text = fs::read_to_string(self.home.join(format!("run/{name}.pid"))).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Kills what was started by this name, and waits until it is dead.
    pub(crate) async fn kill(&self, name: &str) {
        let pid = self.pid(name);
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        let proc = PathBuf::from(format!("/proc/{pid}"));
        eventually(Duration::from_secs(30), "it is dead", async || {
            let stat = fs::read_to_string(proc.join("stat")).unwrap_or_default();
            // It may be left to be buried, once all of its threads have ended.
            let threads = fs::read_dir(proc.join("task")).map_or(0, Iterator::count);
            match stat.is_empty() || (stat.contains(") Z ") && threads <= 1) {
                true => Ok(()),
                false => Err(stat),
            }
        })
        .await;
    }
}
