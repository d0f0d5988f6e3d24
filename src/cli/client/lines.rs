//! The lines of an answer, as they come.

use futures::TryStreamExt;
use reqwest::Response;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Split};
use tokio_util::io::StreamReader;

use super::ClientError;

/// The lines of an answer. What is not UTF-8 is shown as replacement characters.
pub(crate) struct LineStream(Split<Box<dyn AsyncBufRead + Send + Unpin>>);

impl LineStream {
    pub(super) fn of(response: Response) -> Self {
        let body = response.bytes_stream().map_err(std::io::Error::other);
        let reader: Box<dyn AsyncBufRead + Send + Unpin> = Box::new(StreamReader::new(Box::pin(body)));
        Self(reader.split(b'\n'))
    }

    /// The next line without its end; `None` after the last. May be cancelled and called again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        let bytes = self.0.next_segment().await.map_err(ClientError::Lost)?;
        Ok(bytes.map(|bytes| match String::from_utf8(bytes) {
            Ok(line) => line,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }
}
