//! Who owns what is set: who applies fields on the server's side, and who patches under a name of their own.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{Client, ClientError, MERGE_PATCH, object_path, strict, with_dry_run};
use crate::resource::Key;

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

impl Client {
    /// Changes an object by a JSON merge patch; a manager of that name, if one is given, comes to own what is set.
    ///
    /// # Errors
    /// As of [`Client::patch`].
    pub(in crate::cli) async fn patch_as(
        &self,
        key: &Key,
        manager: Option<&str>,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Value, ClientError> {
        let manager = manager.map(|manager| ("fieldManager", manager));
        let request = strict(self.request(Method::PATCH, &object_path(key)))
            .query(manager.as_slice())
            .header("content-type", MERGE_PATCH)
            .body(patch.to_string());
        self.json(with_dry_run(request, dry_run)).await
    }
}
