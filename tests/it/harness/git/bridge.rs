//! `git http-backend` behind a small HTTP server, which may serve badly, and which takes statuses of commits as forges do.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// How a server serves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Manner {
    /// As it should.
    Well,
    /// As it should, in the words of old servers.
    Old,
    /// To one user alone, by name and password.
    To(&'static str, &'static str),
    /// In many small pieces.
    Slowly,
    /// It takes requests and answers none.
    Silent,
    /// It ends packs in the middle.
    CutOff,
    /// It promises more bytes of a pack than it sends.
    Boasting,
    /// It turns a byte in the middle of packs.
    Garbled,
    /// It says that a pack has one object more than it has, and so many times 16 million.
    Miscounting(u8),
    /// It lists references without end.
    Endless,
    /// It sends everybody elsewhere, by this header.
    Redirecting(String),
    /// It answers everything with this status and these headers.
    Plain(u16, &'static str),
}

/// An HTTP server for the repositories below a folder.
pub(crate) struct Bridge {
    /// What its urls begin with.
    start: String,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

struct Shared {
    folder: PathBuf,
    manner: Mutex<Manner>,
    /// What was asked for, and how many bytes it was answered with.
    seen: Mutex<Vec<(String, usize)>>,
    /// How many connections are open.
    open: watch::Sender<usize>,
    /// The statuses of commits that it was told, and how the next ones are answered, if not well.
    statuses: Mutex<(Vec<Told>, VecDeque<u16>)>,
}

/// A status of a commit as a forge is told it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) code: u16,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Bridge {
    pub(crate) async fn start(folder: &Path, manner: Manner) -> Self {
        Self::listen(folder, manner, None).await
    }

    /// One that speaks TLS, and its certificate in PEM, which nobody trusts by himself.
    pub(crate) async fn start_tls(folder: &Path, manner: Manner) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let bridge = Self::listen(folder, manner, Some(tls)).await;
        (bridge, made.cert.pem())
    }

    async fn listen(folder: &Path, manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let is_tls = tls.is_some();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            manner: Mutex::new(manner),
            seen: Mutex::default(),
            open: watch::Sender::new(0),
            statuses: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&shared))).abort_handle();
        Self {
            start: if is_tls {
                format!("https://localhost:{}", address.port())
            } else {
                format!("http://{address}")
            },
            shared,
            serving,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.start)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// What was asked for since the last time, like `info/refs`, `ls-refs` and `fetch`, with the bytes of each answer.
    pub(crate) fn seen(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }

    /// Answers the next statuses of commits like this, and those after them well.
    pub(crate) fn answer_statuses(&self, codes: &[u16]) {
        self.shared.statuses.lock().unwrap().1.extend(codes);
    }

    /// The statuses of commits that it was told.
    pub(crate) fn statuses(&self) -> Vec<Told> {
        self.shared.statuses.lock().unwrap().0.clone()
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&self, count: usize) {
        let mut open = self.shared.open.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), open.wait_for(|open| *open == count));
        waited.await.expect("the connections stay as they are").unwrap();
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(async move {
            shared.open.send_modify(|open| *open += 1);
            // A client that goes away in the middle is one that a test wants.
            let _ = match tls {
                None => converse(stream, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => converse(stream, &shared).await,
                    Err(_) => None,
                },
            };
            shared.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> Option<()> {
    let mut asked = read(&mut stream).await?;
    if asked.path.contains("/statuses/") {
        let code = asked.status(shared);
        let head = format!("HTTP/1.1 {code} Plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        stream.write_all(head.as_bytes()).await.ok()?;
        return stream.shutdown().await.ok();
    }
    let manner = shared.manner.lock().unwrap().clone();
    if manner == Manner::Old {
        asked.headers.retain(|(name, _)| name != "git-protocol");
    }
    let what = asked.what();
    let note = |sent: usize| shared.seen.lock().unwrap().push((what.clone(), sent));
    match manner {
        Manner::Silent => {
            note(0);
            stream.read_u8().await.ok()?;
            return None;
        }
        Manner::Redirecting(header) => {
            let head = format!("HTTP/1.1 301 Plain\r\n{header}Content-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            return Some(());
        }
        Manner::Plain(status, headers) => {
            let head = format!("HTTP/1.1 {status} Plain\r\n{headers}Content-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            return Some(());
        }
        Manner::Endless if what == "ls-refs" => return list(&mut stream).await,
        Manner::To(name, password) => {
            let expected = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            if asked.header("authorization") != Some(&format!("Basic {expected}")) {
                note(0);
                let head =
                    "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(head.as_bytes()).await.ok()?;
                return Some(());
            }
        }
        _ => {}
    }
    let (head, mut body) = asked.answer(&shared.folder).await;
    note(body.len());
    let mut promised = body.len();
    if what == "fetch" {
        match manner {
            Manner::CutOff => body.truncate(body.len() / 2),
            Manner::Boasting => promised += 1000,
            Manner::Garbled => {
                let middle = body.len() / 2;
                body[middle] ^= 0x40;
            }
            Manner::Miscounting(more) => {
                let pack = body.windows(4).position(|four| four == b"PACK").unwrap();
                body[pack + 8] += more;
                body[pack + 11] += 1;
            }
            _ => {}
        }
    }
    let head = format!("{head}Content-Length: {promised}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let pieces = if manner == Manner::Slowly { 40 } else { 1 };
    for piece in body.chunks(body.len().div_ceil(pieces).max(1)) {
        stream.write_all(piece).await.ok()?;
        if pieces > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stream.shutdown().await.ok()
}

async fn list(stream: &mut (impl AsyncWrite + Unpin)) -> Option<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    for number in 0_u64.. {
        let line = format!("{} refs/heads/main{number:020}\n", "1".repeat(40));
        let packet = format!("{:04x}{line}", line.len() + 4);
        stream.write_all(packet.repeat(500).as_bytes()).await.ok()?;
    }
    None
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut body = bytes.split_off(end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let method = first.next()?.to_owned();
    let (path, query) = {
        let target = first.next()?;
        target.split_once('?').unwrap_or((target, ""))
    };
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut asked = Asked {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    };
    let length: usize = asked.header("content-length").unwrap_or("0").parse().unwrap();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    asked.body = body;
    Some(asked)
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Takes the status of a commit, and returns what it is answered.
    fn status(&self, shared: &Shared) -> u16 {
        let mut statuses = shared.statuses.lock().unwrap();
        let code = statuses.1.pop_front().unwrap_or(201);
        statuses.0.push(Told {
            path: self.path.clone(),
            authorization: self.header("authorization").unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&self.body).unwrap(),
            code,
        });
        code
    }

    /// The command of Git's protocol, or the end of the path.
    fn what(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        match body.split_once("command=") {
            Some((_, rest)) => rest.lines().next().unwrap_or_default().to_owned(),
            None => self.path.split('/').skip(2).collect::<Vec<_>>().join("/"),
        }
    }

    /// What `git http-backend` answers: the head without its end, and the body.
    async fn answer(&self, folder: &Path) -> (String, Vec<u8>) {
        let mut child = Command::from(super::repository::command("git-http-backend"))
            .env("GIT_PROJECT_ROOT", folder)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROTOCOL", self.header("git-protocol").unwrap_or_default())
            .env("REQUEST_METHOD", &self.method)
            .env("PATH_INFO", &self.path)
            .env("QUERY_STRING", &self.query)
            .env("CONTENT_TYPE", self.header("content-type").unwrap_or_default())
            .env("CONTENT_LENGTH", self.body.len().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let body = self.body.clone();
        tokio::spawn(async move {
            let _ = input.write_all(&body).await;
        });
        let output = child.wait_with_output().await.unwrap().stdout;
        let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(output[..end].to_vec()).unwrap();
        let status = head.split("\r\n").find_map(|line| line.strip_prefix("Status: "));
        let head = format!("HTTP/1.1 {}\r\n{head}\r\n", status.unwrap_or("200 OK"));
        (head, output[end + 4..].to_vec())
    }
}
