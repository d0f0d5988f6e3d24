//! A simulated Swarm in the background, in place of a Docker Engine.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::UnixStream;

use super::process::{Launch, Process};
use super::started_as::StartedAs;
use super::{DevError, Home};

/// The simulated Swarm below a home. It lives in memory: whatever ran on it is gone with its process.
#[derive(Clone, Debug)]
pub struct SimulatedSwarm {
    process: Process,
    socket: PathBuf,
    started_as: StartedAs,
}

impl SimulatedSwarm {
    /// The one that belongs to `home`.
    pub fn new(home: &Home) -> Self {
        Self {
            process: Process::new(home, "swarm"),
            socket: home.run().join("swarm.sock"),
            started_as: StartedAs::new(home, "swarm"),
        }
    }

    /// Starts this very program as `whoosh simulated-swarm`, and returns where it answers, as `DOCKER_HOST` names
    /// it. Does nothing when it runs with as many nodes.
    ///
    /// # Errors
    /// [`DevError`] when it does not come up.
    pub async fn up(&self, nodes: NonZeroU16) -> Result<String, DevError> {
        let host = format!("unix://{}", self.socket.display());
        let program = std::env::current_exe().map_err(DevError::file("find", "this program"))?;
        let settings = [("nodes", nodes.to_string())];
        if self.process.running().is_some() && self.started_as.is(&program, &settings) {
            return Ok(host);
        }
        self.down().await?;
        let args = [
            "simulated-swarm".to_owned(),
            format!("--listen={}", self.socket.display()),
            format!("--nodes={nodes}"),
        ];
        self.process.start(&Launch {
            program: &program,
            args: &args,
            environment: &[],
            account: None,
        })?;
        self.started_as.note(&program, &settings)?;
        let answers = || async { UnixStream::connect(&self.socket).await.is_ok() };
        self.process.wait_until(Duration::from_secs(10), answers).await?;
        Ok(host)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when it does not end.
    pub async fn down(&self) -> Result<(), DevError> {
        self.process.stop(Signal::TERM, Duration::from_secs(10)).await
    }
}
