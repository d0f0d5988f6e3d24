//! A successful answer: an object, and what its author should know.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Warnings that are sent; a client's HTTP library bounds the size of the head.
const WARNINGS_MAX: usize = 32;
/// Characters of a warning that are sent.
const WARNING_LENGTH_MAX: usize = 1000;

/// An answer with a body of JSON.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) code: StatusCode,
    pub(super) body: T,
    pub(super) warnings: Vec<String>,
}

impl<T> Answer<T> {
    /// 200, without warnings.
    pub(super) fn ok(body: T) -> Self {
        Self {
            code: StatusCode::OK,
            body,
            warnings: Vec::new(),
        }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = (self.code, Json(self.body)).into_response();
        warn(&mut response, &self.warnings);
        response
    }
}

/// Says what the author of a request should know.
pub(super) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        if let Ok(value) = HeaderValue::from_str(&header(warning)) {
            let name = HeaderName::from_static("warning");
            response.headers_mut().append(name, value);
        }
    }
}

/// `299 - "text"`, as Kubernetes clients expect it (RFC 7234); a header holds visible ASCII alone.
fn header(warning: &str) -> String {
    let mut text = String::new();
    for c in warning.chars().take(WARNING_LENGTH_MAX) {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("; "),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    format!("299 - \"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_fits_into_a_header() {
        for (warning, expected) in [
            ("all is well", r#"299 - "all is well""#),
            (r#"say "a\b""#, r#"299 - "say \"a\\b\"""#),
            ("one\ntwo\r\u{1b}é", r#"299 - "one; two???""#),
        ] {
            assert_eq!(header(warning), expected);
            assert!(HeaderValue::from_str(&header(warning)).is_ok());
        }
        assert_eq!(header(&"x".repeat(5000)).len(), WARNING_LENGTH_MAX + 8);
    }
}
