//! An operator of a test's own: its database, its socket, its log; and the command line that talks to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::docker::Engine;
use super::eventually::eventually;
use super::keeper::run;
use super::postgres::{Database, database};
use super::process::Process;

const PATIENCE: Duration = Duration::from_secs(60);
const SOCKET: &str = "WHOOSH_SOCKET";

/// A running `whoosh operator`.
pub(crate) struct Operator {
    room: PathBuf,
    settings: Vec<(&'static str, String)>,
    process: Process,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Printed {
    /// Its standard output.
    ///
    /// # Panics
    /// If its exit code was not 0.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }
}

/// Waits for a command's end.
pub(crate) async fn printed(child: tokio::process::Child) -> Printed {
    let output = child.wait_with_output().await.unwrap();
    Printed {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Operator {
    /// Starts an operator on a fresh database and `engine`, and waits until it is ready.
    pub(crate) async fn start(engine: &Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// The same, with further settings in its environment.
    pub(crate) async fn start_with(engine: &Engine, more: &[(&'static str, String)]) -> Self {
        Self::start_on(&engine.socket(), &database().await, more).await
    }

    /// The same, on a database of the caller's and the engine behind a socket.
    pub(crate) async fn start_on(
        engine: &Path,
        database: &Database,
        more: &[(&'static str, String)],
    ) -> Self {
        let room = run().room("operator");
        let secrets = room.join("secrets");
        fs::create_dir_all(&secrets).unwrap();
        let mut settings = vec![
            (SOCKET, room.join("run/whoosh.sock").display().to_string()),
            ("WHOOSH_DATABASE_URL", database.url.clone()),
            ("WHOOSH_SECRETS_DIR", secrets.display().to_string()),
            ("DOCKER_HOST", format!("unix://{}", engine.display())),
            ("WHOOSH_LOG", "info,whoosh=debug".to_owned()),
        ];
        // What a file says is not said twice.
        settings.retain(|(name, _)| more.iter().all(|(other, _)| *other != format!("{name}_FILE")));
        settings.extend(more.iter().cloned());
        let process = spawn(&room, &settings);
        let mut operator = Self {
            room,
            settings,
            process,
        };
        operator.until_ready().await;
        operator
    }

    /// Starts a second operator as on a copy of this one's machine: with its settings, its database and engine, and a
    /// socket of the same path. The socket of this one moves for that.
    pub(crate) async fn start_copy(&mut self) -> Self {
        let room = run().room("operator");
        let moved = room.join("original");
        fs::rename(self.socket().parent().unwrap(), &moved).unwrap();
        let settings = self.settings.clone();
        let (_, socket) = self
            .settings
            .iter_mut()
            .find(|(name, _)| *name == SOCKET)
            .unwrap();
        *socket = moved.join("whoosh.sock").display().to_string();
        let process = spawn(&room, &settings);
        let mut copy = Self {
            room,
            settings,
            process,
        };
        copy.until_ready().await;
        copy
    }

    /// Its API's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        let (_, socket) = self.settings.iter().find(|(name, _)| *name == SOCKET).unwrap();
        socket.into()
    }

    /// What `/metrics` answers.
    pub(crate) async fn metrics(&self) -> String {
        let client = super::http().unix_socket(self.socket()).build().unwrap();
        let answer = client.get("http://whoosh/metrics").send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Whether it says that it leads.
    pub(crate) async fn leads(&self) -> bool {
        self.metrics().await.lines().any(|line| line == "whoosh_leader 1")
    }

    /// The folder of secret files.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.room.join("secrets")
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.room.join("log")).unwrap()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the same settings, without waiting.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(&self.room, &self.settings);
    }

    /// Waits until `/readyz` says so.
    pub(crate) async fn until_ready(&mut self) {
        eventually(PATIENCE, "the operator is ready", async || {
            self.process.assert_running();
            self.ready().await
        })
        .await;
    }

    /// What `/readyz` says: well, or what is not.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let client = super::http().unix_socket(self.socket()).build().unwrap();
        let answer = client
            .get("http://whoosh/readyz?verbose")
            .send()
            .await
            .map_err(|error| format!("{error:?}"))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("{status} {text}"))
        }
    }

    /// Runs `whoosh` against it.
    pub(crate) async fn whoosh(&self, arguments: &[&str]) -> Printed {
        self.whoosh_with(arguments, "").await
    }

    /// Runs `whoosh` against it with `input` on its standard input.
    pub(crate) async fn whoosh_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self.start_command(arguments);
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input ends before all of it is written.
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        printed(child).await
    }

    /// Starts `whoosh` against it, which goes on until it ends by itself or is dropped.
    pub(crate) fn start_command(&self, arguments: &[&str]) -> tokio::process::Child {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_whoosh"));
        command
            .args(arguments)
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// `whoosh apply -f - ARGUMENTS` with `yaml`.
    pub(crate) async fn apply(&self, yaml: &str, arguments: &[&str]) -> Printed {
        let all: Vec<&str> = ["apply", "-f", "-"].iter().chain(arguments).copied().collect();
        self.whoosh_with(&all, yaml).await
    }

    /// An object as JSON.
    pub(crate) async fn get(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = ["get"]
            .iter()
            .chain(arguments)
            .copied()
            .chain(["-o", "json"])
            .collect();
        serde_json::from_str(&self.whoosh(&all).await.ok()).unwrap()
    }
}

fn spawn(room: &Path, settings: &[(&'static str, String)]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoosh"));
    command
        .arg("operator")
        .envs(settings.iter().map(|(name, value)| (name, value)));
    Process::spawn(&mut command, &room.join("log"))
}
