//! What an object has been, page by page.

use std::collections::VecDeque;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Client, ClientError, object_path};
use crate::resource::Key;

/// From how many changes on no older ones are asked for.
const ENOUGH: usize = 1000;

/// A part of what an object has been.
pub(in crate::cli) struct Past<T> {
    /// Its changes, oldest first.
    pub(in crate::cli) entries: Vec<T>,
    /// The revision before which there are more.
    pub(in crate::cli) more_before: Option<String>,
}

impl Client {
    /// Who changed an object: about the last thousand changes, of those before a revision if one is given.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when nobody ever did, or that is forgotten.
    pub(in crate::cli) async fn history<T: DeserializeOwned>(
        &self,
        key: &Key,
        before: Option<&str>,
    ) -> Result<Past<T>, ClientError> {
        let path = format!("{}/history", object_path(key));
        let mut entries = VecDeque::new();
        let mut before = before.map(str::to_owned);
        let more_before = loop {
            let query: Vec<_> = before.iter().map(|before| ("continue", before)).collect();
            let request = self.request(Method::GET, &path).query(&query);
            let mut page: Value = match self.json(request).await {
                // What was left was forgotten meanwhile.
                Err(error) if error.is_not_found() && !entries.is_empty() => break None,
                page => page?,
            };
            let older: Vec<T> =
                serde_json::from_value(page["items"].take()).map_err(ClientError::Unreadable)?;
            older
                .into_iter()
                .rev()
                .for_each(|entry| entries.push_front(entry));
            before = page["metadata"]["continue"].as_str().map(str::to_owned);
            if before.is_none() || entries.len() >= ENOUGH {
                break before;
            }
        };
        Ok(Past {
            entries: entries.into(),
            more_before,
        })
    }
}
