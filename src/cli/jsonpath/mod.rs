//! JSONPath in kubectl's dialect: `{.items[*].metadata.name}`, `{range …}…{end}`, `{"\n"}`.
//!
//! The paths themselves are handed to an RFC 9535 engine; what kubectl writes differently is translated.

mod path;
mod template;

pub(super) use path::Path;
pub(super) use template::{Template, plain};

/// Why a path or template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSONPath {text} cannot be read: {why}")]
pub(super) struct JsonPathError {
    text: String,
    why: String,
}

impl JsonPathError {
    pub(super) fn new(text: &str, why: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            why: why.into(),
        }
    }
}
