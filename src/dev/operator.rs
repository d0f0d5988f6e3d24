//! The operator in the background.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::UnixStream;

use super::process::{Launch, Process};
use super::{DevError, Home};

/// The background operator below a home.
#[derive(Clone, Debug)]
pub struct Operator {
    process: Process,
    socket: PathBuf,
    started_as: PathBuf,
}

/// What [`Operator::up`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It did not run.
    New,
    /// It ran as another program version or with other settings, and was replaced.
    Again,
    /// It ran just so.
    Already,
}

impl Operator {
    /// The one that belongs to `home`.
    pub fn new(home: &Home) -> Self {
        let started_as = home.run().join("operator.started-as");
        Self {
            process: Process::new(home, "operator"),
            socket: home.socket(),
            started_as,
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.process.running().is_some()
    }

    /// Starts this very program as `whoosh operator` with `settings` in its environment (which, unlike arguments,
    /// other users cannot read), and waits up to `limit` until it is ready.
    ///
    /// # Errors
    /// [`DevError`] when it does not come up.
    pub async fn up(&self, settings: &[(&str, String)], limit: Duration) -> Result<Started, DevError> {
        let program = std::env::current_exe().map_err(DevError::file("find", "this program"))?;
        let fingerprint = fingerprint(&program, settings);
        let same = fs::read_to_string(&self.started_as).is_ok_and(|known| known == fingerprint);
        let started = match (self.is_running(), same) {
            (true, true) => Started::Already,
            (true, false) => Started::Again,
            (false, _) => Started::New,
        };
        if started != Started::Already {
            self.down().await?;
            let args = ["operator".to_owned()];
            self.process.start(&Launch {
                program: &program,
                args: &args,
                environment: settings,
                account: None,
            })?;
            fs::write(&self.started_as, fingerprint).map_err(DevError::file("write", &self.started_as))?;
        }
        self.process.wait_until(limit, || is_ready(&self.socket)).await?;
        Ok(started)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when it does not end.
    pub async fn down(&self) -> Result<(), DevError> {
        self.process.stop(Signal::TERM, Duration::from_secs(20)).await
    }
}

/// A hash of what is started: the settings may hold passwords, so they are not kept themselves.
fn fingerprint(program: &Path, settings: &[(&str, String)]) -> String {
    let changed = fs::metadata(program).and_then(|data| data.modified()).ok();
    let text = format!("{program:?} {changed:?} {settings:?}");
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn is_ready(socket: &Path) -> bool {
    let answer = tokio::time::timeout(Duration::from_secs(2), ask(socket, "/readyz")).await;
    matches!(answer, Ok(Ok(line)) if line.contains(" 200 "))
}

/// The first line of the answer to a GET.
async fn ask(socket: &Path, path: &str) -> io::Result<String> {
    let mut stream = BufStream::new(UnixStream::connect(socket).await?);
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: whoosh\r\n\r\n").as_bytes())
        .await?;
    stream.flush().await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line)
}
