//! Answers in YAML: for clients that want them so, what is JSON becomes that on its way out.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::Value;

use super::form;
use super::status::ApiError;
use crate::resource::yaml;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const YAML: HeaderValue = HeaderValue::from_static("application/yaml");

/// Middleware: asks for JSON where YAML is wanted, and rewrites it. A watch has no end, and stays as it is.
pub(super) async fn answered(mut request: Request, next: Next) -> Response {
    if !form::wants_yaml(request.headers()) {
        return next.run(request).await;
    }
    request.headers_mut().insert(header::ACCEPT, JSON);
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE) == Some(&JSON);
    if !is_json || response.body().size_hint().exact().is_none() {
        return response;
    }
    rewritten(response)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn rewritten(response: Response) -> Result<Response, ApiError> {
    let unwritable = |error: &dyn std::error::Error| ApiError::Internal(error.to_string());
    let (mut parts, body) = response.into_parts();
    let json = body
        .collect()
        .await
        .map_err(|error| unwritable(&error))?
        .to_bytes();
    // A long list takes its time, and others are answered meanwhile.
    let written = tokio::task::spawn_blocking(move || {
        let value: Value = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
        yaml::to_yaml(&value).map_err(|error| error.to_string())
    });
    let text = written.await.map_err(|error| unwritable(&error))?;
    let text = text.map_err(ApiError::Internal)?;
    parts.headers.insert(header::CONTENT_TYPE, YAML);
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(text)))
}
