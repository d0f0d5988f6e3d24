//! A server as a child process.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::keeper::run;

/// A child process in a process group of its own. It ends with this value, or with the test run at the latest.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to the file `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        run().entrust(child.id());
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Like [`Process::spawn`], with a pipe to the process's standard input.
    pub(crate) fn spawn_piped(command: &mut Command, log: &Path) -> (Self, ChildStdin) {
        let mut process = Self::spawn(command.stdin(Stdio::piped()), log);
        let stdin = process.child.stdin.take().unwrap();
        (process, stdin)
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Panics
    /// If the process has ended, with the last lines of its log.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!(
                "the server ended ({status}); its log ends with:\n{}",
                tail(&self.log)
            );
        }
    }

    /// Waits until the process has ended, which it does by itself.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// SIGSTOP: its connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// The paused process goes on.
    pub(crate) fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// SIGKILL, and waits until the process is gone. One that has ended already is left in peace.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a log, without those that its writer itself calls mere information.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.contains("level=info"))
        .take(20)
        .collect();
    lines.reverse();
    lines.join("\n")
}
