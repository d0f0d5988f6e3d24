//! Serves connections: takes requests apart, plays faults at the door, sends answers.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use futures::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Ask, Reply, events, router, signature};
use crate::sim::Shared;
use crate::sim::faults::{Class, Fault};
use crate::sim::world::events::Event;
use crate::sim::world::refusal::Refusal;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The newest and oldest API that is spoken, as minor versions.
const API: std::ops::RangeInclusive<u32> = 12..=41;

/// The first that says in JSON why it refuses, as a minor version.
const FIRST_WITH_JSON: u32 = 24;

/// Accepts connections until it is dropped, and they with it.
pub(crate) async fn serve(shared: Arc<Shared>, listener: UnixListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((connection, _)) = accepted {
                    connections.spawn(connection_of(Arc::clone(&shared), connection));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection_of(shared: Arc<Shared>, connection: UnixStream) {
    let service = service_fn(move |request| handle(Arc::clone(&shared), request));
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    // A client that goes away, or a fault that cuts it off, is nothing to report.
    drop(served.await);
}

/// Answers, or fails, which closes the connection.
async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (version, path) = unversioned(parts.uri.path());
    let refused = |refusal: &Refusal| {
        let is_old = version.is_some_and(|version| numbers(version) < vec![1, FIRST_WITH_JSON]);
        if is_old {
            refused_in_words(refusal)
        } else {
            refused(refusal)
        }
    };
    if let Err(refusal) = version.map_or(Ok(()), check_version) {
        return Ok(refused(&refusal));
    }
    let query = parts.uri.query().unwrap_or_default();
    let mut ask = Ask::new(parts.method, path, query, body);
    let content_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    ask.content_type = content_type.unwrap_or_default().to_owned();
    let (class, told) = shared.with(|world| signature::of_request(world, &ask));
    let (point, fault) = shared.faults.reach(class, told);
    let respond = async |ask: &Ask| {
        let reply = shared.with(|world| router::answer(world, ask));
        let answer = match reply {
            Ok(reply) => respond(&shared, reply).await,
            Err(refusal) => Ok(refused(&refusal)),
        };
        let is_done = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        if class == Class::Call && is_done {
            shared.faults.count_done(&point);
        }
        answer
    };
    let Some(fault) = fault else {
        return respond(&ask).await;
    };
    match fault {
        Fault::Answer { status, text } => Ok(refused(&Refusal::new(status, text))),
        Fault::DoThenAnswer { status, text } => {
            drop(respond(&ask).await);
            Ok(refused(&Refusal::new(status, text)))
        }
        Fault::Lose => {
            drop(respond(&ask).await);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Fault::LoseBefore => Err(io::ErrorKind::ConnectionReset.into()),
        Fault::Hang => never().await,
        Fault::DoThenHang => {
            drop(respond(&ask).await);
            never().await
        }
        Fault::Late { by } => {
            let answer = respond(&ask).await;
            tokio::time::sleep(by).await;
            answer
        }
        Fault::Freeze { done } => {
            if done {
                drop(respond(&ask).await);
            }
            shared.faults.tell_reached(point.clone());
            never().await
        }
        Fault::Stale { back } => {
            ask.back = back;
            respond(&ask).await
        }
        // Faults of events, and of nothing else.
        Fault::Drop | Fault::Twice | Fault::AfterNext | Fault::Silence | Fault::Cut => respond(&ask).await,
    }
}

async fn never<T>() -> T {
    match std::future::pending::<Infallible>().await {}
}

async fn respond(shared: &Arc<Shared>, reply: Reply) -> Result<Response<Body>, io::Error> {
    Ok(match reply {
        Reply::Empty(status) => response(status, None, whole(Bytes::new())),
        Reply::Json(status, json) => json_response(status, json),
        Reply::Later(render) => {
            let json = tokio::task::spawn_blocking(render)
                .await
                .map_err(io::Error::other)?;
            json_response(200, json)
        }
        Reply::Raw(kind, bytes) => response(200, Some(kind), whole(bytes.into())),
        Reply::Open(kind, bytes) => {
            let first = stream::iter([Ok(Bytes::from(bytes))]);
            response(200, Some(kind), streamed(first.chain(stream::pending())))
        }
        Reply::Events(wanted) => {
            let stream = events_of(shared, wanted);
            response(200, Some("application/json"), streamed(stream))
        }
    })
}

/// The events that are wanted, with the faults that they meet on their way.
fn events_of(
    shared: &Arc<Shared>,
    wanted: events::Wanted,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (past, future) = shared.subscribe(wanted.since);
    let is_over = wanted
        .until
        .is_some_and(|until| until <= shared.with(|world| world.now));
    let past = stream::iter(past);
    let future: Pin<Box<dyn Stream<Item = Arc<Event>> + Send>> = if is_over {
        Box::pin(stream::empty())
    } else {
        Box::pin(stream::unfold(
            future,
            async |mut future: mpsc::Receiver<Arc<Event>>| future.recv().await.map(|event| (event, future)),
        ))
    };
    let until = wanted.until;
    let wait = until.and_then(|until| shared.clock.until(until));
    let end = async move {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => never().await,
        }
    };
    let future = future.take_until(Box::pin(end));
    let events = past.chain(future);
    let events = events.take_while(move |event| {
        let is_in_time = until.is_none_or(|until| event.at <= until);
        std::future::ready(is_in_time)
    });
    let events = events.filter(move |event| std::future::ready(wanted.takes(event)));
    let state = Telling {
        events: Box::pin(events),
        shared: Arc::clone(shared),
        held: None,
        ended: false,
    };
    stream::unfold(state, Telling::next)
}

struct Telling {
    events: Pin<Box<dyn Stream<Item = Arc<Event>> + Send>>,
    shared: Arc<Shared>,
    /// A line that is to come after the next.
    held: Option<String>,
    ended: bool,
}

impl Telling {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            let event = self.events.next().await?;
            let line = events::line(&event);
            let (_, fault) = self
                .shared
                .faults
                .reach(Class::Event, signature::of_event(&event));
            let mut text = match fault {
                Some(Fault::Drop) => continue,
                Some(Fault::Twice) => format!("{line}{line}"),
                Some(Fault::AfterNext) => {
                    self.held = Some(line);
                    continue;
                }
                Some(Fault::Silence | Fault::Hang) => never().await,
                Some(Fault::Cut | Fault::Lose | Fault::LoseBefore) => {
                    self.ended = true;
                    return Some((Err(io::ErrorKind::ConnectionReset.into()), self));
                }
                _ => line,
            };
            text.extend(self.held.take());
            return Some((Ok(text.into()), self));
        }
    }
}

/// A path's `v1.41`, if it begins with one, and what follows.
fn unversioned(path: &str) -> (Option<&str>, &str) {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let (version, rest) = rest.split_at(rest.find('/')?);
        let is_version =
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_version.then_some((version, rest))
    });
    match versioned {
        Some((version, rest)) => (Some(version), rest),
        None => (None, path),
    }
}

/// A version's numbers; what is none counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = version
        .split('.')
        .map(|number| number.parse().unwrap_or_default())
        .collect();
    numbers.resize(numbers.len().max(2), 0);
    numbers
}

fn check_version(version: &str) -> Result<(), Refusal> {
    let numbers = numbers(version);
    let message = if numbers > vec![1, *API.end()] {
        format!(
            "client version {version} is too new. Maximum supported API version is 1.{}",
            API.end()
        )
    } else if numbers < vec![1, *API.start()] {
        format!(
            "client version {version} is too old. Minimum supported API version is 1.{}, please upgrade your client \
             to a newer version",
            API.start()
        )
    } else {
        return Ok(());
    };
    Err(Refusal::new(400, message))
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let json = serde_json::json!({"message": refusal.message}).to_string();
    json_response(refusal.status, format!("{json}\n"))
}

/// As clients of old understood it.
fn refused_in_words(refusal: &Refusal) -> Response<Body> {
    let text = format!("{}\n", refusal.message);
    response(
        refusal.status,
        Some("text/plain; charset=utf-8"),
        whole(text.into()),
    )
}

fn json_response(status: u16, json: String) -> Response<Body> {
    response(status, Some("application/json"), whole(json.into()))
}

fn response(status: u16, kind: Option<&'static str>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [
        ("api-version", "1.41"),
        ("docker-experimental", "false"),
        ("ostype", "linux"),
        ("server", "Docker/20.10.24+simulated (linux)"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn streamed(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(stream.map(|piece| piece.map(Frame::data))).boxed_unsync()
}
