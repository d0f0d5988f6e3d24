//! A private Docker Engine in Swarm mode, with its containers.
//!
//! Each engine lives in namespaces of its own (processes, mounts, network, host name), of which a small shell,
//! `engine.sh`, is process 1: when that goes, the kernel ends the daemon, its containerd and every container.
//! A pair of virtual Ethernet devices joins the engine's network to this machine's. From both sides, and from its
//! containers, the engine's end is reached by [`Engine::address`].

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::eventually::eventually;
use super::keeper::run;
use super::nats::Nats;
use super::process::{Process, tail};

/// The agent's image of this build, once [`Engine::load_agent_image`] has loaded it.
pub(crate) const AGENT_IMAGE: &str = "chorus-agent:test";

const PATIENCE: Duration = Duration::from_secs(60);

static SHARED: OnceCell<Engine> = OnceCell::const_new();

/// A Docker Engine that is the only node of its Swarm.
pub(crate) struct Engine {
    room: PathBuf,
    address: Ipv4Addr,
    namespaces: Process,
    orders: Mutex<ChildStdin>,
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
        assert!(
            rustix::process::getuid().is_root(),
            "a private Docker Engine needs root: use sudo"
        );
        let room = run().room("engine");
        let (mut namespaces, orders) = Process::spawn_piped(
            Command::new("unshare")
                .args([
                    "--fork",
                    "--kill-child",
                    "--pid",
                    "--mount-proc",
                    "--mount",
                    "--net",
                    "--uts",
                    "--ipc",
                ])
                .args(["bash", "-c", include_str!("engine.sh"), "engine"])
                .arg(&room),
            &room.join("log"),
        );
        eventually(PATIENCE, "the engine's namespaces are prepared", async || {
            namespaces.assert_running();
            fs::metadata(room.join("prepared"))
        })
        .await;
        let address = join_networks(&room, namespaces.id());
        let engine = Self {
            room,
            address,
            namespaces,
            orders: Mutex::new(orders),
            agent_image: OnceCell::new(),
        };
        engine.order("start");
        engine.until_it_answers().await;
        engine
            .docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"])
            .await;
        engine.until_its_node_is_ready().await;
        engine
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
        Nats::start_at(self.address, Some(network_of(self.namespaces.id()))).await
    }

    /// SIGKILL to the daemon. Its containers run on until it is restarted, which removes them.
    pub(crate) async fn kill(&mut self) {
        self.order("kill");
        let ended = self.room.join("ended");
        eventually(PATIENCE, "dockerd has ended", async || fs::metadata(&ended)).await;
    }

    /// Starts the killed daemon on its data, and waits until its Swarm is there again.
    pub(crate) async fn restart(&mut self) {
        fs::remove_file(self.room.join("ended")).unwrap();
        self.order("start");
        self.until_it_answers().await;
        self.until_its_node_is_ready().await;
    }

    fn order(&self, order: &str) {
        writeln!(self.orders.lock().unwrap(), "{order}").unwrap();
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

fn network_of(process: u32) -> PathBuf {
    format!("/proc/{process}/ns/net").into()
}

/// Joins the network of `process` to this machine's, and returns the address of its end.
///
/// The devices vanish with the engine's network. Their addresses are of the range that is set aside for tests of
/// network equipment (198.18.0.0/15), four for each engine, told apart by the device number that the kernel gave.
fn join_networks(room: &Path, process: u32) -> Ipv4Addr {
    let network = network_of(process);
    let device = device_name(room);
    ip(
        None,
        &[
            "link",
            "add",
            &device,
            "type",
            "veth",
            "peer",
            "name",
            "uplink",
            "netns",
            &process.to_string(),
        ],
    );
    let index = fs::read_to_string(format!("/sys/class/net/{device}/ifindex")).unwrap();
    let index: u32 = index.trim().parse().unwrap();
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * (index % (1 << 15));
    let (ours, theirs) = (Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2));
    ip(None, &["address", "add", &format!("{ours}/30"), "dev", &device]);
    ip(None, &["link", "set", &device, "up"]);
    ip(
        Some(&network),
        &["address", "add", &format!("{theirs}/30"), "dev", "uplink"],
    );
    ip(Some(&network), &["link", "set", "uplink", "up"]);
    theirs
}

/// Unique on this machine, as the run's name is, and at most 15 bytes: of `/tmp/wit-AbCdEf/engine-3`, `wAbCdEf-3`.
fn device_name(room: &Path) -> String {
    let suffix = |path: &Path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    format!("w{}-{}", suffix(run().folder()), suffix(room))
}

fn ip(network: Option<&Path>, arguments: &[&str]) {
    let mut command = Command::new(if network.is_some() { "nsenter" } else { "ip" });
    if let Some(network) = network {
        command.arg(format!("--net={}", network.display())).arg("ip");
    }
    let output = command.args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
