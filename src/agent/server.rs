//! `GET /health` and `GET /ready`, in a way that no slow or silent client can block.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::identity::Identity;
use super::{Phase, reached};

/// A connection serves one request, and lives no longer than this.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// With more, the oldest is dropped: answers take no time, so it must be a slow client.
const MAX_CONNECTIONS: usize = 64;
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What the answers tell.
pub(super) struct Facts {
    agent: String,
    role: String,
    slot: u32,
    started: Instant,
    phase: watch::Receiver<Phase>,
}

impl Facts {
    pub(super) fn new(identity: &Identity, phase: watch::Receiver<Phase>) -> Self {
        Self {
            agent: identity.name.clone(),
            role: identity.role.clone(),
            slot: identity.slot,
            started: Instant::now(),
            phase,
        }
    }
}

/// The listener; port 0 picks a free one.
pub(super) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await
}

/// Answers until the phase is [`Phase::Closed`], then finishes the requests that are under way.
pub(super) async fn serve(listener: TcpListener, facts: Facts) {
    let facts = Arc::new(facts);
    let mut phases = facts.phase.clone();
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            () = reached(&mut phases, Phase::Closed) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.open(stream, &facts),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = connections.tasks.join_next() => connections.forget_finished(),
        }
    }
    drop(listener);
    while connections.tasks.join_next().await.is_some() {}
}

/// The open connections, oldest first.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    handles: VecDeque<AbortHandle>,
}

impl Connections {
    fn open(&mut self, stream: TcpStream, facts: &Arc<Facts>) {
        if self.handles.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.handles.pop_front()
        {
            oldest.abort();
        }
        self.handles
            .push_back(self.tasks.spawn(answer_one(stream, Arc::clone(facts))));
    }

    fn forget_finished(&mut self) {
        self.handles.retain(|handle| !handle.is_finished());
    }
}

async fn answer_one(stream: TcpStream, facts: Arc<Facts>) {
    let service = service_fn(|request: Request<_>| {
        let answer = answer(request.method(), request.uri().path(), &facts);
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a request failed"),
        Err(_) => debug!("dropped a client that was too slow"),
    }
}

/// `/health` says that the process works, draining or not; `/ready` says whether to send it work.
fn answer(method: &Method, path: &str, facts: &Facts) -> Response<Full<Bytes>> {
    let serving = *facts.phase.borrow() == Phase::Serving;
    let (code, body) = match path {
        "/health" | "/ready" if !matches!(*method, Method::GET | Method::HEAD) => (
            StatusCode::METHOD_NOT_ALLOWED,
            json!({"error": format!("{method} is not allowed; use GET")}),
        ),
        "/health" => (
            StatusCode::OK,
            json!({
                "status": if serving { "ok" } else { "draining" },
                "agent": facts.agent,
                "role": facts.role,
                "slot": facts.slot,
                "uptime_seconds": facts.started.elapsed().as_secs(),
            }),
        ),
        "/ready" if serving => (StatusCode::OK, json!({"ready": true})),
        "/ready" => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"ready": false, "reason": "draining"}),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": "nothing is here; ask /health or /ready"}),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if code == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::{Facts, MAX_CONNECTIONS, Phase, bind, serve};

    struct Running {
        address: SocketAddr,
        phase: watch::Sender<Phase>,
        server: JoinHandle<()>,
    }

    async fn start() -> Running {
        let listener = bind(0).await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let (phase, phases) = watch::channel(Phase::Serving);
        let facts = Facts {
            agent: "reviewer_2".into(),
            role: "reviewer".into(),
            slot: 2,
            started: Instant::now(),
            phase: phases,
        };
        Running {
            address,
            phase,
            server: tokio::spawn(serve(listener, facts)),
        }
    }

    async fn read_all(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn request(address: SocketAddr, line: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await
            .unwrap();
        read_all(stream).await
    }

    #[tokio::test]
    async fn answers_what_is_asked_and_refuses_the_rest() {
        let running = start().await;
        let check = async |phase: Phase, line: &str, code: u16, parts: &[&str]| {
            running.phase.send_replace(phase);
            let answer = request(running.address, line).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {code} ")),
                "{line}: {answer}"
            );
            for part in parts {
                assert!(answer.contains(part), "{line}: {part:?} is not in {answer}");
            }
        };
        let who = [
            r#""agent":"reviewer_2""#,
            r#""role":"reviewer""#,
            r#""slot":2"#,
            r#""uptime_seconds":0"#,
        ];
        check(
            Phase::Serving,
            "GET /health",
            200,
            &[r#""status":"ok""#, "application/json"],
        )
        .await;
        check(Phase::Serving, "GET /health?verbose=1", 200, &who).await;
        check(Phase::Serving, "GET /ready", 200, &[r#"{"ready":true}"#]).await;
        check(Phase::Draining, "GET /health", 200, &[r#""status":"draining""#]).await;
        check(Phase::Draining, "GET /ready", 503, &[r#""ready":false"#]).await;
        check(Phase::Serving, "POST /health", 405, &["allow: GET, HEAD"]).await;
        check(Phase::Serving, "DELETE /ready", 405, &[]).await;
        check(Phase::Serving, "GET /", 404, &["/health or /ready"]).await;
        check(Phase::Serving, "GET /health/", 404, &[]).await;
        check(Phase::Serving, "nonsense", 400, &[]).await;
        assert!(
            request(running.address, "HEAD /health")
                .await
                .ends_with("\r\n\r\n")
        );
    }

    #[tokio::test]
    async fn silent_clients_cannot_keep_others_out() {
        let running = start().await;
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS * 2 {
            silent.push(TcpStream::connect(running.address).await.unwrap());
        }
        assert!(request(running.address, "GET /health").await.contains("200 OK"));
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished_before_the_server_ends() {
        let running = start().await;
        let mut slow = TcpStream::connect(running.address).await.unwrap();
        slow.write_all(b"GET /ready HTTP/1.1\r\n").await.unwrap();
        // Answered after the slow one was accepted: connections are taken in order.
        request(running.address, "GET /health").await;

        running.phase.send_replace(Phase::Closed);
        slow.write_all(b"Host: x\r\n\r\n").await.unwrap();
        assert!(read_all(slow).await.starts_with("HTTP/1.1 503 "));
        running.server.await.unwrap();
        assert!(TcpStream::connect(running.address).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_finishes_its_request_is_dropped() {
        let running = start().await;
        let mut slow = TcpStream::connect(running.address).await.unwrap();
        slow.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        assert_eq!(read_all(slow).await, "");
    }
}
