//! What an object has been, page by page.

use std::collections::VecDeque;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Client, ClientError, object_path};
use crate::resource::Key;

/// From how many changes on no older ones are asked for.
const ENOUGH: usize = 1000;

impl Client {
    /// Who changed an object, oldest first: about the last thousand changes.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when nobody ever did, or that is forgotten.
    pub(in crate::cli) async fn history<T: DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Vec<T>, ClientError> {
        let path = format!("{}/history", object_path(key));
        let mut entries = VecDeque::new();
        let mut query = Vec::new();
        loop {
            let request = self.request(Method::GET, &path).query(&query);
            let mut page: Value = match self.json(request).await {
                // What was left was forgotten meanwhile.
                Err(error) if error.is_not_found() && !entries.is_empty() => break,
                page => page?,
            };
            let older: Vec<T> =
                serde_json::from_value(page["items"].take()).map_err(ClientError::Unreadable)?;
            older
                .into_iter()
                .rev()
                .for_each(|entry| entries.push_front(entry));
            match page["metadata"]["continue"].as_str() {
                Some(rest) if entries.len() < ENOUGH => query = vec![("continue", rest.to_owned())],
                _ => break,
            }
        }
        Ok(entries.into())
    }
}
