//! What one request may cost: a place among those that are answered, bytes of its body, time until its answer starts.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error};

use super::caller::{Caller, Peer};
use super::options::Params;
use super::places::Places;
use super::status::ApiError;
use crate::resource::duration;

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// How long a request may take until its answer starts; what is streamed (watches, logs) then goes on.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// The same for those whom nobody knows: a forge sends what it has to say at once.
const STRANGERS_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for what is long work by nature, and is given up when its client is.
const LONG_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How much of a body that is too large is thrown away before it is refused: who still sends when the connection closes
/// does not read why it does.
const DRAINED: usize = 32 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of an answer that are handed over at a time.
const SLICE: usize = 64 * 1024;

/// The places of the requests that are answered, and what each of these may cost.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    places: Places,
    timeout: Duration,
    body: usize,
    /// How much of a body that is too large is taken and thrown away.
    drained: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            places: Places::default(),
            timeout: TIMEOUT,
            body: MAX_BODY,
            drained: DRAINED,
        }
    }
}

impl Limits {
    /// The same places, for bodies of at most so many bytes; of one that has more, little is taken.
    pub(super) fn for_bodies_of(self, most: usize) -> Self {
        Self {
            body: most,
            drained: 4 * most,
            ..self
        }
    }

    /// The same places, for long work.
    pub(super) fn for_long_work(self) -> Self {
        Self {
            timeout: LONG_TIMEOUT,
            ..self
        }
    }

    /// How long a request may take that names a time itself, as `kubectl --request-timeout` has it: never longer than others.
    /// As in Kubernetes, 0 names none.
    fn patience(&self, params: &Params) -> Result<Duration, ApiError> {
        let Some(asked) = params.text("timeout") else {
            return Ok(self.timeout);
        };
        let asked = asked
            .parse::<duration::Duration>()
            .map_err(|error| ApiError::BadRequest(format!("the parameter timeout: {error}")))?;
        Ok(match asked.0 {
            Duration::ZERO => self.timeout,
            asked => asked.min(self.timeout),
        })
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Body, ApiError> {
        let most = self.body;
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > most as u64) {
            let mut rest = Limited::new(body, self.drained);
            let thrown_away = async { while let Some(Ok(_)) = rest.frame().await {} };
            let _in_time_or_not = tokio::time::timeout(DRAIN_TIMEOUT, thrown_away).await;
            return Err(ApiError::TooLarge(most));
        }
        match Limited::new(body, most).collect().await {
            Ok(read) => Ok(Body::from(read.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge(most)),
            Err(error) => Err(ApiError::BadRequest(format!(
                "the body could not be read: {error}"
            ))),
        }
    }
}

/// Middleware: answers a request within its limits, or refuses it when too many are under way.
pub(super) async fn bounded(
    State(limits): State<Limits>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    match limits.places.take(&caller) {
        Ok(place) => hold(in_time(&limits, request, next).await, place),
        Err(refused) => refused.into_response(),
    }
}

/// The places of those whom nobody knows, of which no address has more than a quarter.
#[derive(Clone, Debug)]
pub(super) struct Strangers(Limits);

impl Strangers {
    pub(super) fn new(count: usize, limits: Limits) -> Self {
        Self(Limits {
            places: Places::of_strangers(count),
            timeout: STRANGERS_TIMEOUT,
            ..limits
        })
    }
}

/// Middleware: the same for strangers, who must be quick.
pub(super) async fn bounded_strangers(
    State(Strangers(limits)): State<Strangers>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match limits.places.take_at(peer) {
        Ok(place) => hold(in_time(&limits, request, next).await, place),
        Err(refused) => refused.into_response(),
    }
}

/// Keeps `held` until the answer was sent to its end, or given up.
pub(super) fn hold(response: Response, held: impl Send + Unpin + 'static) -> Response {
    response.map(|body| {
        Body::new(Holding {
            body,
            rest: Bytes::new(),
            _held: held,
        })
    })
}

/// A body that keeps something else, and is as long as it was. It is handed over in slices: what is handed over whole
/// would be let go of before any of it is sent.
struct Holding<T> {
    body: Body,
    rest: Bytes,
    _held: T,
}

impl<T: Unpin> hyper::body::Body for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let slice = this.rest.split_to(this.rest.len().min(SLICE));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (ahead, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(ahead.lower() + rest);
        if let Some(upper) = ahead.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// An extension of each request: cancelled once nobody waits for the answer, so that long work can be broken off.
#[derive(Clone, Debug)]
pub(super) struct Abandoned(pub(super) CancellationToken);

/// Reads the body within its limit, then runs the handler to its end in a task of its own.
///
/// The task goes on when the client hangs up or the time is over: a transaction that is cut in the middle
/// of its `BEGIN` would poison its pooled connection. [`Abandoned`] tells it.
async fn in_time(limits: &Limits, mut request: Request, next: Next) -> Response {
    let timeout = match limits.patience(&Params::of(request.uri())) {
        Ok(timeout) => timeout,
        Err(refused) => return refused.into_response(),
    };
    let abandoned = CancellationToken::new();
    request.extensions_mut().insert(Abandoned(abandoned.clone()));
    let _until_answered = abandoned.drop_guard();
    let answer = async {
        let (parts, body) = request.into_parts();
        let body = limits.read(&parts.headers, body).await?;
        let handler = next.run(Request::from_parts(parts, body)).in_current_span();
        tokio::spawn(handler).await.map_err(|fault| {
            error!(%fault, "a request handler failed");
            ApiError::Internal("the request handler failed; the operator's log says more".to_owned())
        })
    };
    let late = |_| Err(ApiError::Timeout(timeout));
    tokio::time::timeout(timeout, answer)
        .await
        .unwrap_or_else(late)
        .unwrap_or_else(ApiError::into_response)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use axum::{Extension, Router};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio::sync::Notify;

    use super::*;

    async fn send(app: Router, body: Body) -> StatusCode {
        send_within(Limits::default(), app, body).await
    }

    async fn send_within(limits: Limits, app: Router, body: Body) -> StatusCode {
        let app = TowerToHyperService::new(app.layer(from_fn_with_state(limits, bounded)));
        let request = Request::post("/").body(body).unwrap();
        app.call(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_is_answered_and_still_carried_out() {
        let done = Arc::new(Notify::new());
        let told = Arc::clone(&done);
        let slow = post(async move || {
            tokio::time::sleep(TIMEOUT * 2).await;
            told.notify_one();
        });
        let code = send(Router::new().route("/", slow), Body::empty()).await;
        assert_eq!(code, StatusCode::GATEWAY_TIMEOUT);
        done.notified().await;
    }

    #[test]
    fn a_client_may_wait_less_than_others_and_never_longer() {
        let second = Duration::from_secs(1);
        for (query, expected) in [
            ("", Some(TIMEOUT)),
            ("timeout=1s", Some(second)),
            ("timeout=1h", Some(TIMEOUT)),
            ("timeout=0", Some(TIMEOUT)),
            ("timeout=0s", Some(TIMEOUT)),
            ("timeout=1", None),
            ("timeout=-1s", None),
            ("timeout=soon", None),
        ] {
            let uri = format!("/?{query}").parse().unwrap();
            let patience = Limits::default().patience(&Params::of(&uri));
            assert_eq!(patience.ok(), expected, "{query}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_is_waited_for() {
        let slow = || Router::new().route("/", post(async || tokio::time::sleep(TIMEOUT * 2).await));
        let limits = Limits::default().for_long_work();
        assert_eq!(send_within(limits, slow(), Body::empty()).await, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_request_learns_that_nobody_waits_for_it() {
        let (begun, broken_off) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, breaks_off) = (Arc::clone(&begun), Arc::clone(&broken_off));
        let long = post(
            async move |Extension(Abandoned(abandoned)): Extension<Abandoned>| {
                begins.notify_one();
                abandoned.cancelled().await;
                breaks_off.notify_one();
            },
        );
        tokio::select! {
            code = send(Router::new().route("/", long), Body::empty()) => panic!("{code}"),
            () = begun.notified() => {}
        }
        broken_off.notified().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(futures::stream::once(pending::<Result<Vec<u8>, std::io::Error>>()));
        let app = Router::new().route("/", post(async || "read"));
        assert_eq!(send(app, endless).await, StatusCode::GATEWAY_TIMEOUT);
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_an_internal_error() {
        let app = Router::new().route("/", post(async || -> () { panic!("a fault") }));
        assert_eq!(send(app, Body::empty()).await, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
