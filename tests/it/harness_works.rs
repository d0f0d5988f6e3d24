//! The harness itself: its servers are real, outlive being killed, and leave nothing behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;

use crate::harness::docker::{AGENT_IMAGE, Engine};
use crate::harness::eventually::eventually;
use crate::harness::keeper::run;
use crate::harness::nats::Nats;
use crate::harness::nodes::Cluster;
use crate::harness::postgres::{Postgres, database};

const PATIENCE: Duration = Duration::from_secs(60);

/// Set in the environment of the process that is to be killed.
const VICTIM: &str = "WHOOSH_IT_VICTIM";

/// An image around bash: it starts at once, stays, and can open connections.
const SHELL_IMAGE: &str = "shell:test";

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (database().await, database().await);
    one.query("CREATE TABLE thing (name text)").await.unwrap();
    one.query("INSERT INTO thing VALUES ('lamp'), ('chair')")
        .await
        .unwrap();
    assert_eq!(
        one.query("SELECT name, 1 FROM thing ORDER BY name")
            .await
            .unwrap(),
        "chair|1\nlamp|1"
    );
    assert!(
        other
            .query("SELECT * FROM thing")
            .await
            .unwrap_err()
            .contains("does not exist")
    );
}

#[tokio::test]
async fn a_killed_postgres_keeps_its_data() {
    let mut postgres = Postgres::start().await;
    let database = postgres.database().await;
    database
        .query("CREATE TABLE thing AS SELECT 7 AS number")
        .await
        .unwrap();
    postgres.kill();
    assert!(database.query("SELECT 1").await.is_err());
    postgres.restart().await;
    assert_eq!(database.query("SELECT number FROM thing").await.unwrap(), "7");
}

#[tokio::test]
async fn a_killed_nats_server_comes_back_on_its_port() {
    let mut nats = Nats::start().await;
    let url = nats.url();
    assert_eq!(echo(&url).await, "hello");
    nats.kill();
    assert!(async_nats::connect(&url).await.is_err());
    nats.restart().await;
    assert_eq!((nats.url(), echo(&url).await), (url, "hello".to_owned()));
}

#[tokio::test]
async fn a_container_reaches_the_nats_server_that_we_reach() {
    let engine = Engine::shared().await;
    let nats = engine.nats().await;
    assert_eq!(echo(&nats.url()).await, "hello");

    let (ip, port) = (engine.address(), nats.port());
    let greet = format!("exec 3<>/dev/tcp/{ip}/{port}; read -r info <&3; echo \"$info\"; read -r <&3");
    start_shell(engine, "greeter", &greet).await;
    eventually(
        PATIENCE,
        "the container prints what nats-server said",
        async || {
            let log = engine.docker(&["service", "logs", "--raw", "greeter"]).await;
            if log.starts_with("INFO {") {
                Ok(())
            } else {
                Err(log)
            }
        },
    )
    .await;
    engine.docker(&["service", "rm", "greeter"]).await;
}

#[tokio::test]
async fn a_killed_engine_comes_back_with_its_services() {
    let mut engine = Engine::start().await;
    start_shell(&engine, "steady", "while true; do read -r -t 60 <> <(:); done").await;
    engine.kill().await;
    assert!(engine.try_docker(&["version"]).await.is_err());
    engine.restart().await;
    until_it_runs(&engine, "steady").await;
}

#[tokio::test]
async fn an_engine_has_the_agent_of_this_build() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let image = [
        "image",
        "inspect",
        "--format",
        "{{.Config.User}} {{.Config.Entrypoint}}",
        AGENT_IMAGE,
    ];
    assert_eq!(engine.docker(&image).await, "65532:65532 [/chorus-agent]");
}

/// The test runs once more, as the victim: a process that starts one of each server and is then killed.
#[tokio::test]
async fn a_killed_test_run_leaves_nothing_behind() {
    if std::env::var_os(VICTIM).is_some() {
        return fall_victim().await;
    }
    let this = "harness_works::a_killed_test_run_leaves_nothing_behind";
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([this, "--exact", "--nocapture"])
        .env(VICTIM, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let folder = output.lines().map(Result::unwrap).find_map(|line| {
        line.split_once("all servers run in ")
            .map(|(_, folder)| folder.to_owned())
    });
    let folder = folder.expect("the victim says where its servers are");
    let name = folder.rsplit('/').next().unwrap();
    let segments = shared_memory_of(&folder);
    assert_eq!(segments.len(), 2, "one for each Postgres");
    assert!(
        traces_of(name, &segments).len() >= 10,
        "{:?}",
        traces_of(name, &segments)
    );

    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually(PATIENCE, "every trace of the killed run is gone", async || {
        let traces = traces_of(name, &segments);
        if traces.is_empty() {
            Ok(())
        } else {
            Err(traces.join("\n"))
        }
    })
    .await;
}

async fn fall_victim() {
    let postgres = Postgres::start().await;
    let mut killed = Postgres::start().await;
    killed.kill();
    let engine = Engine::start().await;
    let nats = engine.nats().await;
    let cluster = Cluster::start(1, 1).await;
    start_shell(
        &engine,
        "survivor",
        "trap '' TERM; while true; do read -r -t 60 <> <(:); done",
    )
    .await;
    println!("all servers run in {}", run().folder().display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop((postgres, killed, nats, cluster));
}

/// Sends "hello" through the server at `url`, and returns what arrives.
async fn echo(url: &str) -> String {
    let client = async_nats::connect(url).await.unwrap();
    let mut inbox = client.subscribe("greetings").await.unwrap();
    client.publish("greetings", "hello".into()).await.unwrap();
    String::from_utf8(inbox.next().await.unwrap().payload.to_vec()).unwrap()
}

/// Starts a service of one container that runs a bash script, and waits until it runs.
async fn start_shell(engine: &Engine, name: &str, script: &str) {
    engine.load_image(Path::new("/bin/bash"), SHELL_IMAGE).await;
    let options = [
        "service",
        "create",
        "--detach",
        "--no-resolve-image",
        "--no-healthcheck",
        "--name",
        name,
    ];
    engine
        .docker(&[&options[..], &[SHELL_IMAGE, "-c", script]].concat())
        .await;
    until_it_runs(engine, name).await;
}

async fn until_it_runs(engine: &Engine, service: &str) {
    let list = [
        "service",
        "ps",
        service,
        "--filter",
        "desired-state=running",
        "--format",
        "{{.CurrentState}} {{.Error}}",
    ];
    eventually(PATIENCE, "the service runs", async || {
        let tasks = engine.docker(&list).await;
        if tasks.starts_with("Running") {
            Ok(())
        } else {
            Err(tasks)
        }
    })
    .await;
}

/// The System V shared memory of the Postgres servers in a run's folder: the numbers of the segments.
fn shared_memory_of(folder: &str) -> Vec<String> {
    let pid_files =
        entries_of(folder).filter_map(|room| fs::read_to_string(room + "/data/postmaster.pid").ok());
    pid_files
        .map(|file| {
            file.lines()
                .nth(6)
                .unwrap()
                .split_whitespace()
                .nth(1)
                .unwrap()
                .to_owned()
        })
        .collect()
}

/// All that there is on this machine of the run `name` and of those segments.
fn traces_of(name: &str, segments: &[String]) -> Vec<String> {
    let processes = entries_of("/proc").filter(|process| {
        let read = |file| fs::read_to_string(format!("{process}/{file}")).unwrap_or_default();
        read("cmdline").contains(name) || read("cgroup").contains(name)
    });
    let table = |file| {
        fs::read_to_string(file)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mounts = table("/proc/self/mounts")
        .into_iter()
        .filter(|mount| mount.contains(name));
    let memory = table("/proc/sysvipc/shm").into_iter().filter(|line| {
        let number = line.split_whitespace().nth(1).unwrap();
        segments.iter().any(|segment| segment == number)
    });
    let device = name.replace("wit-", "w");
    let devices = entries_of("/sys/class/net").filter(|path| path.contains(&device));
    let hierarchies = entries_of("/sys/fs/cgroup");
    let files = ["/tmp".to_owned(), "/sys/fs/cgroup".to_owned()]
        .into_iter()
        .chain(hierarchies);
    let files = files
        .flat_map(|folder| entries_of(&folder))
        .filter(|path| path.contains(name));
    processes
        .chain(mounts)
        .chain(memory)
        .chain(devices)
        .chain(files)
        .collect()
}

fn entries_of(folder: &str) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path().to_string_lossy().into_owned())
}
