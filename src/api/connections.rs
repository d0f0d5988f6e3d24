//! The connections of the socket: bounded in number, each idle for a short time at most. When there are too many, the
//! one that has idled longest makes room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::caller::Caller;
use super::limits::hold;

/// Connections that are open at a time. More than [`MAX_REQUESTS`](super::MAX_REQUESTS), so that one who wants to
/// know how the operator is always finds room.
pub const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send a request's head, from its connection or its last answer on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests that are under way may take to end after the server was told to close.
const GRACE: Duration = Duration::from_secs(5);
/// How long the end of an answer may take to leave a connection that is being closed.
const FLUSH: Duration = Duration::from_millis(100);
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 64 * 1024;
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves `app` until `closing`, then lets requests that are under way end, for a few seconds at most.
pub(super) async fn serve(listener: &UnixListener, app: Router, closing: &CancellationToken) {
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
    listener: &UnixListener,
    app: Router,
    closing: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    let service = TowerToHyperService::new(app);
    let idle = Idle::default();
    loop {
        while connections.len() > MAX_CONNECTIONS {
            tokio::select! {
                () = idle.close_longest() => {}
                _ = connections.join_next() => continue,
            }
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let seat = Arc::new(Seat::new(idle.clone()));
                    connections.spawn(connection(stream, service.clone(), seat, closing.clone()));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    // It is files that are scarce then; a connection that is not used is one.
                    tokio::select! {
                        () = idle.close_longest() => {}
                        () = sleep(ACCEPT_RETRY) => {}
                    }
                    sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    stream: UnixStream,
    app: TowerToHyperService<Router>,
    seat: Arc<Seat>,
    closing: CancellationToken,
) {
    let caller = Caller::of(&stream);
    let sitting = Arc::clone(&seat);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller.clone());
        let answer = sitting.begin().map(|under_way| (under_way, app.call(request)));
        async move {
            let (under_way, answer) = answer.ok_or(TooLate)?;
            match answer.await {
                Ok(response) => Ok::<_, TooLate>(hold(response, under_way)),
                Err(never) => match never {},
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let patience = tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                debug!(%error, "a connection ended early");
            }
            return;
        }
        () = seat.told.cancelled() => FLUSH,
        () = closing.cancelled() => if seat.leave() { FLUSH } else { GRACE },
    };
    connection.as_mut().graceful_shutdown();
    if let Ok(Err(error)) = timeout(patience, connection).await {
        debug!(%error, "a connection ended early");
    }
}

/// A request on a connection that is being closed. It was not looked at; the client may send it again.
#[derive(Debug, thiserror::Error)]
#[error("the connection was idle for too long and is being closed")]
struct TooLate;

/// The connections on which no request is under way, by how long they have idled.
#[derive(Clone, Debug, Default)]
struct Idle(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    line: Mutex<Line>,
    joined: Notify,
}

/// Numbered in the order in which they came.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    connections: BTreeMap<u64, CancellationToken>,
}

impl Idle {
    /// Puts a connection at the end of the line; returns its number.
    fn join(&self, told: &CancellationToken) -> u64 {
        let mut line = self.line();
        let number = line.next;
        line.next += 1;
        line.connections.insert(number, told.clone());
        drop(line);
        self.0.joined.notify_one();
        number
    }

    /// Takes a connection out of the line; whether it stood there.
    fn leave(&self, number: u64) -> bool {
        self.line().connections.remove(&number).is_some()
    }

    /// Tells the connection that has idled longest to close. Waits for one when none idles.
    async fn close_longest(&self) {
        loop {
            let first = self.line().connections.pop_first();
            match first {
                Some((_, told)) => return told.cancel(),
                None => self.0.joined.notified().await,
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the line, while no request is under way on it.
#[derive(Debug)]
struct Seat {
    idle: Idle,
    told: CancellationToken,
    number: Mutex<u64>,
}

impl Seat {
    fn new(idle: Idle) -> Self {
        let told = CancellationToken::new();
        let number = Mutex::new(idle.join(&told));
        Self { idle, told, number }
    }

    /// Whether the connection was idle, and was not told to close. It is out of the line then.
    fn leave(&self) -> bool {
        self.idle.leave(*self.number())
    }

    /// A request begins; `None` when the connection is about to close.
    fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        self.leave().then(|| UnderWay(Arc::clone(self)))
    }

    fn number(&self) -> MutexGuard<'_, u64> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A request and its answer, until the answer was sent or given up.
#[derive(Debug)]
struct UnderWay(Arc<Seat>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Seat {
            idle,
            told,
            number: _,
        } = self.0.as_ref();
        *self.0.number() = idle.join(told);
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
    fn connect(app: Router, idle: &Idle) -> UnixStream {
        let (client, server) = UnixStream::pair().unwrap();
        let app = TowerToHyperService::new(app);
        let seat = Arc::new(Seat::new(idle.clone()));
        tokio::spawn(connection(server, app, seat, CancellationToken::new()));
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
            let mut client = connect(app(), &Idle::default());
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
        let idle = Idle::default();
        let mut client = connect(Router::new().route("/", watch), &idle);
        send(&mut client, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        lines.send(Ok("first".into())).await.unwrap();
        sleep(HEAD_TIMEOUT * 3).await;
        let someone = idle.close_longest();
        assert!(timeout(HEAD_TIMEOUT, someone).await.is_err(), "nobody idles");
        lines.send(Ok("last".into())).await.unwrap();
        drop(lines);
        let told = rest(client).await;
        assert!(told.contains("first") && told.contains("last"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_makes_room() {
        let idle = Idle::default();
        let [mut first, second, third] = [(); 3].map(|()| connect(app(), &idle));
        // An answer makes the first one the last in the line.
        send(&mut first, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 12];
        first.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        for client in [second, third, first] {
            let before = tokio::time::Instant::now();
            idle.close_longest().await;
            rest(client).await;
            assert!(before.elapsed() < HEAD_TIMEOUT, "closed before its time");
        }
    }
}
