//! A private nats-server with JetStream.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::eventually::eventually;
use super::keeper::run;
use super::process::Process;

const PATIENCE: Duration = Duration::from_secs(30);
const AGENTS_PATIENCE: Duration = Duration::from_secs(120);
const USER: &str = "whoosh";

/// A nats-server; its port stays the same over a restart.
pub(crate) struct Nats {
    folder: PathBuf,
    network: Option<PathBuf>,
    address: SocketAddrV4,
    password: Option<String>,
    server: Process,
}

impl Nats {
    /// Starts a server on the loopback address, where no container reaches it.
    pub(crate) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, None).await
    }

    /// Starts a server that listens on an `address` of the network namespace `network` (this process's if none)
    /// and can be reached by it from here.
    pub(crate) async fn start_at(address: Ipv4Addr, network: Option<PathBuf>) -> Self {
        let folder = run().room("nats");
        let address = SocketAddrV4::new(address, 0);
        let server = serve(&folder, network.as_deref(), address, None);
        let mut nats = Self {
            folder,
            network,
            address,
            password: None,
            server,
        };
        let port = eventually(PATIENCE, "nats-server chooses a port", async || {
            nats.server.assert_running();
            chosen_port(&nats.folder, nats.server.id())
        })
        .await;
        nats.address.set_port(port);
        nats.until_it_answers().await;
        nats
    }

    /// What clients connect with.
    pub(crate) fn url(&self) -> String {
        match &self.password {
            None => format!("nats://{}", self.address),
            Some(password) => format!("nats://{USER}:{password}@{}", self.address),
        }
    }

    /// Starts again, and lets only clients in that have this password.
    pub(crate) async fn demand(&mut self, password: &str) {
        self.kill();
        self.password = Some(password.to_owned());
        self.restart().await;
    }

    /// The TCP port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// SIGSTOP: its connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.server.pause();
    }

    /// The paused server goes on.
    pub(crate) fn resume(&self) {
        self.server.resume();
    }

    /// Starts the killed server on its data and its port, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        let password = self.password.as_deref();
        self.server = serve(&self.folder, self.network.as_deref(), self.address, password);
        self.until_it_answers().await;
    }

    /// Waits until that many agents have reported to BACKBEAT.
    ///
    /// # Panics
    /// If they do not.
    pub(crate) async fn until_agents_report(&self, count: usize) {
        let options = match &self.password {
            None => async_nats::ConnectOptions::new(),
            Some(password) => {
                async_nats::ConnectOptions::with_user_and_password(USER.to_owned(), password.clone())
            }
        };
        let client = options.connect(self.address.to_string()).await.unwrap();
        let mut claims = client.subscribe("backbeat.status.>").await.unwrap();
        let mut agents = BTreeSet::new();
        let heard = timeout(AGENTS_PATIENCE, async {
            while agents.len() < count {
                let claim: Value = serde_json::from_slice(&claims.next().await.unwrap().payload).unwrap();
                agents.insert(claim["agent_id"].as_str().unwrap().to_owned());
            }
        });
        assert!(heard.await.is_ok(), "only {agents:?} report");
    }

    async fn until_it_answers(&mut self) {
        eventually(PATIENCE, "nats-server answers", async || {
            self.server.assert_running();
            greeting(self.address).await.map_err(|error| error.to_string())
        })
        .await;
    }
}

/// A port of 0 means: any that is free.
fn serve(folder: &Path, network: Option<&Path>, address: SocketAddrV4, password: Option<&str>) -> Process {
    let mut command = match network {
        None => Command::new("nats-server"),
        Some(network) => {
            let mut command = Command::new("nsenter");
            command
                .arg(format!("--net={}", network.display()))
                .arg("nats-server");
            command
        }
    };
    let port = if address.port() == 0 {
        "-1".to_owned()
    } else {
        address.port().to_string()
    };
    command.args(["--addr", &address.ip().to_string(), "--port", &port]);
    if let Some(password) = password {
        command.args(["--user", USER, "--pass", password]);
    }
    command
        .arg("--jetstream")
        .arg("--store_dir")
        .arg(folder)
        .arg("--ports_file_dir")
        .arg(folder);
    Process::spawn(command.stdin(Stdio::null()), &folder.join("log"))
}

/// Reads the file in which the server says what it listens on.
fn chosen_port(folder: &Path, pid: u32) -> Result<u16, String> {
    let file = folder.join(format!("nats-server_{pid}.ports"));
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let ports: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let url = ports["nats"][0].as_str().ok_or("it has no port yet")?;
    let (_, port) = url.rsplit_once(':').ok_or("it has no port yet")?;
    port.parse().map_err(|_| format!("{url} ends in no port"))
}

/// The line that a NATS server sends to whoever connects.
async fn greeting(address: SocketAddrV4) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(TcpStream::connect(address).await?)
        .read_line(&mut line)
        .await?;
    if line.starts_with("INFO ") {
        Ok(line)
    } else {
        Err(std::io::Error::other(format!("it said {line:?}")))
    }
}
