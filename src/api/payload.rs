//! What a request carries: JSON and YAML, and patches of several kinds.

use axum::body::{self, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use serde_json::Value;

use super::limits::MAX_BODY;
use super::status::ApiError;
use crate::resource::yaml::{self, Documents};

const JSON: &str = "application/json";
const YAML: [&str; 4] = [
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
];
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A body that must be there: one JSON or YAML document.
pub(super) struct Document(pub(super) Value);

/// A body that may be missing.
pub(super) struct MaybeDocument(pub(super) Option<Value>);

/// What is to become of an object: the body of a PUT or a PATCH.
pub(super) enum Edit {
    /// It is replaced by this.
    Replace(Value),
    /// This JSON merge patch (RFC 7396) is applied to it.
    Merge(Value),
}

impl Edit {
    /// What becomes of `old`.
    pub(super) fn of(&self, mut old: Value) -> Value {
        match self {
            Self::Replace(new) => return new.clone(),
            Self::Merge(patch) => json_patch::merge(&mut old, patch),
        }
        old
    }
}

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match MaybeDocument::from_request(request, state).await? {
            MaybeDocument(Some(document)) => Ok(Self(document)),
            MaybeDocument(None) => Err(ApiError::BadRequest(
                "the body is empty; send one object as JSON or YAML".to_owned(),
            )),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for MaybeDocument {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (media, bytes) = read(request).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        match media.as_str() {
            "" | JSON => json(&bytes).map(Some).map(Self),
            media if YAML.contains(&media) => yaml(&bytes).map(Some).map(Self),
            _ => Err(ApiError::UnsupportedMediaType {
                got: media,
                supported: "application/json, application/yaml",
            }),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Edit {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.method() == Method::PATCH {
            return merge_patch(request).await.map(Self::Merge);
        }
        let Document(new) = Document::from_request(request, state).await?;
        Ok(Self::Replace(new))
    }
}

async fn merge_patch(request: Request) -> Result<Value, ApiError> {
    let (media, bytes) = read(request).await?;
    if media != MERGE_PATCH {
        return Err(ApiError::UnsupportedMediaType {
            got: media,
            supported: MERGE_PATCH,
        });
    }
    match json(&bytes)? {
        patch @ Value::Object(_) => Ok(patch),
        _ => Err(ApiError::BadRequest(
            "a merge patch must be a JSON object".to_owned(),
        )),
    }
}

async fn read(request: Request) -> Result<(String, Bytes), ApiError> {
    let media = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|value| media_type(&String::from_utf8_lossy(value.as_bytes())))
        .unwrap_or_default();
    let bytes = body::to_bytes(request.into_body(), MAX_BODY)
        .await
        .map_err(|_| ApiError::TooLarge(MAX_BODY))?;
    Ok((media, bytes))
}

fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::BadRequest(format!("the body is not valid JSON: {error}")))
}

fn yaml(bytes: &[u8]) -> Result<Value, ApiError> {
    let refused = |why: String| Err(ApiError::BadRequest(why));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refused("the body is not valid YAML: it is not UTF-8 text".to_owned());
    };
    let Documents { mut good, faults } = yaml::parse(text);
    if let Some(fault) = faults.first() {
        return refused(format!("the body, line {}: {}", fault.place.line, fault.message));
    }
    match (good.pop(), good.len()) {
        (Some(only), 0) => Ok(only.value),
        (_, others) => refused(format!(
            "the body holds {} YAML documents; send one object a request",
            if others == 0 { 0 } else { others + 1 }
        )),
    }
}

/// `application/json` out of `Application/JSON; charset=utf-8`.
fn media_type(value: &str) -> String {
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yaml_body_holds_one_object() {
        assert_eq!(yaml(b"a: 1\n").unwrap(), serde_json::json!({"a": 1}));
        for (body, part) in [
            (&b"a: [1"[..], "the body, line "),
            (b"a: 1\n---\nb: 2\n", "holds 2 YAML documents"),
            (b"---\n", "holds 0 YAML documents"),
            (b"\xff\xfe", "is not UTF-8"),
        ] {
            let refused = yaml(body).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn a_media_type_is_read_without_its_parameters() {
        assert_eq!(
            media_type(" Application/JSON ; charset=utf-8"),
            "application/json"
        );
        assert_eq!(media_type(""), "");
    }
}
