//! Who applies fields on the server's side.

use reqwest::RequestBuilder;
use serde_json::Value;

/// Who applies fields, and whether they take those that others own.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// What they call themselves.
    pub manager: String,
    /// Whether others lose what they own.
    pub force: bool,
}

impl Owner {
    /// The request that applies these fields as theirs.
    pub(super) fn applies(&self, request: RequestBuilder, config: &Value) -> RequestBuilder {
        let Self { manager, force } = self;
        request
            .query(&[
                ("fieldManager", manager.as_str()),
                ("force", if *force { "true" } else { "false" }),
            ])
            .header("content-type", "application/apply-patch+yaml")
            .body(config.to_string())
    }
}
