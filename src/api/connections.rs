//! The connections of a listener: bounded in number, each idle for a short time at most, as is a client that takes
//! nothing of its answer. When there are too many, the one that has idled longest makes room.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::caller::Peer;
use super::impatient::Impatient;
use super::limits::hold;

/// Connections that are open at a time. More than [`MAX_REQUESTS`](super::MAX_REQUESTS), so that one who wants to
/// know how the operator is always finds room.
pub const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send a request's head, from its connection or its last answer on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests that are under way may take to end after the server was told to close.
const GRACE: Duration = Duration::from_secs(5);
/// How long the end of an answer may take to leave a connection that is being closed.
const FLUSH: Duration = Duration::from_millis(100);
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How soon a newcomer, or a file for one, is looked for again.
const RETRY: Duration = Duration::from_millis(100);

/// Where connections come from.
#[derive(Debug)]
pub(super) enum Listener {
    /// This machine.
    Unix(UnixListener),
    /// The network.
    Tls(TcpListener, Acceptor),
}

/// What turns a connection into one with TLS.
#[derive(Clone)]
pub(super) struct Acceptor(pub(super) TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// A connection before anything was said on it.
enum Newcomer {
    Unix(UnixStream),
    Tls(TcpStream, SocketAddr, Acceptor),
}

/// What HTTP is spoken on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Newcomer> {
        match self {
            Self::Unix(listener) => Ok(Newcomer::Unix(listener.accept().await?.0)),
            Self::Tls(listener, acceptor) => {
                let (stream, address) = listener.accept().await?;
                Ok(Newcomer::Tls(stream, address, acceptor.clone()))
            }
        }
    }
}

impl Newcomer {
    /// Who is there, and what to speak HTTP on: with TLS, after its handshake.
    async fn open(self) -> io::Result<(Peer, Box<dyn Stream>)> {
        match self {
            Self::Unix(stream) => Ok((Peer::of(&stream), Box::new(stream))),
            Self::Tls(stream, address, acceptor) => {
                stream.set_nodelay(true)?;
                Ok((Peer::at(address), Box::new(acceptor.0.accept(stream).await?)))
            }
        }
    }
}

/// Serves `app` until `closing`, then lets requests that are under way end, for a few seconds at most.
pub(super) async fn serve(listener: &Listener, app: Router, closing: &CancellationToken) {
    let mut connections = JoinSet::new();
    tokio::select! {
        () = closing.cancelled() => {}
        () = accept(listener, app, closing, &mut connections) => {}
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, ended).await.is_err() {
        warn!("some requests did not end in time and were cut");
    }
}

async fn accept(
    listener: &Listener,
    app: Router,
    closing: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    let service = TowerToHyperService::new(app);
    let idle = Arc::new(IdleConnections::default());
    loop {
        while connections.len() > MAX_CONNECTIONS {
            idle.close_oldest();
            // When none was idle, or a request came while it was closed, the next one makes room.
            let _ended = timeout(RETRY, connections.join_next()).await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    let state = Arc::new(Connection::new(Arc::clone(&idle)));
                    connections.spawn(serve_one(stream, service.clone(), state, closing.clone()));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    // It is files that are scarce then; a connection that is not used is one.
                    idle.close_oldest();
                    sleep(RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_one(
    stream: Newcomer,
    app: TowerToHyperService<Router>,
    state: Arc<Connection>,
    closing: CancellationToken,
) {
    let opened = tokio::select! {
        opened = timeout(HEAD_TIMEOUT, stream.open()) => opened,
        () = state.close.cancelled() => return,
        () = closing.cancelled() => return,
    };
    let (peer, stream) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return debug!(%error, "a connection was not opened"),
        Err(_) => return debug!("a connection was not opened in time"),
    };
    let requests = Arc::clone(&state);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let guard = requests.begin();
        let answer = app.call(request);
        async move { answer.await.map(|response| hold(response, guard)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Impatient::new(stream, WRITE_TIMEOUT)), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return log(ended),
        () = state.close.cancelled() => {}
        () = closing.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let patience = async {
        sleep(FLUSH).await;
        if state.is_busy() {
            sleep(GRACE).await;
        }
    };
    tokio::select! {
        ended = connection => log(ended),
        () = patience => {}
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

/// The connections on which no request is under way, by how long they have idled.
#[derive(Debug, Default)]
struct IdleConnections {
    next: AtomicU64,
    /// What closes each, numbered in the order in which they became idle.
    oldest_first: Mutex<BTreeMap<u64, CancellationToken>>,
}

impl IdleConnections {
    /// Adds a connection, and returns its number.
    fn add(&self, close: &CancellationToken) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.oldest_first().insert(number, close.clone());
        number
    }

    fn remove(&self, number: u64) {
        self.oldest_first().remove(&number);
    }

    /// Tells the connection that has idled longest to close; whether there was one.
    fn close_oldest(&self) -> bool {
        let oldest = self.oldest_first().pop_first();
        oldest.map(|(_, close)| close.cancel()).is_some()
    }

    fn oldest_first(&self) -> MutexGuard<'_, BTreeMap<u64, CancellationToken>> {
        self.oldest_first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection: among the idle ones, or busy with a request. HTTP/1 has one at a time.
#[derive(Debug)]
struct Connection {
    idle: Arc<IdleConnections>,
    close: CancellationToken,
    /// Its number while it is idle.
    number: AtomicU64,
    busy: AtomicBool,
}

impl Connection {
    fn new(idle: Arc<IdleConnections>) -> Self {
        let close = CancellationToken::new();
        let number = AtomicU64::new(idle.add(&close));
        Self {
            idle,
            close,
            number,
            busy: AtomicBool::new(false),
        }
    }

    /// A request begins.
    fn begin(self: &Arc<Self>) -> RequestGuard {
        self.busy.store(true, Ordering::Relaxed);
        self.idle.remove(self.number.load(Ordering::Relaxed));
        RequestGuard(Arc::clone(self))
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.idle.remove(*self.number.get_mut());
    }
}

/// Keeps its connection busy until the answer was sent or given up.
#[derive(Debug)]
struct RequestGuard(Arc<Connection>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let connection = &self.0;
        let number = connection.idle.add(&connection.close);
        connection.number.store(number, Ordering::Relaxed);
        connection.busy.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;

    use super::*;

    /// A client's end of a connection that `app` serves.
    fn connect(app: Router, idle: &Arc<IdleConnections>) -> UnixStream {
        let (client, server) = UnixStream::pair().unwrap();
        let app = TowerToHyperService::new(app);
        let state = Arc::new(Connection::new(Arc::clone(idle)));
        tokio::spawn(serve_one(
            Newcomer::Unix(server),
            app,
            state,
            CancellationToken::new(),
        ));
        client
    }

    /// What is read until the other end closes.
    async fn rest(mut client: UnixStream) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn send(client: &mut UnixStream, text: &str) {
        client.write_all(text.as_bytes()).await.unwrap();
    }

    fn app() -> Router {
        Router::new().route("/", get(async || "well"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_whole_request_is_closed() {
        for head in ["", "GET / HTTP/1.1\r\nhost:", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut client = connect(app(), &Arc::default());
            send(&mut client, head).await;
            let is_answered = rest(client).await.ends_with("well");
            assert_eq!(is_answered, head.ends_with("\r\n\r\n"), "{head:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_goes_on_keeps_its_connection() {
        let (lines, mut given) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let body = Body::from_stream(futures::stream::poll_fn(move |context| given.poll_recv(context)));
        let body = Arc::new(Mutex::new(Some(body)));
        let watch = get(async move || body.lock().unwrap().take().unwrap());
        let idle = Arc::default();
        let mut client = connect(Router::new().route("/", watch), &idle);
        send(&mut client, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        lines.send(Ok("first".into())).await.unwrap();
        sleep(HEAD_TIMEOUT * 3).await;
        assert!(!idle.close_oldest(), "nobody idles");
        lines.send(Ok("last".into())).await.unwrap();
        drop(lines);
        let told = rest(client).await;
        assert!(told.contains("first") && told.contains("last"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_busy_and_then_given_up() {
        const LENGTH: usize = 8 << 20;
        let idle = Arc::default();
        let large = get(async || "x".repeat(LENGTH));
        let mut client = connect(Router::new().route("/", large), &idle);
        send(&mut client, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        sleep(WRITE_TIMEOUT / 2).await;
        assert!(!idle.close_oldest(), "nobody idles whose answer was not taken");
        sleep(WRITE_TIMEOUT).await;
        let told = rest(client).await;
        assert!(
            told.starts_with("HTTP/1.1 200") && told.len() < LENGTH,
            "{}",
            told.len()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_while_its_connection_is_closed_is_answered() {
        let slow = get(async || {
            sleep(GRACE / 2).await;
            "well"
        });
        let idle = Arc::default();
        let mut client = connect(Router::new().route("/", slow), &idle);
        send(&mut client, "GET / HTTP/1.1\r\n").await;
        // On this clock, until the server has read it.
        sleep(FLUSH).await;
        assert!(idle.close_oldest());
        send(&mut client, "host: x\r\n\r\n").await;
        let told = rest(client).await;
        assert!(told.ends_with("well"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_makes_room() {
        let idle = Arc::default();
        let [mut first, second, third] = [(); 3].map(|()| connect(app(), &idle));
        // An answer makes the first one the last in the line.
        send(&mut first, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 12];
        first.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        for client in [second, third, first] {
            let before = tokio::time::Instant::now();
            assert!(idle.close_oldest());
            rest(client).await;
            assert!(before.elapsed() < HEAD_TIMEOUT, "closed before its time");
        }
    }
}
