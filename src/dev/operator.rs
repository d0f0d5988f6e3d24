//! The operator in the background.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::address::KeptAddress;
use super::process::{Launch, Process};
use super::started_as::StartedAs;
use super::{DevError, Home};

/// The most of an answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// The background operator below a home.
#[derive(Clone, Debug)]
pub struct Operator {
    process: Process,
    socket: PathBuf,
    address: KeptAddress,
    started_as: StartedAs,
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
        Self {
            process: Process::new(home, "operator"),
            socket: home.socket(),
            address: KeptAddress::new(home, "operator"),
            started_as: StartedAs::new(home, "operator"),
        }
    }

    /// Where it serves the network, or will: on this machine alone.
    ///
    /// # Errors
    /// [`DevError::File`] when there is no free port.
    pub fn address(&self) -> Result<SocketAddr, DevError> {
        match self.address.known() {
            Some(known) if self.is_running() => Ok(known),
            _ => self.address.draw(Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.process.running().is_some()
    }

    /// Starts this very program as `whoosh operator` with `settings` in its environment (which, unlike arguments,
    /// other users cannot read), and waits up to `limit` until it is ready; `waiting` is told what for, whenever
    /// that changes.
    ///
    /// # Errors
    /// [`DevError`] when it does not come up.
    pub async fn up(
        &self,
        settings: &[(&str, String)],
        limit: Duration,
        waiting: &(dyn Fn(&str) + Sync),
    ) -> Result<Started, DevError> {
        let program = std::env::current_exe().map_err(DevError::file("find", "this program"))?;
        let same = self.started_as.is(&program, settings);
        let started = match (self.is_running(), same) {
            (true, true) => match self.wait(limit, waiting).await {
                // It was about to end.
                Err(DevError::Ended { .. }) => Started::New,
                ready => return ready.map(|()| Started::Already),
            },
            (true, false) => Started::Again,
            (false, _) => Started::New,
        };
        self.down().await?;
        let args = ["operator".to_owned()];
        self.process.start(&Launch {
            program: &program,
            args: &args,
            environment: settings,
            account: None,
        })?;
        self.started_as.note(&program, settings)?;
        self.wait(limit, waiting).await?;
        Ok(started)
    }

    async fn wait(&self, limit: Duration, waiting: &(dyn Fn(&str) + Sync)) -> Result<(), DevError> {
        let told = RefCell::new(String::new());
        let ready = || async {
            let Some(why) = why_not_ready(&self.socket).await else {
                return true;
            };
            if !why.is_empty() && told.replace(why.clone()) != why {
                waiting(&why);
            }
            false
        };
        self.process.wait_until(limit, ready).await.map_err(|error| {
            let why = told.take();
            match error {
                DevError::NotReady { name, seconds, .. } if !why.is_empty() => {
                    DevError::Waits { name, seconds, why }
                }
                other => other,
            }
        })
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when it does not end.
    pub async fn down(&self) -> Result<(), DevError> {
        self.process.stop(Signal::TERM, Duration::from_secs(20)).await
    }
}

/// `None` when it is ready; else what it waits for, in its own words, or nothing when it does not say.
async fn why_not_ready(socket: &Path) -> Option<String> {
    let asked = tokio::time::timeout(Duration::from_secs(2), ask(socket, "/readyz")).await;
    let Ok(Ok(answer)) = asked else {
        return Some(String::new());
    };
    if answer.lines().next().is_some_and(|line| line.contains(" 200 ")) {
        return None;
    }
    // What comes after the first is often only its consequence.
    let failed = answer.lines().find_map(|line| line.strip_prefix("[-]"));
    let why = failed.and_then(|line| line.split_once(" failed: "));
    Some(why.map(|(_, why)| why.to_owned()).unwrap_or_default())
}

/// The whole answer to a GET.
async fn ask(socket: &Path, path: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: whoosh\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn what_an_operator_waits_for_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        assert_eq!(why_not_ready(&socket).await.as_deref(), Some(""));
        let listener = UnixListener::bind(&socket).unwrap();
        for (answer, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\nok", None),
            (
                "HTTP/1.0 503 No\r\n\r\n[+]postgres ok\n[-]docker failed: it is away\n[-]observation failed: none\n",
                Some("it is away"),
            ),
        ] {
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_buf(&mut Vec::with_capacity(1024)).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let (why, ()) = tokio::join!(why_not_ready(&socket), serve);
            assert_eq!(why.as_deref(), expected);
        }
    }
}
