//! A repository with somebody who commits, and an operator on a simulated Swarm that keeps it applied.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use whoosh::sim::{Settings, Simulation};

use crate::harness::eventually::eventually;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRETS: &str = "git-secrets";

/// The repository, the operator, and the Swarm on paper.
pub(super) struct Stage {
    pub(super) operator: Operator,
    pub(super) repository: Repository,
    /// Named for what it keeps alive.
    _swarm: Simulation,
    folder: TempDir,
}

/// A bare repository and a clone of it.
pub(super) struct Repository {
    bare: PathBuf,
    clone: PathBuf,
}

impl Repository {
    fn new(folder: &Path) -> Self {
        let (bare, clone) = (folder.join("fleet.git"), folder.join("clone"));
        let path = |path: &Path| path.display().to_string();
        git(
            folder,
            &["init", "--quiet", "--bare", "--initial-branch=main", &path(&bare)],
        );
        git(
            folder,
            &["init", "--quiet", "--initial-branch=main", &path(&clone)],
        );
        git(&clone, &["remote", "add", "origin", &path(&bare)]);
        Self { bare, clone }
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    /// Writes a file of the next commit.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.clone.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Leaves a file out of the next commit.
    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.clone.join(path)).unwrap();
    }

    /// Commits and pushes; the commit's hash.
    pub(super) fn push(&self, message: &str) -> String {
        git(&self.clone, &["add", "--all"]);
        git(
            &self.clone,
            &["commit", "--quiet", "--allow-empty", "--message", message],
        );
        git(&self.clone, &["push", "--quiet", "--force", "origin", "main"]);
        git(&self.clone, &["rev-parse", "HEAD"]).trim().to_owned()
    }
}

/// Runs git as Ada, whatever this machine's configuration says.
pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ada")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "ada@example.org")))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Stage {
    /// An operator, and a repository without a commit.
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, with further settings of the operator.
    pub(super) async fn with(more: &[(&'static str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let swarm = Simulation::start(&socket, Settings::default()).unwrap();
        let below = |name: &str| folder.path().join(name).display().to_string();
        let mut settings = vec![
            (
                "WHOOSH_GIT_ALLOW",
                format!("file://{}/*,https://localhost:*,ssh://*", folder.path().display()),
            ),
            ("WHOOSH_GIT_DIR", below("cache")),
            ("WHOOSH_GIT_SECRETS", below(SECRETS)),
        ];
        settings.extend(more.iter().cloned());
        Self {
            operator: Operator::start_on(&socket, &database().await, &settings).await,
            repository: Repository::new(folder.path()),
            _swarm: swarm,
            folder,
        }
    }

    /// The same, whose source `fleet`, with further fields, has applied these teams.
    pub(super) async fn with_teams(names: &[&str], more: Value) -> Self {
        let stage = Self::new().await;
        for name in names {
            stage.repository.write(&format!("prod/{name}.yaml"), &team(name));
        }
        stage.repository.push("Teams");
        stage.source(more).await;
        stage.until_message("is applied").await;
        stage
    }

    /// Declares the source `fleet`, with further fields.
    pub(super) async fn source(&self, more: Value) {
        let mut spec = json!({"url": self.repository.url(), "ref": {"branch": "main"}, "path": "prod",
                              "interval": "1h", "retryInterval": "1h", "prune": true});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let source = json!({"apiVersion": "chorus.services/v1", "kind": "GitSource",
                            "metadata": {"name": "fleet"}, "spec": spec});
        self.operator.apply(&source.to_string(), &[]).await.ok();
    }

    /// Writes a file of the secret `fleet`.
    pub(super) fn secret(&self, file: &str, content: &str) {
        self.secret_of("default", file, content);
    }

    /// Writes a file of the secret `fleet` of a namespace.
    pub(super) fn secret_of(&self, namespace: &str, file: &str, content: &str) {
        let secret = self.folder().join(SECRETS).join(namespace).join("fleet");
        fs::create_dir_all(&secret).unwrap();
        fs::write(secret.join(file), content).unwrap();
    }

    /// `whoosh reconcile gitsource/fleet --wait`, which says how it ended.
    pub(super) async fn reconcile(&self, more: &[&str]) -> (i32, String) {
        let all: Vec<&str> = ["reconcile", "gitsource/fleet", "--wait"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let printed = self.operator.whoosh(&all).await;
        (printed.code, printed.out + &printed.err)
    }

    /// The source's status.
    pub(super) async fn status(&self) -> Value {
        self.operator.get(&["gitsource/fleet"]).await["status"].clone()
    }

    /// Waits until the source's message is like this.
    pub(super) async fn until_message(&self, part: &str) -> Value {
        eventually(PATIENCE, part, async || {
            let status = self.status().await;
            match status["message"]
                .as_str()
                .is_some_and(|message| message.contains(part))
            {
                true => Ok(status),
                false => Err(status.to_string()),
            }
        })
        .await
    }

    /// Waits until so many teams of the source are ready.
    pub(super) async fn until_healthy(&self, teams: usize) {
        eventually(PATIENCE, "the teams are ready", async || {
            let status = self.status().await;
            match status["health"]["ready"] == teams {
                true => Ok(()),
                false => Err(status.to_string()),
            }
        })
        .await;
    }

    /// The names of the teams that are declared and not about to go.
    pub(super) async fn teams(&self) -> Vec<String> {
        let listed = self.operator.get(&["teams"]).await;
        let teams = listed["items"].as_array().unwrap().iter();
        let here = teams.filter(|team| team["metadata"]["deletionTimestamp"].is_null());
        here.map(|team| team["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until these are the teams, and no others are on their way out.
    pub(super) async fn until_teams(&self, expected: &[&str]) {
        eventually(PATIENCE, "the teams are these", async || {
            let teams = self.teams().await;
            if teams == expected {
                Ok(())
            } else {
                Err(format!("{teams:?}"))
            }
        })
        .await;
    }

    /// What `whoosh events` tells of an object.
    pub(super) async fn events(&self, what: &str) -> String {
        self.operator.whoosh(&["events", "--for", what]).await.ok()
    }

    /// Waits until the events of an object tell something.
    pub(super) async fn until_told(&self, what: &str, part: &str) -> String {
        eventually(PATIENCE, part, async || {
            let told = self.events(what).await;
            if told.contains(part) { Ok(told) } else { Err(told) }
        })
        .await
    }

    /// A path that only this test knows.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A team of one agent.
pub(super) fn team(name: &str) -> String {
    format!(
        "apiVersion: chorus.services/v1\nkind: Team\nmetadata:\n  name: {name}\nspec:\n  defaults:\n    image: \
         chorus-agent:dev\n  roles:\n  - name: worker\n"
    )
}
