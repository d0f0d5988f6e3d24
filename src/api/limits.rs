//! What one request may cost: bytes of its body, and time until its answer starts.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tracing::{Instrument, error};

use super::status::ApiError;

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// How long a request may take until its answer starts; what is streamed (watches, logs) then goes on.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Middleware: reads the body within its limit, then runs the handler to its end in a task of its own.
///
/// The task goes on when the client hangs up or the time is over: a transaction that is cut in the middle
/// of its `BEGIN` would poison its pooled connection.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let answer = async {
        let (parts, body) = request.into_parts();
        let body = read(&parts.headers, body).await?;
        let handler = next.run(Request::from_parts(parts, body)).in_current_span();
        tokio::spawn(handler).await.map_err(|fault| {
            error!(%fault, "a request handler failed");
            ApiError::Internal("the request handler failed; the operator's log says more".to_owned())
        })
    };
    let late = |_| Err(ApiError::Timeout(TIMEOUT.as_secs()));
    tokio::time::timeout(TIMEOUT, answer)
        .await
        .unwrap_or_else(late)
        .unwrap_or_else(ApiError::into_response)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Body, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(ApiError::TooLarge(MAX_BODY));
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(read) => Ok(Body::from(read.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge(MAX_BODY)),
        Err(error) => Err(ApiError::BadRequest(format!(
            "the body could not be read: {error}"
        ))),
    }
}
