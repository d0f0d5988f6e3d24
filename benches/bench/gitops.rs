//! A Git repository on a simulated Swarm: how soon a commit is applied once a webhook says that it is there, what a
//! commit of a thousand objects takes, and what a look costs that finds nothing new.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use whoosh::sim::{Settings, Simulation};

use crate::figures::{Figures, Reference, median, quantile};
use crate::harness::git::repository::Repository;
use crate::harness::operator::Operator;
use crate::harness::postgres::database;

const SOURCES: &str = "http://whoosh/apis/chorus.services/v1/namespaces/default/gitsources";
const HOOKS: &str = "http://whoosh/hooks/v1/namespaces/default/gitsources";
/// What webhooks are signed with.
const SECRET: &str = "not-a-secret";
/// Objects of the source whose commits are timed; each commit changes all of them.
const OBJECTS: usize = 100;
/// Commits that are timed.
const RUNS: usize = 100;
/// Objects of the large commit.
const MANY: usize = 1_000;
/// Looks that find nothing new.
const LOOKS: usize = 4;
/// Longer than anything here takes that works at all.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a status.
const TICK: Duration = Duration::from_millis(2);

/// What the peers for Swarm document of themselves.
const PEERS: &str = "target; SwarmCD polls every 120 s, doco-cd every 180 s or by webhook";

/// Somebody who asks the operator over its socket.
struct Client(reqwest::Client);

impl Client {
    async fn status(&self, name: &str) -> Value {
        let answer = self.0.get(format!("{SOURCES}/{name}")).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["status"].take()
    }

    /// Says that there is something new, as GitLab does.
    async fn deliver(&self, name: &str, number: usize) {
        let request = self.0.post(format!("{HOOKS}/{name}"));
        let request = request
            .header("x-gitlab-token", SECRET)
            .header("x-gitlab-event-uuid", number);
        let answer = request.body("{}").send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Waits until a commit is applied.
    async fn until_applied(&self, name: &str, commit: &str) {
        let start = Instant::now();
        loop {
            let status = self.status(name).await;
            if status["appliedRevision"] == commit {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{commit} is not applied: {status}");
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Measures all of it on an operator of its own.
pub(crate) async fn measure(figures: &mut Figures) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let _swarm = Simulation::start(&socket, Settings::default()).unwrap();
    let secrets = folder.path().join("git-secrets");
    std::fs::create_dir_all(secrets.join("default/hook")).unwrap();
    std::fs::write(secrets.join("default/hook/webhook"), SECRET).unwrap();
    let settings = [
        (
            "WHOOSH_GIT_ALLOW",
            format!("file://{}/*", folder.path().display()),
        ),
        (
            "WHOOSH_GIT_DIR",
            folder.path().join("cache").display().to_string(),
        ),
        ("WHOOSH_GIT_SECRETS", secrets.display().to_string()),
        ("WHOOSH_LOG", "info,whoosh::gitops=debug".to_owned()),
    ];
    let operator = Operator::start_on(&socket, &database().await, &settings).await;
    let client = crate::harness::http()
        .unix_socket(operator.socket())
        .build()
        .unwrap();
    let client = Client(client);

    measure_looks(&operator, &client, folder.path(), figures).await;
    let fleet = Repository::new(folder.path().join("fleet.git"));
    let mut commit = push(&fleet, OBJECTS, 0);
    declare(&operator, "fleet", fleet.folder(), "1h").await;
    client.until_applied("fleet", &commit).await;
    let mut seconds = Vec::new();
    for run in 1..=RUNS {
        commit = push(&fleet, OBJECTS, run);
        let start = Instant::now();
        client.deliver("fleet", run).await;
        client.until_applied("fleet", &commit).await;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let label = "Git, 100 objects: webhook to applied";
    figures.add(
        &format!("{label}, p50"),
        median(&seconds),
        Reference::None,
        "s",
        RUNS,
        "",
    );
    figures.add(
        &format!("{label}, p99"),
        quantile(&seconds, 0.99),
        Reference::Target(1.0),
        "s",
        RUNS,
        PEERS,
    );

    let many = Repository::new(folder.path().join("many.git"));
    commit = push(&many, MANY, 0);
    let start = Instant::now();
    declare(&operator, "many", many.folder(), "5s").await;
    client.until_applied("many", &commit).await;
    figures.add(
        "Git, 1,000 objects: declared to applied",
        start.elapsed().as_secs_f64(),
        Reference::Target(5.0),
        "s",
        1,
        "target",
    );
}

/// Counts what looks write that find nothing new, of a source whose objects run nothing.
async fn measure_looks(operator: &Operator, client: &Client, folder: &Path, figures: &mut Figures) {
    let calm = Repository::new(folder.join("calm.git"));
    let template = "apiVersion: chorus.services/v1\nkind: AgentTemplate\nmetadata: {name: calm}\nspec: {image: chorus-agent:dev}\n";
    let commit = calm.push("main", &[("teams/calm.yaml", template)]);
    declare(operator, "calm", calm.folder(), "5s").await;
    client.until_applied("calm", &commit).await;
    let looks = || operator.log().matches("looked at a repository").count();
    let (before, written) = (looks(), writes(operator).await);
    let start = Instant::now();
    while looks() < before + LOOKS {
        assert!(start.elapsed() < PATIENCE, "nobody looks at the repository");
        tokio::time::sleep(TICK * 50).await;
    }
    let written = writes(operator).await - written;
    figures.add(
        "Git, a look that finds nothing new: writes",
        written / LOOKS as f64,
        Reference::None,
        "",
        LOOKS,
        "target: none",
    );
    assert!(written == 0.0, "looks that find nothing new write something");
    operator.whoosh(&["delete", "gitsource/calm"]).await.ok();
}

/// Commits so many teams, each other than in the commit before.
fn push(repository: &Repository, teams: usize, round: usize) -> String {
    let team = |number: usize| {
        format!(
            "apiVersion: chorus.services/v1\nkind: Team\nmetadata: {{name: {}-{number}, labels: {{round: 'r{round}'}}}}\n\
             spec:\n  defaults:\n    image: chorus-agent:dev\n    placement: {{constraints: [node.labels.nowhere==true]}}\n  \
             roles: [{{name: worker}}]\n",
            if teams == MANY { "many" } else { "fleet" }
        )
    };
    let files: Vec<(String, String)> = (0..teams)
        .map(|number| (format!("teams/{number}.yaml"), team(number)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    repository.push("main", &files)
}

async fn declare(operator: &Operator, name: &str, repository: &Path, interval: &str) {
    let source = json!({
        "apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": name},
        "spec": {"url": format!("file://{}", repository.display()), "path": "teams", "interval": interval,
                 "secretRef": {"name": "hook"}},
    });
    operator.apply(&source.to_string(), &[]).await.ok();
}

/// What the operator wrote so far.
async fn writes(operator: &Operator) -> f64 {
    let metrics = operator.metrics().await;
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("whoosh_store_writes_total"));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
