//! How answers travel: compressed when they are large, and with headers that keep browsers from making more of them.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use hyper::body::Body;
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
