//! What a request carries: JSON and YAML, and patches of several kinds.

use axum::body::{self, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use json_patch::{Patch, PatchOperation, TestOperation};
use serde_json::Value;

use super::limits::MAX_BODY;
use super::options::Params;
use super::status::ApiError;
use super::write_options::UnknownFields;
use crate::resource::json;
use crate::resource::yaml::{self, Documents};

const JSON: &str = "application/json";
const YAML: [&str; 4] = [
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
];
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
/// JSON is YAML, too.
pub(super) const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// Operations of one JSON patch, as in Kubernetes.
const OPERATIONS_MAX: usize = 10_000;
/// Copies of one JSON patch: each may double the object, so each is weighed.
const COPIES_MAX: usize = 100;

/// A body that must be there: one JSON or YAML document.
pub(super) struct Document(pub(super) Value);

/// A body that may be missing.
pub(super) struct MaybeDocument(pub(super) Option<Value>);

/// What is to become of an object: the body of a PUT or a PATCH.
pub(super) enum Modification {
    /// It is edited.
    Edit(Edit),
    /// These fields are applied to it, or become it: server-side apply.
    Apply(Value),
}

/// What somebody thinks of storing: the body of a proposal.
pub(super) enum Proposed {
    /// A whole object.
    Whole(Value),
    /// These fields, applied to an object.
    Part(Value),
}

/// How an object is edited.
pub(super) enum Edit {
    /// It is replaced by this.
    Replace(Value),
    /// This JSON merge patch (RFC 7396) is applied to it.
    Merge(Value),
    /// This JSON patch (RFC 6902) is applied to it.
    Operations(Patch),
}

impl Edit {
    /// What becomes of `old`.
    ///
    /// # Errors
    /// 422 when a JSON patch does not fit it.
    pub(super) fn of(&self, mut old: Value) -> Result<Value, ApiError> {
        match self {
            Self::Replace(new) => return Ok(new.clone()),
            Self::Merge(patch) => json_patch::merge(&mut old, patch),
            Self::Operations(patch) => apply(&mut old, patch)?,
        }
        Ok(old)
    }
}

/// Applies a JSON patch, one operation after another, as long as the object does not outgrow what a request may hold.
fn apply(object: &mut Value, Patch(operations): &Patch) -> Result<(), ApiError> {
    for (at, operation) in operations.iter().enumerate() {
        if is_absent(object, operation) {
            continue;
        }
        json_patch::patch(object, std::slice::from_ref(operation)).map_err(|error| {
            let (path, why) = (error.path, error.kind);
            ApiError::Unprocessable(format!("operation {at} of the patch, at \"{path}\": {why}"))
        })?;
        let is_copy = matches!(operation, PatchOperation::Copy(_));
        if is_copy && object.to_string().len() > MAX_BODY {
            return Err(ApiError::TooLarge(MAX_BODY));
        }
    }
    Ok(())
}

/// A body that is written to an object, and what its client is to be warned of in it.
pub(super) struct Written<T> {
    pub(super) body: T,
    pub(super) warnings: Vec<String>,
}

/// What can be read of what a client sent.
pub(super) trait Body: Sized {
    /// Reads it, by the method that it came by.
    fn read(method: &Method, sent: &mut Sent) -> Result<Self, ApiError>;
}

impl<S: Send + Sync, T: Body> FromRequest<S> for Written<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let unknown = UnknownFields::asked_for(&Params::of(request.uri()))?;
        let method = request.method().clone();
        let mut sent = Sent::of(request).await?;
        let body = T::read(&method, &mut sent)?;
        let warnings = unknown.of_repeated(&sent.repeated)?;
        Ok(Self { body, warnings })
    }
}

/// Whether an operation asks that there is nothing where there is nothing. As in Kubernetes, that holds: whoever is the
/// first to set a list says so.
fn is_absent(object: &Value, operation: &PatchOperation) -> bool {
    match operation {
        PatchOperation::Test(TestOperation { path, value }) => {
            value.is_null() && object.pointer(path.as_str()).is_none()
        }
        _ => false,
    }
}

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let method = request.method().clone();
        Self::read(&method, &mut Sent::of(request).await?)
    }
}

impl<S: Send + Sync> FromRequest<S> for MaybeDocument {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut sent = Sent::of(request).await?;
        if sent.bytes.is_empty() {
            return Ok(Self(None));
        }
        sent.document().map(Some).map(Self)
    }
}

impl Body for Document {
    fn read(_: &Method, sent: &mut Sent) -> Result<Self, ApiError> {
        if sent.bytes.is_empty() {
            return Err(ApiError::BadRequest(
                "the body is empty; send one object as JSON or YAML".to_owned(),
            ));
        }
        sent.document().map(Self)
    }
}

impl Body for Modification {
    fn read(method: &Method, sent: &mut Sent) -> Result<Self, ApiError> {
        if method != Method::PATCH || sent.media != APPLY_PATCH {
            let supported =
                "application/apply-patch+yaml, application/json-patch+json, application/merge-patch+json";
            return edit(method, sent, supported).map(Self::Edit);
        }
        match sent.yaml()? {
            config @ Value::Object(_) => Ok(Self::Apply(config)),
            _ => Err(ApiError::BadRequest(
                "an apply patch must be an object".to_owned(),
            )),
        }
    }
}

impl Body for Proposed {
    fn read(method: &Method, sent: &mut Sent) -> Result<Self, ApiError> {
        match sent.media == APPLY_PATCH {
            true => sent.yaml().map(Self::Part),
            false => Document::read(method, sent).map(|Document(object)| Self::Whole(object)),
        }
    }
}

impl Body for Edit {
    fn read(method: &Method, sent: &mut Sent) -> Result<Self, ApiError> {
        edit(
            method,
            sent,
            "application/json-patch+json, application/merge-patch+json",
        )
    }
}

fn edit(method: &Method, sent: &mut Sent, supported: &'static str) -> Result<Edit, ApiError> {
    let refused = |why: String| Err(ApiError::BadRequest(why));
    if method != Method::PATCH {
        let Document(new) = Document::read(method, sent)?;
        return Ok(Edit::Replace(new));
    }
    match sent.media.as_str() {
        MERGE_PATCH => match sent.json()? {
            patch @ Value::Object(_) => Ok(Edit::Merge(patch)),
            _ => refused("a merge patch must be a JSON object".to_owned()),
        },
        JSON_PATCH => {
            let patch: Patch = serde_json::from_value(sent.json()?)
                .map_err(|error| ApiError::BadRequest(format!("the body is not a JSON patch: {error}")))?;
            let copies = patch.iter().filter(|one| matches!(one, PatchOperation::Copy(_)));
            match (patch.len(), copies.count()) {
                (count, _) if count > OPERATIONS_MAX => refused(format!(
                    "the patch has {count} operations; {OPERATIONS_MAX} are the most"
                )),
                (_, copies) if copies > COPIES_MAX => refused(format!(
                    "the patch has {copies} copies; {COPIES_MAX} are the most"
                )),
                _ => Ok(Edit::Operations(patch)),
            }
        }
        _ => Err(ApiError::UnsupportedMediaType {
            got: sent.media.clone(),
            supported,
        }),
    }
}

/// What a client sent.
pub(super) struct Sent {
    /// The media type that it names; empty when it names none.
    pub(super) media: String,
    /// The body.
    pub(super) bytes: Bytes,
    /// The paths of members that a JSON body has twice.
    repeated: Vec<String>,
}

impl Sent {
    /// Reads a request to its end.
    pub(super) async fn of(request: Request) -> Result<Self, ApiError> {
        let media = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| media_type(&String::from_utf8_lossy(value.as_bytes())))
            .unwrap_or_default();
        let bytes = body::to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| ApiError::TooLarge(MAX_BODY))?;
        Ok(Self {
            media,
            bytes,
            repeated: Vec::new(),
        })
    }

    /// One JSON or YAML document.
    pub(super) fn document(&mut self) -> Result<Value, ApiError> {
        match self.media.as_str() {
            "" | JSON => self.json(),
            media if YAML.contains(&media) => self.yaml(),
            _ => Err(ApiError::UnsupportedMediaType {
                got: self.media.clone(),
                supported: "application/json, application/yaml",
            }),
        }
    }

    fn json(&mut self) -> Result<Value, ApiError> {
        let json::Document { value, repeated } = json::parse(&self.bytes)
            .map_err(|error| ApiError::BadRequest(format!("the body is not valid JSON: {error}")))?;
        self.repeated = repeated;
        Ok(value)
    }

    fn yaml(&self) -> Result<Value, ApiError> {
        yaml(&self.bytes)
    }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_json_patch_is_applied_whole_or_not_at_all() {
        let edit = |operations: Value| {
            let patch = serde_json::from_value(operations).unwrap();
            Edit::Operations(patch).of(json!({"a": {"b": 1}}))
        };
        let added = edit(
            json!([{"op": "test", "path": "/a/b", "value": 1}, {"op": "add", "path": "/c", "value": 2}]),
        );
        assert_eq!(added.unwrap(), json!({"a": {"b": 1}, "c": 2}));
        let refused =
            edit(json!([{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/x"}])).unwrap_err();
        assert_eq!(refused.code(), 422);
        assert!(
            refused
                .to_string()
                .contains("operation 1 of the patch, at \"/x\": "),
            "{refused}"
        );
        let first = json!([
            {"op": "test", "path": "/a/list", "value": null}, {"op": "add", "path": "/a/list", "value": [1]},
        ]);
        assert_eq!(edit(first).unwrap(), json!({"a": {"b": 1, "list": [1]}}));
        let taken = edit(json!([{"op": "test", "path": "/a/b", "value": null}]));
        assert_eq!(taken.unwrap_err().code(), 422);
        let doubled: Vec<Value> = (0..COPIES_MAX)
            .map(|number| json!({"op": "copy", "from": "", "path": format!("/{number}")}))
            .collect();
        assert_eq!(edit(json!(doubled)).unwrap_err().code(), 413);
    }

    #[test]
    fn a_yaml_body_holds_one_object() {
        assert_eq!(yaml(b"a: 1\n").unwrap(), json!({"a": 1}));
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
