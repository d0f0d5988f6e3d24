//! A private Docker Engine in Swarm mode, with its containers.
//!
//! Each engine lives on a [`Machine`] of its own. A pair of virtual Ethernet devices joins the machine's network to
//! this one's, or to a switch's. From both sides, and from the engine's containers, the engine's end is reached by
//! [`Engine::address`].

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::eventually::eventually;
use super::keeper::run;
use super::machine::Machine;
use super::nats::Nats;
use super::network::join_networks;
use super::process::tail;

/// The agent's image of this build, once [`Engine::load_agent_image`] has loaded it.
pub(crate) const AGENT_IMAGE: &str = "chorus-agent:test";

const PATIENCE: Duration = Duration::from_secs(60);

static SHARED: OnceCell<Engine> = OnceCell::const_new();

/// A Docker Engine; unless something else is said, the only node of its Swarm.
pub(crate) struct Engine {
    room: PathBuf,
    hostname: String,
    address: Ipv4Addr,
    machine: Machine,
    agent_image: OnceCell<()>,
}

impl Engine {
    /// The engine that tests share; they take care not to touch one another's objects.
    pub(crate) async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    /// Starts an engine for a test that needs one of its own.
    ///
    /// # Panics
    /// If it does not start, with the end of its log: a test that cannot run has failed.
    pub(crate) async fn start() -> Self {
        let engine = Self::boot("node-1", join_networks).await;
        engine
            .docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"])
            .await;
        engine.until_its_node_is_ready().await;
        engine
    }

    /// Starts an engine that is in no Swarm yet, on a machine whose network `join` connects to others: it is given the
    /// engine's folder and a process of the machine, and says by what address the machine can be reached.
    pub(super) async fn boot(hostname: &str, join: impl FnOnce(&Path, u32) -> Ipv4Addr) -> Self {
        let room = run().room("engine");
        let machine = Machine::start(&room, hostname).await;
        let engine = Self {
            address: join(&room, machine.id()),
            room,
            hostname: hostname.to_owned(),
            machine,
            agent_image: OnceCell::new(),
        };
        engine.machine.order("start");
        engine.until_it_answers().await;
        engine
    }

    /// The engine's machine fails: the daemon and all containers are gone at once, and its network with them.
    pub(super) fn power_off(&mut self) {
        self.machine.fail();
    }

    /// The failed machine starts on its disk, and its daemon with it; `join` as in [`Engine::boot`].
    pub(super) async fn power_on(&mut self, join: impl FnOnce(&Path, u32) -> Ipv4Addr) {
        self.machine = Machine::start(&self.room, &self.hostname).await;
        self.address = join(&self.room, self.machine.id());
        self.start_daemon().await;
    }

    /// The Unix socket of the engine's API.
    pub(crate) fn socket(&self) -> PathBuf {
        self.room.join("docker.sock")
    }

    /// The engine's address, for this process and for its containers.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs the docker command against this engine and returns what it prints.
    ///
    /// # Panics
    /// If the command fails, with its complaint.
    pub(crate) async fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments)
            .await
            .unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
    }

    /// Runs the docker command against this engine; returns what it prints, or its complaint if it fails.
    pub(crate) async fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        run_to_end(
            tokio::process::Command::new("docker")
                .args(arguments)
                .envs(self.environment()),
        )
        .await
    }

    /// Builds the image `tag` around a program of this machine, as the agent's image is built.
    pub(crate) async fn load_image(&self, program: &Path, tag: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/agent-image");
        let mut command = tokio::process::Command::new(script);
        run_to_end(command.arg(program).arg(tag).envs(self.environment()))
            .await
            .unwrap();
    }

    /// Makes sure that the engine has the image of the agent of this build, [`AGENT_IMAGE`].
    pub(crate) async fn load_agent_image(&self) {
        let agent = Path::new(env!("CARGO_BIN_EXE_chorus-agent"));
        self.agent_image
            .get_or_init(|| self.load_image(agent, AGENT_IMAGE))
            .await;
    }

    /// Starts a nats-server that this process and the engine's containers reach by the same URL.
    pub(crate) async fn nats(&self) -> Nats {
        Nats::start_at(self.address, Some(self.machine.network())).await
    }

    /// SIGKILL to the daemon. Its containers run on until it is restarted, which removes them.
    pub(crate) async fn kill(&mut self) {
        self.machine.order("kill");
        let ended = self.room.join("ended");
        eventually(PATIENCE, "dockerd has ended", async || fs::metadata(&ended)).await;
    }

    /// Starts the killed daemon on its data, and waits until its Swarm is there again.
    pub(crate) async fn restart(&mut self) {
        self.start_daemon().await;
        self.until_its_node_is_ready().await;
    }

    /// SIGSTOP to the daemon: its connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.machine.order("pause");
    }

    /// The paused daemon goes on.
    pub(crate) fn resume(&self) {
        self.machine.order("resume");
    }

    /// The same, without waiting for a Swarm.
    pub(crate) async fn start_daemon(&mut self) {
        // There is none after a failure of the machine.
        let _of_the_last_daemon = fs::remove_file(self.room.join("ended"));
        self.machine.order("start");
        self.until_it_answers().await;
    }

    /// The docker command heeds neither the user's configuration nor a chosen context.
    fn environment(&self) -> [(&str, OsString); 2] {
        let mut host = OsString::from("unix://");
        host.push(self.socket());
        [
            ("DOCKER_HOST", host),
            ("DOCKER_CONFIG", self.room.join("config").into()),
        ]
    }

    async fn until_it_answers(&self) {
        eventually(PATIENCE, "dockerd answers", async || {
            let log = || tail(&self.room.join("log"));
            assert!(
                !self.room.join("ended").exists(),
                "dockerd ended; its log ends with:\n{}",
                log()
            );
            let version = self.try_docker(&["version"]).await;
            version.map_err(|error| format!("{error}\nThe log ends with:\n{}", log()))
        })
        .await;
    }

    async fn until_its_node_is_ready(&self) {
        let status = [
            "node",
            "inspect",
            "self",
            "--format",
            "{{.Status.State}} {{.ManagerStatus.Leader}}",
        ];
        eventually(PATIENCE, "the Swarm's node is ready", async || {
            match self.try_docker(&status).await {
                Ok(status) if status == "ready true" => Ok(()),
                Ok(other) | Err(other) => Err(other),
            }
        })
        .await;
    }
}

async fn run_to_end(command: &mut tokio::process::Command) -> Result<String, String> {
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}
