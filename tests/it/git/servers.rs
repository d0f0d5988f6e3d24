//! Servers that refuse, hang, lie and break off.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use whoosh::git::{Credentials, GitError, Limits, WORKER_COMMAND, fetch};

use super::{Scene, files, noise, refusal, snapshot};
use crate::harness::eventually::eventually;
use crate::harness::git::bridge::{Bridge, Manner};
use crate::harness::git::daemon::Daemon;
use crate::harness::git::repository::Entry;
use crate::harness::git::sshd::{Sshd, strangers_key};
use crate::harness::process::Process;

const WHOOSH: &str = env!("CARGO_BIN_EXE_whoosh");

#[tokio::test]
async fn credentials_open_what_they_may_and_are_never_told() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let (bridge, certificate) = Bridge::start_tls(scene.root(), Manner::To("ann", "right-s3cret")).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.ca = Some(certificate);
    let token = |token: &str| {
        Some(Credentials::Token {
            username: "ann".to_owned(),
            token: token.to_owned(),
        })
    };
    for credentials in [None, token("wrong-s3cret")] {
        request.credentials = credentials;
        let error = refusal(&request).await;
        assert_eq!(error.reason(), "AuthenticationFailed");
        assert!(!format!("{error} {error:?} {request:?}").contains("s3cret"));
    }
    request.credentials = token("right-s3cret");
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);

    // A server that says back what it was told.
    let echo = "Location: https://localhost/right-s3cret\r\n";
    bridge.behave(Manner::Plain(301, echo));
    let error = refusal(&request).await;
    assert!(
        error.to_string().contains("redirects to \"https://localhost/…\""),
        "{error}"
    );

    let plain = Bridge::start(scene.root(), Manner::To("ann", "right-s3cret")).await;
    request.url = plain.url("repository.git");
    let error = refusal(&request).await;
    assert!(error.to_string().contains("by https:// alone"), "{error}");
    assert!(plain.seen().is_empty(), "nothing was asked");
}

#[tokio::test]
async fn ssh_speaks_with_a_server_that_is_known_and_lets_the_key_in() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let server = Sshd::start().await;
    let mut request = scene.request_of(&server.url(scene.repository.folder()));
    let with = |key: &str, known_hosts: &str| {
        Some(Credentials::Ssh {
            key: key.to_owned(),
            known_hosts: known_hosts.to_owned(),
        })
    };
    let (key, known) = (server.identity(), server.known_hosts());
    let another = server.known_hosts_of_another();
    for (credentials, reason, words) in [
        (None, "InvalidCredentials", "needs a private key"),
        (with(&key, ""), "AuthenticationFailed", "known_hosts"),
        (with(&key, &another), "AuthenticationFailed", "known_hosts"),
        (
            with(&strangers_key(), &known),
            "AuthenticationFailed",
            "Permission denied",
        ),
        (
            with("nonsense", &known),
            "AuthenticationFailed",
            "Permission denied",
        ),
    ] {
        request.credentials = credentials;
        let error = refusal(&request).await;
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    request.credentials = with(&key, &known);
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
    let left = fs::read_dir(scene.cache()).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.path().is_file()).collect();
    assert!(left.is_empty(), "{left:?}");

    request.url = server.url(&scene.root().join("none.git"));
    assert_eq!(refusal(&request).await.reason(), "RepositoryNotFound");
    request.url = "ssh://git@127.0.0.1:1/a.git".to_owned();
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "Unreachable", "{error}");
}

#[tokio::test]
async fn a_certificate_counts_for_those_who_name_its_authority() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let (bridge, certificate) = Bridge::start_tls(scene.root(), Manner::Well).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "Unreachable");
    assert!(error.to_string().contains("certificate"), "{error}");
    request.ca = Some(certificate);
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
    request.ca = Some("nonsense".to_owned());
    assert_eq!(refusal(&request).await.reason(), "InvalidCredentials");
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_time_and_leaves_no_process() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Silent).await;
    let request = scene.request_of(&bridge.url("repository.git"));
    let started = Instant::now();
    let late = fetch(Path::new(WHOOSH), &request, Duration::from_secs(1)).await;
    assert_eq!(late, Err(GitError::Timeout { seconds: 1 }));
    assert!(started.elapsed() < Duration::from_secs(10));
    bridge.until_open(0).await;

    let given_up = fetch(Path::new(WHOOSH), &request, Duration::from_secs(60));
    tokio::select! {
        answer = given_up => panic!("{answer:?}"),
        () = bridge.until_open(1) => {}
    }
    bridge.until_open(0).await;

    bridge.behave(Manner::Well);
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
}

#[tokio::test]
async fn a_worker_that_nobody_waits_for_ends() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Silent).await;
    let request = scene.request_of(&bridge.url("repository.git"));
    let mut command = Command::new(WHOOSH);
    command.arg(WORKER_COMMAND);
    let (mut worker, mut input) = Process::spawn_piped(&mut command, &scene.root().join("worker.log"));
    writeln!(input, "{}", serde_json::to_string(&request).unwrap()).unwrap();
    bridge.until_open(1).await;
    drop(input);
    bridge.until_open(0).await;
    worker.wait();
}

/// With a script in the worker's place, which does what no worker would.
#[tokio::test]
async fn whatever_a_worker_does_is_told_and_ended() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let mut request = scene.request();
    let program = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/git/worker.sh"));
    let started = scene.root().join("started");
    let hangs = format!("sleep 1000 & echo $! > {}; wait", started.display());
    for (script, reason, words) in [
        ("exit 3", "WorkerFailed", "exit status: 3"),
        ("echo oh no >&2; kill -KILL $$", "WorkerFailed", "oh no"),
        ("echo nonsense", "WorkerFailed", "exit status: 0"),
        ("kill -XFSZ $$", "TooLarge", "256 MiB"),
        (&hangs, "Timeout", "within 2 s"),
    ] {
        request.paths = vec![script.to_owned()];
        // All but the one that hangs end by themselves, however busy the machine is.
        let limit = if script == hangs { 2 } else { 60 };
        let error = fetch(program, &request, Duration::from_secs(limit))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), reason, "{script}: {error}");
        assert!(error.to_string().contains(words), "{script}: {error}");
    }
    let process = fs::read_to_string(started).unwrap();
    let status = format!("/proc/{}/stat", process.trim());
    eventually(
        Duration::from_secs(10),
        "what it started has ended",
        async || match fs::read_to_string(&status) {
            Ok(stat) if !stat.contains(") Z ") => Err(stat),
            _ => Ok(()),
        },
    )
    .await;
}

#[tokio::test]
async fn a_slow_server_is_waited_for() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Slowly).await;
    let found = snapshot(&scene.request_of(&bridge.url("repository.git"))).await;
    assert_eq!(files(&found), [("a.yaml", "1")]);
}

#[tokio::test]
async fn a_pack_that_is_not_whole_is_none_and_the_next_one_counts() {
    let scene = Scene::new();
    let large = noise(200_000);
    let entries = [("a.yaml", Entry::File(b"1")), ("b.bin", Entry::File(&large))];
    scene.repository.commit("main", true, &entries);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let request = scene.request_of(&bridge.url("repository.git"));
    for (manner, reason) in [
        (Manner::CutOff, "DamagedAnswer"),
        (Manner::Garbled, "DamagedAnswer"),
        (Manner::Miscounting(0), "DamagedAnswer"),
        (Manner::Miscounting(0x7f), "TooLarge"),
    ] {
        bridge.behave(manner.clone());
        let error = refusal(&request).await;
        assert_eq!(error.reason(), reason, "{manner:?}: {error}");
    }
    // All of the pack came before what did not.
    bridge.behave(Manner::Boasting);
    assert_eq!(files(&snapshot(&request).await), [("a.yaml", "1")]);
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Endless).await;
    let mut request = scene.request_of(&bridge.url("repository.git"));
    request.limits = Limits {
        pack: 4 * 1024 * 1024,
        ..Limits::default()
    };
    let error = refusal(&request).await;
    assert_eq!(error.reason(), "TooLarge", "{error}");
    assert!(error.to_string().contains("4 MiB"), "{error}");
}

#[tokio::test]
async fn what_a_server_says_is_told() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let request = scene.request_of(&bridge.url("repository.git"));
    for (manner, reason, words) in [
        (Manner::Plain(404, ""), "RepositoryNotFound", "404"),
        (Manner::Plain(403, ""), "AuthenticationFailed", "403"),
        (Manner::Plain(503, ""), "Unreachable", "503"),
        (
            Manner::Plain(301, "Location: http://127.0.0.1:1/moved?token=s3cret\r\n"),
            "UrlRefused",
            "redirects to \"http://127.0.0.1:1/moved\"",
        ),
        (
            Manner::Plain(200, "Content-Type: text/html\r\n"),
            "RepositoryNotFound",
            "something else",
        ),
    ] {
        bridge.behave(manner);
        let error = refusal(&request).await;
        assert_eq!(error.reason(), reason, "{error}");
        let said = error.to_string();
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn nobody_there_and_nothing_there_are_told_apart() {
    let scene = Scene::with(&[("a.yaml", "1")]);
    let bridge = Bridge::start(scene.root(), Manner::Well).await;
    let daemon = Daemon::start(scene.root()).await;
    let nothing = format!("file://{}/none.git", scene.root().display());
    for url in [bridge.url("none.git"), daemon.url("none.git"), nothing] {
        let error = refusal(&scene.request_of(&url)).await;
        assert_eq!(error.reason(), "RepositoryNotFound", "{url}: {error}");
    }
    for url in ["http://127.0.0.1:1/a.git", "git://127.0.0.1:1/a.git"] {
        let error = refusal(&scene.request_of(url)).await;
        assert_eq!(error.reason(), "Unreachable", "{url}: {error}");
        assert!(error.is_transient());
    }
    let error = refusal(&scene.request_of("http://example.com/a.git")).await;
    assert_eq!(error.reason(), "UrlRefused", "{error}");
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_told_to_be_that() {
    const NOBODY: u32 = 65534;
    let scene = Scene::with(&[("a.yaml", "1")]);
    std::os::unix::fs::chown(scene.repository.folder(), Some(NOBODY), None).unwrap();
    let error = refusal(&scene.request()).await;
    assert_eq!(error.reason(), "AuthenticationFailed", "{error}");
    let told = error.to_string();
    assert!(
        told.contains("belongs to the user 65534") && told.contains("`chown`"),
        "{told}"
    );
}
