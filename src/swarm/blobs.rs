//! Makes Swarm secrets and configs.

use k8s_openapi::ByteString;
use serde_json::json;

use super::act::{Act, Done};
use super::decode::SeenBlob;
use super::error::ActError;
use super::transport::Call;
use super::wire;
use crate::resource::labels::Labels;

impl Act<'_> {
    /// Makes a secret or config. Not through bollard, which logs what it sends.
    pub(super) async fn create_blob(
        &self,
        kind: &str,
        name: &str,
        content: &[u8],
        labels: &Labels,
    ) -> Result<Done, ActError> {
        let body = json!({"Name": name, "Labels": labels, "Data": ByteString(content.to_owned())});
        let path = format!("/{kind}/create");
        let sent: Result<wire::Created, _> = self.engine.transport.call(Call::post(path, &body)).await;
        let error = match sent {
            Ok(created) => return Ok(Done::Created(created.id)),
            Err(error) => self.failed(error),
        };
        if !matches!(error, ActError::NameTaken { .. } | ActError::Indeterminate { .. }) {
            return Err(error);
        }
        let names = [name.to_owned()];
        let found = if kind == "secrets" {
            self.engine.secrets_named(&names).await
        } else {
            self.engine.configs_named(&names).await
        };
        let found = found.ok().into_iter().flatten().find(|blob| blob.name == name);
        match found {
            Some(SeenBlob { blob, .. }) if self.is_ours(&blob.labels) => Ok(Done::AlreadyThere(blob.id)),
            Some(_) => Err(self.name_taken()),
            None => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_written_as_go_reads_it() {
        for (text, expect) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{fb}\u{ff}", "w7vDvw=="),
        ] {
            assert_eq!(json!(ByteString(text.into())), expect, "{text:?}");
        }
    }
}
