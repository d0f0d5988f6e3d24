//! How answers travel: compressed when they are large, and with headers that keep browsers from making more of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, Predicate};

/// Bytes from which on an answer is compressed, as in Kubernetes.
const LARGE: u64 = 128 * 1024;

/// Compresses what is large. What is streamed has no length, and goes out as it comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Large;

impl Predicate for Large {
    fn should_compress<B: Body>(&self, response: &axum::http::Response<B>) -> bool {
        response
            .body()
            .size_hint()
            .exact()
            .is_some_and(|bytes| bytes >= LARGE)
    }
}

/// Compresses large answers for clients that take them so (`Accept-Encoding: gzip`).
pub(super) fn compressed() -> CompressionLayer<Large> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(Large)
}

/// Says of an answer that was given before its request was read to the end that the connection closes with it, which it
/// does: the rest of that request cannot be told from the next one. Who is not told may ask once more on it, in vain.
pub(super) async fn closing(request: Request, next: Next) -> Response {
    let is_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let told = Arc::clone(&is_read);
    let request = request.map(|body| axum::body::Body::new(Watched { body, is_read: told }));
    let mut response = next.run(request).await;
    if !is_read.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// A request's body that tells when it was read to its end.
struct Watched {
    body: axum::body::Body,
    is_read: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let watched = self.get_mut();
        let frame = Pin::new(&mut watched.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || watched.body.is_end_stream() {
            watched.is_read.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Headers of every answer: it is what it says it is, is not kept by anybody in between, and comes by TLS alone.
pub(super) async fn secured(mut response: Response) -> Response {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache, private"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (
            HeaderName::from_static("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
