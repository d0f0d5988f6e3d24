//! chorus-agent as a container sees it: the real binary, a real nats-server, real signals.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_nats::Subscriber;
use futures::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use whoosh::bus::StatusClaim;

use crate::harness::eventually::eventually;

/// Nothing here takes this long; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const STATUS: &str = "backbeat.status.lab";
const BEAT: &str = "backbeat.beat.lab";

/// A nats-server of the test's own, killed with it.
struct Nats {
    child: Child,
    address: String,
    _files: TempDir,
}

impl Nats {
    async fn start(port: &str, extra: &[&str]) -> Self {
        let files = TempDir::new().unwrap();
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", port, "--ports_file_dir"])
            .arg(files.path())
            .args(extra)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("start nats-server (install it with: apt-get install nats-server)");
        let file = files
            .path()
            .join(format!("nats-server_{}.ports", child.id().unwrap()));
        let address = eventually(PATIENCE, "nats-server chooses a port", async || {
            ports_file(&file).ok_or("it has no port yet")
        })
        .await;
        Self {
            child,
            address,
            _files: files,
        }
    }

    fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    async fn claims(&self) -> Subscriber {
        let client = async_nats::connect(self.url()).await.unwrap();
        let claims = client.subscribe(STATUS).await.unwrap();
        client.flush().await.unwrap();
        claims
    }
}

fn ports_file(file: &Path) -> Option<String> {
    let ports: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    ports["nats"][0]
        .as_str()?
        .strip_prefix("nats://")
        .map(str::to_owned)
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorus-agent"));
    command.env_clear().envs(variables.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A running agent, killed with the test.
struct Agent {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    port: u16,
}

impl Agent {
    /// Starts an agent on a free port that reports every 100 ms.
    async fn start(extra: &[(&str, &str)]) -> Self {
        let mut variables = vec![
            ("CHORUS_AGENT_NAME", "team_default_payments_reviewer_2"),
            ("CHORUS_ROLE", "reviewer"),
            ("CHORUS_SLOT", "2"),
            ("CHORUS_TASK_ID", "42"),
            ("CHORUS_BACKBEAT_CLUSTER_ID", "lab"),
            ("CHORUS_HEARTBEAT_INTERVAL", "100ms"),
            ("CHORUS_AGENT_PORT", "0"),
        ];
        variables.extend(extra);
        let mut child = command(&variables).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = within("line that tells the port", async {
            loop {
                let line = log.next_line().await.unwrap().expect("the agent ended");
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["message"] == "serving" {
                    return line["port"].as_u64().unwrap();
                }
            }
        });
        let port = u16::try_from(port.await).unwrap();
        Self { child, log, port }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: agent\r\n\r\n").as_bytes())
            .await
            .unwrap();
        answer(stream).await
    }

    fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Waits for the end; the exit status and the log from here on.
    async fn ended(mut self) -> (ExitStatus, String) {
        within("end of the agent", async {
            let mut log = String::new();
            while let Some(line) = self.log.next_line().await.unwrap() {
                log.push_str(&line);
                log.push('\n');
            }
            (self.child.wait().await.unwrap(), log)
        })
        .await
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

async fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    within("answer", stream.read_to_string(&mut text)).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// The next claim, which must follow the contract, that `wanted` accepts.
async fn claim(claims: &mut Subscriber, wanted: impl Fn(&StatusClaim) -> bool) -> StatusClaim {
    within("claim as wanted", async {
        loop {
            let message = claims.next().await.unwrap();
            let claim = StatusClaim::from_json(&message.payload).unwrap();
            let headers = message.headers.unwrap();
            assert_eq!(
                headers.get("Chorus-Schema").unwrap().as_str(),
                "backbeat.statusclaim.v1"
            );
            assert!(
                headers
                    .get("Published-At")
                    .unwrap()
                    .as_str()
                    .parse::<jiff::Timestamp>()
                    .is_ok()
            );
            if wanted(&claim) {
                return claim;
            }
        }
    })
    .await
}

fn is_draining(claim: &StatusClaim) -> bool {
    claim.notes.as_deref() == Some("draining")
}

async fn health_check(port: u16) -> (Option<i32>, String) {
    let port = port.to_string();
    let output = command(&[("CHORUS_AGENT_PORT", &port)])
        .arg("health")
        .output()
        .await
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_agent_without_nats_is_healthy_and_stops_when_told() {
    for signal in [Signal::TERM, Signal::INT] {
        let agent = Agent::start(&[]).await;
        let (code, health) = agent.get("/health").await;
        assert_eq!((code, &health["status"]), (200, &json!("ok")));
        assert_eq!(health["agent"], "team_default_payments_reviewer_2");
        assert_eq!(
            (&health["role"], &health["slot"]),
            (&json!("reviewer"), &json!(2))
        );
        assert!(health["uptime_seconds"].is_u64());
        assert_eq!(agent.get("/ready").await.0, 200);

        let port = agent.port;
        assert_eq!(health_check(port).await, (Some(0), String::new()));
        agent.signal(signal);
        let (status, log) = agent.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
        let (code, message) = health_check(port).await;
        assert_eq!(code, Some(1));
        assert!(
            message.contains(&format!("no answer from http://127.0.0.1:{port}/health")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn claims_follow_the_beats() {
    let nats = Nats::start("-1", &[]).await;
    let mut claims = nats.claims().await;
    let _agent = Agent::start(&[("NATS_URL", &nats.url())]).await;

    let first = claim(&mut claims, |_| true).await;
    assert_eq!(first.agent_id, "team_default_payments_reviewer_2");
    assert_eq!((first.beat_index, first.task_id.as_deref()), (0, Some("42")));

    let conductor = async_nats::connect(nats.url()).await.unwrap();
    conductor.publish(BEAT, "not a beat".into()).await.unwrap();
    let frame = json!({
        "type": "backbeat.beatframe.v1", "cluster_id": "lab", "beat_index": 1337, "downbeat": true,
        "phase": "execute", "hlc": "7ffd:0001:abcd", "deadline_at": "2025-09-05T12:30:00Z",
        "tempo_bpm": 2.0, "window_id": "7e9b0e6c4c9a4e59b7f2d9a3c1b2e4d5"
    });
    conductor.publish(BEAT, frame.to_string().into()).await.unwrap();
    claim(&mut claims, |claim| claim.beat_index == 1337).await;
}

#[tokio::test]
async fn a_stopping_agent_says_so_and_finishes_what_it_was_asked() {
    let nats = Nats::start("-1", &[]).await;
    let mut claims = nats.claims().await;
    let agent = Agent::start(&[("NATS_URL", &nats.url())]).await;
    claim(&mut claims, |_| true).await;

    let mut half_asked = TcpStream::connect(("127.0.0.1", agent.port)).await.unwrap();
    half_asked.write_all(b"GET /ready HTTP/1.1\r\n").await.unwrap();
    assert_eq!(agent.get("/ready").await.0, 200);
    agent.signal(Signal::TERM);
    let last = claim(&mut claims, is_draining).await;
    assert_eq!(last.metadata.unwrap()["draining"], true);
    half_asked.write_all(b"Host: agent\r\n\r\n").await.unwrap();
    assert_eq!(answer(half_asked).await.0, 503);
    let (status, log) = agent.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn an_outage_of_nats_costs_reports_and_nothing_else() {
    let nats = Nats::start("-1", &[]).await;
    let (url, port) = (nats.url(), nats.port().to_owned());
    drop(nats);
    let agent = Agent::start(&[("NATS_URL", &url)]).await;
    assert_eq!(agent.get("/health").await.0, 200);
    assert_eq!(agent.get("/ready").await.0, 200);

    for _ in 0..2 {
        let mut nats = Nats::start(&port, &[]).await;
        claim(&mut nats.claims().await, |_| true).await;
        nats.child.kill().await.unwrap();
        assert_eq!(agent.get("/health").await.0, 200);
        assert_eq!(agent.get("/ready").await.0, 200);
    }
    agent.signal(Signal::TERM);
    let (status, log) = agent.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn a_frozen_nats_does_not_hold_the_stop() {
    let nats = Nats::start("-1", &[]).await;
    let mut claims = nats.claims().await;
    let agent = Agent::start(&[("NATS_URL", &nats.url()), ("WHOOSH_STOP_GRACE", "4s")]).await;
    claim(&mut claims, |_| true).await;
    send(&nats.child, Signal::STOP);
    let asked = tokio::time::Instant::now();
    agent.signal(Signal::TERM);
    let (status, log) = agent.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{log}");
}

#[tokio::test]
async fn credentials_of_the_url_are_used_and_never_logged() {
    let nats = Nats::start("-1", &["--user", "chorus", "--pass", "hunter2/"]).await;
    let url = format!("nats://chorus:hunter2%2F@{}", nats.address);
    let options = async_nats::ConnectOptions::with_user_and_password("chorus".into(), "hunter2/".into());
    let client = options.connect(&nats.address).await.unwrap();
    let mut claims = client.subscribe(STATUS).await.unwrap();
    client.flush().await.unwrap();

    let agent = Agent::start(&[("NATS_URL", &url), ("RUST_LOG", "trace")]).await;
    claim(&mut claims, |_| true).await;
    agent.signal(Signal::TERM);
    let (_, log) = agent.ended().await;
    assert!(
        log.contains("connected to NATS") && !log.contains("hunter2"),
        "{log}"
    );
}

#[tokio::test]
async fn what_keeps_an_agent_from_starting_is_told_at_once() {
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let check = async |variables: &[(&str, &str)], parts: &[&str]| {
        let output = within("end", command(variables).output()).await.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
    };
    check(
        &[
            ("CHORUS_SLOT", "two"),
            ("NATS_URL", "http://bob:hunter2@nats"),
            ("WHOOSH_COORDINATOR", "yes"),
        ],
        &[
            "5 problems in the environment",
            "CHORUS_AGENT_NAME is missing",
            "CHORUS_ROLE is missing",
            "CHORUS_SLOT is \"two\"",
            "NATS_URL is refused",
            "WHOOSH_COORDINATOR is \"yes\"",
        ],
    )
    .await;
    check(
        &[("RUST_LOG", "whoosh=loud")],
        &["\"whoosh=loud\"", "is not understood"],
    )
    .await;
    let named = [
        ("CHORUS_AGENT_NAME", "a"),
        ("CHORUS_ROLE", "r"),
        ("CHORUS_SLOT", "1"),
    ];
    let on_taken = [named.as_slice(), &[("CHORUS_AGENT_PORT", taken.as_str())]].concat();
    check(
        &on_taken,
        &["cannot listen on port", "--port or CHORUS_AGENT_PORT"],
    )
    .await;
}
