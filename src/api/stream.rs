//! Answers that go on: lines, sent as they come, until the client, the time or the server ends them.

use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures::stream;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::form::{Presenter, Resource};

/// Lines that wait for a slow client before the producer waits, too.
const BUFFER: usize = 64;
/// How long a watch lasts at least that its client does not limit; twice as long at most.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Where a producer sends its lines.
#[derive(Clone, Debug)]
pub(super) struct Lines(mpsc::Sender<Result<Bytes, Broken>>);

/// The client is gone: there is nobody to produce for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// An answer that goes on, for those who see the whole response: to cancel it ends it, and its end cancels this.
#[derive(Clone, Debug)]
pub(super) struct Open(pub(super) CancellationToken);

/// Why an answer breaks off; cuts the connection, so that the client does not take a part for the whole.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(String);

#[derive(Serialize)]
struct WatchEvent<'a, T> {
    r#type: &'a str,
    object: &'a T,
}

impl Lines {
    /// Sends a line of text, and its end.
    pub(super) async fn text(&self, line: &str) -> Result<(), Gone> {
        let bytes = Bytes::from(format!("{line}\n"));
        self.0.send(Ok(bytes)).await.map_err(|_| Gone)
    }

    /// Breaks the answer off.
    pub(super) async fn fail(&self, why: &str) -> Result<(), Gone> {
        let broken = Broken(why.to_owned());
        self.0.send(Err(broken)).await.map_err(|_| Gone)
    }

    /// Tells a watcher that it knows everything up to `revision`, and, with `is_present`, that this was the
    /// present state that it asked for.
    pub(super) async fn bookmark(
        &self,
        presenter: &Presenter,
        revision: impl ToString,
        is_present: bool,
    ) -> Result<(), Gone> {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if is_present {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let Resource {
            api_version, kind, ..
        } = presenter.resource;
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        self.object("BOOKMARK", presenter, &object).await
    }

    /// Sends a watch event about an object, in the form that the watcher wants.
    pub(super) async fn object(
        &self,
        r#type: &str,
        presenter: &Presenter,
        object: &impl Serialize,
    ) -> Result<(), Gone> {
        match presenter.one(object) {
            Ok(shown) => self.event(r#type, &shown).await,
            Err(error) => {
                tracing::error!(%error, "a watched object cannot be shown");
                Err(Gone)
            }
        }
    }

    /// Sends a watch event: `{"type": …, "object": …}`.
    pub(super) async fn event(&self, r#type: &str, object: &impl Serialize) -> Result<(), Gone> {
        match serde_json::to_string(&WatchEvent { r#type, object }) {
            Ok(line) => self.text(&line).await,
            Err(error) => {
                tracing::error!(%error, "a watch event cannot be written");
                Err(Gone)
            }
        }
    }
}

/// Waits until the time of a watch is over. One without a limit of its own ends after half an hour to an hour, as in
/// Kubernetes: its client goes on with another one, and whoever has forgotten it has no place for ever.
pub(super) async fn over(limit: Option<Duration>) {
    let limit = limit.unwrap_or_else(|| LIFETIME + rand::random_range(Duration::ZERO..=LIFETIME));
    tokio::time::sleep(limit).await;
}

/// An answer whose lines `produce` sends. It ends when `produce` does, when the client goes, and when `closing` or its
/// [`Open`] says so; `produce` is dropped then.
pub(super) fn respond<P>(
    content_type: &'static str,
    closing: CancellationToken,
    produce: impl FnOnce(Lines) -> P,
) -> Response
where
    P: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(BUFFER);
    let produced = produce(Lines(sender.clone()));
    let open = closing.child_token();
    let end = open.clone().drop_guard();
    let ended = open.clone();
    tokio::spawn(async move {
        let _end = end;
        tokio::select! {
            _ = produced => {}
            () = sender.closed() => {}
            () = ended.cancelled() => {}
        }
    });
    let lines = stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut response = Response::new(Body::from_stream(lines));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(content_type));
    response.extensions_mut().insert(Open(open));
    response
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_without_a_limit_ends_by_itself() {
        let began = Instant::now();
        over(Some(Duration::from_secs(3))).await;
        assert_eq!(began.elapsed().as_secs(), 3);
        let began = Instant::now();
        over(None).await;
        let lasted = began.elapsed().as_secs();
        let least = LIFETIME.as_secs();
        assert!((least..=2 * least).contains(&lasted), "{lasted}");
    }
}
