//! The command line, as its users run it: the real binary, alone or in front of a real API and Postgres.

mod bad_input;
mod changing;
mod export;
mod objects;
mod offline;
mod private;
mod rollout;
mod running;
mod server_side;
mod waiting;
mod why;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whoosh::api::{self, Api, Socket};
use whoosh::resource::lifecycle;
use whoosh::resource::lower::Endpoints;
use whoosh::resource::{Key, Kind, Object};
use whoosh::store::{Op, Store, Write};
use whoosh::swarm::{Cache, SecretsDir, Swarm};
use whoosh::telemetry::Metrics;

use crate::harness::operator::{Printed, printed};
use crate::harness::postgres::database;

/// A folder to run `whoosh` in, where no operator answers.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/whoosh.sock")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoosh"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("WHOOSH_SOCKET", self.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    async fn whoosh(&self, arguments: &[&str]) -> Printed {
        self.whoosh_with(arguments, "").await
    }

    async fn whoosh_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input ends before all of it is written.
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        printed(child).await
    }
}

/// A desk with an API at its socket, and nobody who reconciles: tests write what an operator would see.
struct Office {
    desk: Desk,
    store: Store,
    api: Api,
    serving: JoinHandle<()>,
}

fn serve(desk: &Desk, api: &Api) -> JoinHandle<()> {
    let socket = Socket::bind(&desk.socket()).unwrap();
    tokio::spawn(socket.serve(api::router(api.clone()), api.closing.clone()))
}

impl Office {
    async fn open() -> Self {
        let desk = Desk::new();
        let store = Store::connect(&database().await.url).await.unwrap();
        store.migrate().await.unwrap();
        let instance = store.instance_id().await.unwrap();
        let swarm = Swarm::connect("unix:///nowhere/docker.sock").unwrap();
        let cache = Cache::new(swarm, instance.clone(), SecretsDir::default());
        let observing = cache.clone();
        tokio::spawn(async move { observing.run().await });
        let api = Api {
            store: store.clone(),
            cache,
            endpoints: Endpoints::default(),
            instance,
            way_in: None,
            jwt: None,
            git_secrets: None,
            kept: api::Kept::default(),
            quotas: api::Turns::default(),
            metrics: Metrics::new(),
            closing: CancellationToken::new(),
        };
        let serving = serve(&desk, &api);
        Self {
            desk,
            store,
            api,
            serving,
        }
    }

    /// Nobody answers any more.
    async fn close(&mut self) {
        self.api.closing.cancel();
        (&mut self.serving).await.unwrap();
    }

    /// Answers again.
    fn reopen(&mut self) {
        self.api.closing = CancellationToken::new();
        self.serving = serve(&self.desk, &self.api);
    }

    async fn whoosh(&self, arguments: &[&str]) -> Printed {
        self.desk.whoosh(arguments).await
    }

    async fn apply(&self, yaml: &str, arguments: &[&str]) -> Printed {
        let all: Vec<&str> = ["apply", "-f", "-"].iter().chain(arguments).copied().collect();
        self.desk.whoosh_with(&all, yaml).await
    }

    async fn stored(&self, name: &str) -> Option<Object> {
        let key = Key::new(Kind::Team, "default", name);
        self.store.get(&key).await.unwrap()
    }

    /// A client that is not ours.
    fn http(&self) -> reqwest::Client {
        let builder = crate::harness::http();
        builder.unix_socket(self.desk.socket()).build().unwrap()
    }

    /// Writes a team's next status as an operator would.
    async fn set_status(&self, name: &str, status: Value) {
        let old = self.stored(name).await.unwrap();
        self.write(Op::Update {
            object: lifecycle::update_status(&old, status),
            expected: old.revision().unwrap(),
        })
        .await;
    }

    /// Removes a team as an operator would when its agents are gone.
    async fn remove(&self, name: &str) {
        let old = self.stored(name).await.unwrap();
        self.write(Op::Remove {
            key: old.key(),
            expected: old.revision().unwrap(),
        })
        .await;
    }

    async fn write(&self, op: Op) {
        let write = Write {
            op,
            actor: "system:whoosh:test".to_owned(),
            reason: "test".to_owned(),
            epoch: None,
        };
        self.store.write(write).await.unwrap();
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.api.closing.cancel();
    }
}

/// A team with one role, and `more` lines in its spec.
fn team(name: &str, more: &str) -> String {
    format!(
        "apiVersion: chorus.services/v1
kind: Team
metadata: {{name: {name}, labels: {{fleet: test}}}}
spec:
  defaults: {{image: chorus-agent:dev}}
  roles:
    - name: coordinator
{more}---
"
    )
}
