//! Having a process of its own fetch, and ending it when it takes too long.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout as within;

use super::error::quoted;
use super::limits::{Limits, bytes};
use super::{Answer, Credentials, GitError, Request};

/// The command by which the program serves one request; it calls [`super::worker::serve`].
pub const WORKER_COMMAND: &str = "git-worker";

/// What the process gets of our environment: where programs, certificates and the way out are.
const PASSED: &[&str] = &[
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// What it gets besides, so that programs of Git's own read no configuration and ask nobody.
const GIVEN: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    // In KiB. The allocator would take a gigabyte of the address space beforehand, which is limited (Limits::memory).
    ("MIMALLOC_ARENA_RESERVE", "32768"),
];
/// Each byte of text takes up to six in JSON, and each file its names.
const JSON_MAX: u64 = 6;
const NAMES_MAX: u64 = 64 * 1024 * 1024;
const WORDS_MAX: u64 = 16 * 1024;

/// Fetches in a process of its own, which is gone, with all that it started, when this returns or is dropped.
///
/// `program` is this program's executable, which has [`WORKER_COMMAND`].
///
/// # Errors
/// Why there is no answer; [`GitError::Timeout`] when there was none in time.
pub async fn fetch(program: &Path, request: &Request, timeout: Duration) -> Result<Answer, GitError> {
    super::check_url(&request.url)?;
    let mut worker = Worker::start(program)?;
    match within(timeout, worker.answer(request)).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            worker.end();
            let _ = worker.child.wait().await;
            Err(GitError::Timeout {
                seconds: timeout.as_secs().max(1),
            })
        }
    }
}

struct Worker {
    child: Child,
    group: Option<Pid>,
}

impl Worker {
    fn start(program: &Path) -> Result<Self, GitError> {
        let passed = PASSED
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        let child = Command::new(program)
            .arg(WORKER_COMMAND)
            .env_clear()
            .envs(passed)
            .envs(GIVEN.iter().copied())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("it does not start ({error})")))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group })
    }

    async fn answer(&mut self, request: &Request) -> Result<Answer, GitError> {
        let (Some(mut input), Some(output), Some(words)) = (
            self.child.stdin.take(),
            self.child.stdout.take(),
            self.child.stderr.take(),
        ) else {
            return Err(failed("it cannot be spoken to".to_owned()));
        };
        let mut line = serde_json::to_vec(request).map_err(|error| failed(error.to_string()))?;
        line.push(b'\n');
        let most = request
            .limits
            .total
            .saturating_mul(JSON_MAX)
            .saturating_add(NAMES_MAX);
        let (sent, answer, words) =
            tokio::join!(input.write_all(&line), read(output, most), read(words, WORDS_MAX),);
        let words = String::from_utf8_lossy(&words).into_owned();
        let answered: Option<Result<Answer, GitError>> = serde_json::from_slice(&answer).ok();
        // It ends by itself now, and what it started, which may outlast it, does not.
        let status = match &answered {
            Some(_) => None,
            None => self.child.wait().await.ok(),
        };
        self.end();
        if answered.is_some() {
            let _ = self.child.wait().await;
        }
        drop(input);
        match (answered, status) {
            (Some(Ok(answer)), _) => Ok(answer),
            (Some(Err(error)), _) => {
                let error = scrubbed_error(error, request);
                Err(with_words(error, &scrubbed(&words, request)))
            }
            (None, Some(status)) => Err(ended(status, &scrubbed(&words, request), &request.limits)),
            (None, None) => Err(failed(match sent {
                Ok(()) => "it ended without an answer".to_owned(),
                Err(error) => format!("it does not listen ({error})"),
            })),
        }
    }

    /// Ends it and all that it started. Of those that have ended nothing is left to end.
    fn end(&mut self) {
        if let Some(group) = self.group.take() {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads to the end and keeps the beginning.
async fn read(mut source: impl AsyncRead + Unpin, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    // A pipe that breaks has ended.
    let _ = (&mut source).take(most).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut source, &mut tokio::io::sink()).await;
    kept
}

fn failed(why: String) -> GitError {
    GitError::Worker { why }
}

/// What a process that ended without an answer ended of.
fn ended(status: ExitStatus, words: &str, limits: &Limits) -> GitError {
    let signal = status.signal().and_then(Signal::from_named_raw);
    if signal == Some(Signal::XFSZ) {
        return GitError::too_large("the repository", bytes(limits.pack));
    }
    let starved = [
        "memory allocation",
        "Cannot allocate memory",
        "Resource temporarily unavailable",
    ];
    if starved.iter().any(|said| words.contains(said)) {
        return GitError::too_large(
            "the repository",
            format!("fits into {} of memory", bytes(limits.memory)),
        );
    }
    let last = words.lines().rev().find(|line| !line.trim().is_empty());
    failed(match last {
        Some(last) => format!("{status}: {}", quoted(last)),
        None => status.to_string(),
    })
}

/// What ssh says when it comes to no server, or to none that goes on with it.
const NO_SERVER: [&str; 5] = [
    "ssh: ",
    "Connection closed by",
    "Connection reset by",
    "Connection timed out",
    "banner exchange",
];

/// An error with what ssh said about it, which comes to nobody else's ears.
fn with_words(error: GitError, words: &str) -> GitError {
    if words.contains("Host key verification failed") {
        let why = match words.contains("host key is known for") {
            true => "known_hosts has no line for this server",
            false => "the server's key is not the one that known_hosts has for it",
        };
        return GitError::Refused { why: why.to_owned() };
    }
    let said = quoted(words);
    let has_no_server = || NO_SERVER.iter().any(|part| said.contains(part));
    match error {
        GitError::NoRepository { why } | GitError::Unreachable { why }
            if said.contains("Permission denied") =>
        {
            GitError::Refused {
                why: format!("{why} ({said})"),
            }
        }
        GitError::NoRepository { .. } if has_no_server() => GitError::Unreachable { why: said },
        GitError::Refused { why } if !said.is_empty() => GitError::Refused {
            why: format!("{why} ({said})"),
        },
        GitError::NoRepository { why } if !said.is_empty() => GitError::NoRepository {
            why: format!("{why} ({said})"),
        },
        GitError::Unreachable { why } if !said.is_empty() => GitError::Unreachable {
            why: format!("{why} ({said})"),
        },
        other => other,
    }
}

/// An error without the request's secrets, should a server have said one back.
fn scrubbed_error(error: GitError, request: &Request) -> GitError {
    let scrub = |error: &GitError| {
        let mut value = serde_json::to_value(error).ok()?;
        scrub_texts(&mut value, request);
        serde_json::from_value(value).ok()
    };
    scrub(&error).unwrap_or(error)
}

fn scrub_texts(value: &mut Value, request: &Request) {
    match value {
        Value::String(text) => *text = scrubbed(text, request),
        Value::Array(values) => values.iter_mut().for_each(|value| scrub_texts(value, request)),
        Value::Object(members) => members.values_mut().for_each(|value| scrub_texts(value, request)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Words without the request's secrets, should a program have said one.
fn scrubbed(words: &str, request: &Request) -> String {
    let secrets = match &request.credentials {
        None => Vec::new(),
        Some(Credentials::Token { username, token }) => forms(username, token),
        Some(Credentials::Ssh { key, .. }) => {
            let lines = key.lines().filter(|line| line.len() > 8);
            lines.map(str::to_owned).collect()
        }
    };
    let mut clean = words.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = clean.replace(secret, "…");
    }
    clean
}

/// A token in the forms that it may be said back in: as `Basic` has it, in base64, as urls have it, and as it is.
fn forms(username: &str, token: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for text in [&format!("{username}:{token}"), token] {
        // Without its end, so that it is found with and without it.
        forms.extend([STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]);
    }
    for kept in [NON_ALPHANUMERIC, URL_KEPT] {
        let encoded = utf8_percent_encode(token, kept).to_string();
        forms.extend([lower_escapes(&encoded), encoded]);
    }
    forms.push(token.to_owned());
    forms
}

/// What urls need not escape, and most programs do not.
const URL_KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The same with the escapes in lower case.
fn lower_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (escape, rest) = part.split_at(part.len().min(2));
        format!("{text}%{}{rest}", escape.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Reference};
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let limits = Limits::default();
        let signal = |number| ExitStatus::from_raw(number);
        assert_eq!(
            ended(signal(25), "", &limits).to_string(),
            "the repository has more than 256 MiB, which is the most that is fetched"
        );
        let memory = ended(signal(6), "memory allocation of 9999999 bytes failed\n", &limits);
        assert_eq!(memory.reason(), "TooLarge");
        let other = ended(signal(9), "one\ntwo\n", &limits).to_string();
        assert!(other.contains("signal: 9") && other.ends_with("two"), "{other}");
    }

    #[test]
    fn what_ssh_says_is_added() {
        let unreachable = || GitError::Unreachable {
            why: "eof".to_owned(),
        };
        let refused = with_words(unreachable(), "Host key verification failed.\n");
        assert_eq!(refused.reason(), "AuthenticationFailed");
        assert!(refused.to_string().contains("is not the one"), "{refused}");
        let unknown = "No ED25519 host key is known for localhost and you have requested strict checking.\n\
                       Host key verification failed.\n";
        let unknown = with_words(unreachable(), unknown).to_string();
        assert!(unknown.contains("has no line for this server"), "{unknown}");
        let denied = with_words(unreachable(), "git@example.com: Permission denied (publickey).\n");
        assert_eq!(denied.reason(), "AuthenticationFailed");
        let told = with_words(unreachable(), "ERROR: no\n").to_string();
        assert!(told.ends_with("eof (ERROR: no)"), "{told}");
        let nothing = |words: &str| {
            with_words(
                GitError::NoRepository {
                    why: "eof".to_owned(),
                },
                words,
            )
        };
        for words in [
            "ssh: connect to host example.com port 22: Connection refused\n",
            "ssh: Could not resolve hostname example.com: Name or service not known\n",
            "kex_exchange_identification: read: Connection reset by peer\n",
        ] {
            assert_eq!(nothing(words).reason(), "Unreachable", "{words}");
        }
        let nowhere = nothing("ERROR: Repository not found.\n");
        assert_eq!(nowhere.reason(), "RepositoryNotFound");
    }

    fn request() -> Request {
        Request {
            url: "https://example.com/a".to_owned(),
            reference: Reference::Head,
            paths: Vec::new(),
            ignore: Vec::new(),
            cache: "/nowhere".into(),
            ask: Ask::Repository { known: None },
            limits: Limits::default(),
            credentials: None,
            ca: None,
            verify: None,
        }
    }

    #[test]
    fn a_secret_that_a_server_says_back_is_not_told() {
        let request = |credentials| Request {
            credentials: Some(credentials),
            ..request()
        };
        let error = GitError::NoReference {
            reference: "branch \"hunter22222\"".to_owned(),
            near: vec!["hunter22222".to_owned(), "main".to_owned()],
        };
        let token = Credentials::Token {
            username: "ann".to_owned(),
            token: "hunter22222".to_owned(),
        };
        let key = Credentials::Ssh {
            key: "-----BEGIN\nhunter22222\n".to_owned(),
            known_hosts: String::new(),
        };
        for credentials in [token, key] {
            let told = scrubbed_error(error.clone(), &request(credentials)).to_string();
            assert_eq!(told, "the repository has no branch \"…\"; there is …, main");
        }
    }

    #[test]
    fn a_token_is_not_told_in_any_form() {
        let token = "hunter2/+? of-ann~";
        let all = [
            token,
            "hunter2%2F%2B%3F%20of-ann~",
            "hunter2%2f%2b%3f%20of%2dann%7e",
            // `ann:hunter2/+? of-ann~`, and the token alone.
            "YW5uOmh1bnRlcjIvKz8gb2YtYW5ufg==",
            "YW5uOmh1bnRlcjIvKz8gb2YtYW5ufg",
            "aHVudGVyMi8rPyBvZi1hbm5-",
            "aHVudGVyMi8rPyBvZi1hbm5+",
        ];
        let request = Request {
            credentials: Some(Credentials::Token {
                username: "ann".to_owned(),
                token: token.to_owned(),
            }),
            ..request()
        };
        for said in all {
            let told = scrubbed(&format!("Basic {said}."), &request);
            assert_eq!(told.replace('=', ""), "Basic ….", "{said}");
        }
    }
}
