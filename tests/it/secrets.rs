//! No secret is told: not by a log that says all it can, nor in an answer, an error, an event, a diff or a history.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::converge::{services, team};
use crate::harness::docker::Engine;
use crate::harness::eventually::eventually;
use crate::harness::jwt::{self, AUDIENCE, HOUR, ISSUER, Issuer, claims};
use crate::harness::keeper::run;
use crate::harness::operator::{Operator, Printed, printed};
use crate::harness::postgres::{Database, database};
use crate::harness::process::Process;
use crate::trouble::until_told;

const PATIENCE: Duration = Duration::from_secs(60);
const DATABASE_PASSWORD: &str = "correct-horse-of-postgres";
const NATS_PASSWORD: &str = "battery-staple-of-nats";
const NEXT_NATS_PASSWORD: &str = "battery-staple-of-the-next-nats";
const SECRETS: [&str; 2] = ["tr0ubador-of-a-file", "tr0ubador-of-the-next-file"];

/// All that was told, each with what told it.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Told {
    fn keep(&mut self, by: &str, printed: &Printed) {
        self.0
            .push((by.to_owned(), format!("{}\n{}", printed.out, printed.err)));
    }

    #[track_caller]
    fn holds_none_of(&self, secrets: &[(&str, String)]) {
        for (by, text) in &self.0 {
            for (what, secret) in secrets {
                let found = text.lines().find(|line| line.contains(secret));
                // The line is not shown: it would be one more that tells.
                assert!(found.is_none(), "{by} tells {what}");
            }
        }
    }
}

/// A Swarm on paper, in a process of its own.
async fn swarm(room: &Path) -> (Process, PathBuf) {
    let socket = room.join("swarm.sock");
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoosh"));
    command.arg("simulated-swarm").arg("--listen").arg(&socket);
    let process = Process::spawn(&mut command, &room.join("swarm.log"));
    eventually(PATIENCE, "the Swarm is there", async || fs::metadata(&socket)).await;
    (process, socket)
}

/// What docker says of the Swarm behind a socket.
async fn docker(socket: &Path, arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new("docker");
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    command.env("DOCKER_CONFIG", socket.with_file_name("config"));
    printed(
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    )
    .await
    .ok()
}

fn written(path: PathBuf, text: &str) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The value of a field that stands on a line of its own.
fn field<'a>(yaml: &'a str, name: &str) -> &'a str {
    let line = yaml.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {yaml}")).trim()
}

#[tokio::test]
async fn no_secret_is_told_by_anything() {
    let room = run().room("secrets");
    let (_swarm, engine) = swarm(&room).await;
    let issuer = Issuer::new();
    let plain = database().await;
    let url = plain
        .url
        .replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
    let nats = format!("nats://whoosh:{NATS_PASSWORD}@127.0.0.1:4222");
    let settings = [
        (
            "WHOOSH_DATABASE_URL_FILE",
            written(room.join("run/database-url"), &format!("{url}\n")),
        ),
        ("WHOOSH_NATS_URL_FILE", written(room.join("run/nats-url"), &nats)),
        ("WHOOSH_LOG", "trace".to_owned()),
        ("WHOOSH_LISTEN", "127.0.0.1:0".to_owned()),
        ("WHOOSH_TLS_DIR", room.join("pki").display().to_string()),
        ("WHOOSH_JWT_KEY", issuer.key_file().display().to_string()),
        ("WHOOSH_JWT_ISSUER", ISSUER.to_owned()),
        ("WHOOSH_JWT_AUDIENCE", AUDIENCE.to_owned()),
    ];
    let operator = Operator::start_on(&engine, &Database { url }, &settings).await;
    let mut told = Told::default();

    // Its owner, with a secret that is there, then another, and one that is missing.
    let secret = operator.secrets().join("default/token");
    written(secret.clone(), SECRETS[0]);
    let wait = ["--wait", "--timeout=120s"];
    let applied = operator
        .apply(&team("default", 1, "secrets: [{name: token}]"), &wait)
        .await;
    told.keep("apply", &applied);
    applied.ok();
    written(secret, SECRETS[1]);
    let changed = team("default", 2, "secrets: [{name: token}]");
    told.keep(
        "diff",
        &operator.whoosh_with(&["diff", "-f", "-"], &changed).await,
    );
    let applied = operator.apply(&changed, &wait).await;
    told.keep("apply", &applied);
    applied.ok();
    let missing = team("other", 1, "secrets: [{name: token}]");
    told.keep("apply", &operator.apply(&missing, &[]).await);
    until_told(&operator, "other", "SecretNotFound", &["token"]).await;
    let events = operator.whoosh(&["events", "-A"]).await;
    told.keep("events", &events);
    assert!(
        events.ok().contains("ServiceCreated"),
        "there is something to tell"
    );

    // Those who may ask the engine.
    for kind in ["service", "secret"] {
        let ids = docker(&engine, &[kind, "ls", "--quiet"]).await;
        let all: Vec<&str> = [kind, "inspect"]
            .into_iter()
            .chain(ids.split_whitespace())
            .collect();
        let inspected = docker(&engine, &all).await;
        assert!(inspected.contains("whoosh_default__nats-url_"), "{inspected}");
        told.0.push((format!("docker {kind} inspect"), inspected));
    }

    // People on the network, some of whom may come in.
    let kubeconfig = operator
        .whoosh(&["kubeconfig", "--name", "ci", "--role", "edit"])
        .await
        .ok();
    let token = field(&kubeconfig, "token:").trim_matches('"').to_owned();
    assert!(token.starts_with("whoosh_"), "a kubeconfig with a token");
    let good = issuer.sign(&claims("ada", "edit"));
    let mut late = claims("eve", "edit");
    late["exp"] = json!(jwt::now() - HOUR);
    let late = issuer.sign(&late);
    let unknown = token.replace(&token[10..30], "01234567890123456789");
    for (who, bearer, comes_in) in [
        ("a token", &token, true),
        ("a JWT", &good, true),
        ("a JWT that has expired", &late, false),
        ("a token that is unknown", &unknown, false),
    ] {
        let config = written(room.join("run/config"), &kubeconfig.replace(&token, bearer));
        let invalid = changed.replace("replicas: 2", "replicas: two");
        let more = changed.replace("replicas: 2", &format!("replicas: {}", 1 + who.len() % 3));
        for (arguments, input) in [
            ("auth whoami", ""),
            ("get teams,agents -o yaml", ""),
            ("describe team/payments", ""),
            ("tree team/payments", ""),
            ("diff -f -", more.as_str()),
            ("diff -f - -o json", &more),
            ("apply -f -", &more),
            ("apply -f -", &invalid),
            ("apply -f - --server-side --field-manager=ci", &more),
            ("delete team/payments -n prod", ""),
            ("token list", ""),
            ("events", ""),
            ("history team/payments --diff", ""),
            ("history team/payments --all --diff", ""),
        ] {
            let with = ["--config", &config, "--context", "whoosh", "--verbose"];
            let all: Vec<&str> = with.into_iter().chain(arguments.split(' ')).collect();
            let printed = operator.whoosh_with(&all, input).await;
            told.keep(&format!("`{arguments}` with {who}"), &printed);
            assert!(!printed.err.contains("Usage: "), "{arguments}: {}", printed.err);
            // What is wrong with a manifest may be found before anybody is asked.
            if input != invalid {
                let is_refused = printed.err.contains("Unauthorized");
                assert_eq!(is_refused, !comes_in, "{arguments} with {who}: {}", printed.err);
            }
        }
    }

    // Databases that are away, and settings that are wrong.
    let away = format!("postgres://whoosh:{DATABASE_PASSWORD}@127.0.0.1:1/whoosh");
    let away = written(room.join("run/away"), &away);
    let wrong = written(room.join("run/wrong"), DATABASE_PASSWORD);
    for (arguments, code) in [
        (&["migrate", "--database-url-file", &away][..], 1),
        (&["migrate", "--database-url-file", &wrong], 2),
        (&["operator", "--nats-url", &nats], 2),
    ] {
        let printed = operator.whoosh(arguments).await;
        assert_eq!(printed.code, code, "{}", printed.err);
        told.keep(arguments[0], &printed);
    }

    let log = operator.log();
    for part in [
        "TRACE",
        "a JWT was refused",
        "actor=token:ci@127.0.0.1",
        "actor=jwt:ada@127.0.0.1",
    ] {
        assert!(log.contains(part), "the log says nothing of {part:?}");
    }
    told.0.push(("the log".to_owned(), log));
    told.0.push(("/metrics".to_owned(), operator.metrics().await));
    for table in ["objects", "revisions", "events", "tokens", "leases"] {
        let rows = plain
            .query(&format!("SELECT to_jsonb(t) FROM {table} t"))
            .await
            .unwrap();
        told.0.push((format!("the table {table}"), rows));
    }
    let signature = |jwt: &str| jwt.rsplit_once('.').unwrap().1.to_owned();
    told.holds_none_of(&[
        ("the database's password", DATABASE_PASSWORD.to_owned()),
        ("the password of NATS", NATS_PASSWORD.to_owned()),
        ("the address of NATS in base64", BASE64.encode(&nats)),
        ("a secret file", SECRETS[0].to_owned()),
        ("a secret file", SECRETS[1].to_owned()),
        ("a secret file in base64", BASE64.encode(SECRETS[0])),
        ("a secret file in base64", BASE64.encode(SECRETS[1])),
        ("a token", token),
        ("a token that is unknown", unknown),
        ("a JWT", signature(&good)),
        ("a JWT that has expired", signature(&late)),
    ]);
}

#[tokio::test]
async fn the_password_of_nats_comes_to_agents_in_a_file_and_so_does_the_next() {
    let engine = Engine::shared().await;
    engine.load_agent_image().await;
    let mut nats = engine.nats().await;
    nats.demand(NATS_PASSWORD).await;
    let file = run().room("nats-password").join("nats-url");
    let settings = [("WHOOSH_NATS_URL_FILE", written(file.clone(), &nats.url()))];
    let mut operator = Operator::start_with(engine, &settings).await;
    let wait = ["--wait", "--timeout=120s"];
    operator.apply(&team("joins", 1, ""), &wait).await.ok();
    nats.until_agents_report(2).await;

    nats.demand(NEXT_NATS_PASSWORD).await;
    written(file, &nats.url());
    operator.kill();
    operator.start_again();
    operator.until_ready().await;
    nats.until_agents_report(2).await;

    let mut told = Told::default();
    for (name, id, _) in services(engine, "joins").await {
        let inspected = engine.docker(&["service", "inspect", &id]).await;
        assert!(
            inspected.contains("NATS_URL_FILE=/run/secrets/whoosh-nats-url"),
            "{inspected}"
        );
        told.0.push((name, inspected));
    }
    assert_eq!(told.0.len(), 2);
    told.holds_none_of(&[
        ("the password of NATS", NATS_PASSWORD.to_owned()),
        ("the next password of NATS", NEXT_NATS_PASSWORD.to_owned()),
    ]);
    operator
        .whoosh(&["delete", "team", "payments", "-n", "joins", "--wait"])
        .await
        .ok();
    let left = [
        "secret",
        "ls",
        "--quiet",
        "--filter",
        "label=chorus.services/namespace=joins",
    ];
    assert_eq!(engine.docker(&left).await, "");
}
