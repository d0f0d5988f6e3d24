//! A private nats-server, on an address of this machine that agents' containers can reach.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::TcpStream;

use super::address::KeptAddress;
use super::process::{Launch, Process, folder_of};
use super::{DevError, Home};

/// The private NATS below a home.
#[derive(Clone, Debug)]
pub struct Nats {
    process: Process,
    address: KeptAddress,
}

impl Nats {
    /// The one that belongs to `home`.
    pub fn new(home: &Home) -> Self {
        Self {
            process: Process::new(home, "nats"),
            address: KeptAddress::new(home, "nats"),
        }
    }

    /// Starts it on `host` and returns its URL. Does nothing when it runs.
    ///
    /// The port is drawn once and kept: it is part of every agent's environment, and a new one restarts them all.
    ///
    /// # Errors
    /// [`DevError`] when its program is missing or it does not come up.
    pub async fn up(&self, host: IpAddr) -> Result<String, DevError> {
        if let (Some(address), Some(_)) = (self.address.known(), self.process.running()) {
            return Ok(url(address));
        }
        let address = self.address.draw(host)?;
        let folder = folder_of("nats-server").ok_or(DevError::Missing {
            program: "nats-server",
            package: "nats-server",
            flag: "--nats-url",
        })?;
        let args = [
            "-a".to_owned(),
            address.ip().to_string(),
            "-p".to_owned(),
            address.port().to_string(),
        ];
        let program = folder.join("nats-server");
        self.process.start(&Launch {
            program: &program,
            args: &args,
            environment: &[],
            account: None,
        })?;
        let answers = || async move { TcpStream::connect(address).await.is_ok() };
        self.process.wait_until(Duration::from_secs(10), answers).await?;
        Ok(url(address))
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DevError::StillRunning`] when it does not end.
    pub async fn down(&self) -> Result<(), DevError> {
        self.process.stop(Signal::TERM, Duration::from_secs(10)).await
    }
}

fn url(address: SocketAddr) -> String {
    format!("nats://{address}")
}
