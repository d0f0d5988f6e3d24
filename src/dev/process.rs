//! A background process with a pid file that cannot point at a stranger.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::user::Account;
use super::{DevError, Home};

/// How many of a log's last lines an error shows.
const TAIL_LINES: usize = 12;
/// The pause before a program is started again.
const AGAIN: Duration = Duration::from_millis(200);

/// A server that runs in the background.
#[derive(Clone, Debug)]
pub struct Process {
    /// What people call it.
    pub name: &'static str,
    pid_file: PathBuf,
    log: PathBuf,
}

/// What to run, and as whom.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    /// The program's file.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [String],
    /// Variables beside our own environment.
    pub environment: &'a [(&'a str, String)],
    /// The account to run as; ourselves when `None`.
    pub account: Option<Account>,
}

/// A running process: its id, and when it started in clock ticks since boot, which no other process shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Process id.
    pub pid: u32,
    started: u64,
}

impl Process {
    /// The process that `name.pid` and `name.log` below `home` speak of.
    pub fn new(home: &Home, name: &'static str) -> Self {
        Self {
            name,
            pid_file: home.run().join(format!("{name}.pid")),
            log: home.log().join(format!("{name}.log")),
        }
    }

    /// The process, if it runs. A pid file of an earlier boot, or whose pid went to somebody else, counts for nothing.
    pub fn running(&self) -> Option<Running> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let mut fields = text.split_whitespace();
        let running = Running {
            pid: fields.next()?.parse().ok()?,
            started: fields.next()?.parse().ok()?,
        };
        (start_time(running.pid) == Some(running.started)).then_some(running)
    }

    /// Starts a program detached from this terminal.
    ///
    /// # Errors
    /// [`DevError::Run`] when it cannot be run, [`DevError::File`] when its log or pid file cannot be written.
    pub fn start(&self, launch: &Launch<'_>) -> Result<(), DevError> {
        let Launch {
            program,
            args,
            environment,
            account,
        } = launch;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(DevError::file("open", &self.log))?;
        let errors = log.try_clone().map_err(DevError::file("open", &self.log))?;
        let mut command = Command::new("setsid");
        command
            .arg(program)
            .args(*args)
            .envs(environment.iter().map(|(name, value)| (name, value)));
        for (name, _) in *environment {
            // What a file said to this program is said already.
            command.env_remove(format!("{name}_FILE"));
        }
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        let child = command.spawn().map_err(|source| DevError::Run {
            program: program.display().to_string(),
            source,
        })?;
        let pid = child.id();
        let started = start_time(pid).unwrap_or_default();
        fs::write(&self.pid_file, format!("{pid} {started}\n"))
            .map_err(DevError::file("write", &self.pid_file))
    }

    /// Asks it to end by `signal`, waits up to `patience`, then kills it.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when even that did not end it.
    pub async fn stop(&self, signal: Signal, patience: Duration) -> Result<(), DevError> {
        for (signal, patience) in [(signal, patience), (Signal::KILL, Duration::from_secs(5))] {
            let Some(running) = self.running() else { break };
            send(running, signal);
            self.wait_for_end(patience).await;
        }
        match self.running() {
            Some(running) => Err(DevError::StillRunning {
                name: self.name,
                pid: running.pid,
            }),
            None => {
                let _absent = fs::remove_file(&self.pid_file);
                Ok(())
            }
        }
    }

    /// Starts a program and waits until `ready` says so. When it ends first and `passes` says that what ended it
    /// will pass, it is started again, until `limit`.
    ///
    /// # Errors
    /// As [`Process::start`] and [`Process::wait_until`].
    pub async fn start_until<F: Future<Output = bool>>(
        &self,
        launch: &Launch<'_>,
        limit: Duration,
        mut ready: impl FnMut() -> F,
        passes: impl Fn() -> bool,
    ) -> Result<(), DevError> {
        let deadline = Instant::now() + limit;
        loop {
            self.start(launch)?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wait_until(left, &mut ready).await {
                Err(DevError::Ended { .. }) if Instant::now() < deadline && passes() => sleep(AGAIN).await,
                ended => return ended,
            }
        }
    }

    /// Waits until `ready` says so; fails at once when the process ends first.
    ///
    /// # Errors
    /// [`DevError::NotReady`] and [`DevError::Ended`] with the end of its log.
    pub async fn wait_until<F: Future<Output = bool>>(
        &self,
        limit: Duration,
        mut ready: impl FnMut() -> F,
    ) -> Result<(), DevError> {
        let started = Instant::now();
        while self.running().is_some() {
            if ready().await {
                return Ok(());
            }
            if started.elapsed() >= limit {
                return Err(DevError::NotReady {
                    name: self.name,
                    seconds: limit.as_secs(),
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(DevError::Ended {
            name: self.name,
            after: format!("{:.1} s", started.elapsed().as_secs_f64()),
            log: self.log.clone(),
            tail: tail(&self.log),
        })
    }

    async fn wait_for_end(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.running().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn send(running: Running, signal: Signal) {
    let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended in between, which is as good.
        let _gone = kill_process(pid, signal);
    }
}

/// The folder on the PATH that holds `program`.
pub(super) fn folder_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .find(|folder| folder.join(program).exists())
}

/// Whether a process runs; one that ended runs no more, though nobody may have asked how it ended.
pub(super) fn is_alive(pid: u32) -> bool {
    start_time(pid).is_some()
}

/// When a process started (field 22 of `/proc/<pid>/stat`, proc(5)); `None` when it is gone or a zombie. One that is
/// killed is a zombie while some of its threads still end, and with them its locks.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in brackets, may itself hold blanks and brackets.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let [state, ..] = fields.as_slice() else {
        return None;
    };
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    if *state == "Z" && threads() <= 1 {
        return None;
    }
    fields.get(19)?.parse().ok()
}

fn tail(log: &Path) -> String {
    let text = read_lossy(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn read_lossy(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut File::open(path)?, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(home: &Home) -> Process {
        home.create().unwrap();
        Process::new(home, "test")
    }

    fn start(process: &Process, program: &str, args: &[&str]) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let launch = Launch {
            program: Path::new(program),
            args: &args,
            environment: &[],
            account: None,
        };
        process.start(&launch).unwrap();
    }

    #[test]
    fn a_pid_file_that_points_at_a_stranger_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(&Home::new(folder.path()));
        let own = std::process::id();
        for (text, runs) in [
            (format!("{own} {}", start_time(own).unwrap()), true),
            (format!("{own} 1"), false),
            (format!("{own}"), false),
            ("4194304 7".to_owned(), false),
            ("garbage".to_owned(), false),
            (String::new(), false),
        ] {
            fs::write(&process.pid_file, &text).unwrap();
            assert_eq!(process.running().is_some(), runs, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_process_starts_in_the_background_and_stops() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(&Home::new(folder.path()));
        start(&process, "/bin/sleep", &["60"]);
        process
            .wait_until(Duration::from_secs(5), || async { true })
            .await
            .unwrap();
        assert!(process.running().is_some());
        process.stop(Signal::TERM, Duration::from_secs(5)).await.unwrap();
        assert_eq!(process.running(), None);
    }

    #[tokio::test]
    async fn a_process_that_ends_early_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(&Home::new(folder.path()));
        start(&process, "/bin/sh", &["-c", "echo it will not work"]);
        let error = process
            .wait_until(Duration::from_secs(9), || async { false })
            .await
            .unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("test ended after 0."), "{error}");
        assert!(error.ends_with("ends:\nit will not work"), "{error}");
    }

    #[tokio::test]
    async fn a_process_is_started_again_while_what_ended_it_passes() {
        let folder = tempfile::tempdir().unwrap();
        let process = process(&Home::new(folder.path()));
        let tried = folder.path().join("tried");
        let script = format!(
            "if test -e {0}; then exec sleep 60; fi; touch {0}",
            tried.display()
        );
        let args = ["-c".to_owned(), script];
        let launch = Launch {
            program: Path::new("/bin/sh"),
            args: &args,
            environment: &[],
            account: None,
        };
        let tries = std::cell::Cell::new(0);
        let passes = || {
            tries.set(tries.get() + 1);
            true
        };
        // The first try has made its file before it ends; what is ready is the second.
        let ready = || async { tries.get() == 1 };
        process
            .start_until(&launch, Duration::from_secs(60), ready, passes)
            .await
            .unwrap();
        assert!(process.running().is_some());
        process.stop(Signal::KILL, Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_dead_process_that_nobody_has_buried_is_not_alive() {
        assert!(is_alive(std::process::id()));
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        assert!(is_alive(child.id()));
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        while is_alive(child.id()) {
            assert!(Instant::now() < patience, "it never ends");
            sleep(Duration::from_millis(5)).await;
        }
        child.wait().unwrap();
    }
}
