//! Logs of a service's containers, as lines.
//!
//! Not through bollard, which panics at the engine's own remarks in a log stream (`incomplete log stream …`).

use std::io;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::Swarm;
use super::error::SwarmError;
use super::transport::{Call, escape};

/// The longest piece of a log that is taken; the engine cuts lines at 16 KiB.
const PIECE_MAX: usize = 1 << 20;

/// What to read of a service's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Goes on with what is written from now on. The engine may never end the stream, even after the service has gone.
    pub follow: bool,
    /// At most this many lines a task from the end; `None` for all.
    pub tail: Option<u64>,
    /// Nothing older than this many seconds after 1970; 0 for all.
    pub since: i64,
    /// Starts every line with its time (RFC 3339).
    pub timestamps: bool,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The engine itself, about the log: that a node's part of it is missing, for example.
    Engine,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written.
    pub source: LogSource,
    /// The line, without its end; bytes that are no UTF-8 are replaced.
    pub text: String,
}

impl Swarm {
    /// The lines of a service (by engine id), all of its tasks mixed in the order in which they arrive.
    ///
    /// # Errors
    /// As its first item when the logs cannot be had, as its last when the connection breaks.
    pub fn logs(
        &self,
        service: &str,
        options: &LogOptions,
    ) -> impl Stream<Item = Result<LogLine, SwarmError>> + Send + 'static + use<> {
        let engine = self.engine.clone();
        let path = path(service, options);
        let what = format!("GET /services/{service}/logs");
        let open = async move { engine.transport.open(Call::get(path)).await };
        stream::once(open)
            .map_ok(move |body| {
                let what = what.clone();
                lines(reader(body)).map_err(move |source| SwarmError::Lost {
                    what: what.clone(),
                    source,
                })
            })
            .try_flatten()
    }
}

fn path(service: &str, options: &LogOptions) -> String {
    let LogOptions {
        follow,
        tail,
        since,
        timestamps,
    } = options;
    let tail = tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    format!(
        "/services/{}/logs?stdout=true&stderr=true&follow={follow}&tail={tail}&since={since}&timestamps={timestamps}",
        escape(service)
    )
}

/// A response body, to be read like a file.
pub(super) fn reader(body: Incoming) -> impl AsyncRead + Send + Unpin {
    StreamReader::new(body.into_data_stream().map_err(io::Error::other))
}

/// Takes the engine's framing off: each piece of output comes after 8 bytes, of which the first says where it
/// was written and the last four how long it is.
fn lines(from: impl AsyncRead + Send + Unpin) -> impl Stream<Item = io::Result<LogLine>> + Send {
    stream::try_unfold(from, async |mut from| {
        let mut head = [0; 8];
        match from.read_exact(&mut head).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let [source, _, _, _, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > PIECE_MAX {
            return Err(io::Error::other("the log is not framed as it should be"));
        }
        let mut piece = vec![0; length];
        from.read_exact(&mut piece).await?;
        Ok(Some((split(source, &piece), from)))
    })
    .map_ok(|lines| stream::iter(lines).map(Ok))
    .try_flatten()
}

fn split(source: u8, piece: &[u8]) -> Vec<LogLine> {
    let source = match source {
        0 | 1 => LogSource::Stdout,
        2 => LogSource::Stderr,
        _ => LogSource::Engine,
    };
    let text = String::from_utf8_lossy(piece);
    text.lines()
        .map(|line| LogLine {
            source,
            text: line.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(source: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![source, 0, 0, 0];
        frame.extend((text.len() as u32).to_be_bytes());
        frame.extend(text.as_bytes());
        frame
    }

    #[tokio::test]
    async fn frames_become_lines() {
        let bytes = [
            frame(1, "one\n"),
            frame(2, "two\r\nthree"),
            frame(3, "Error grabbing logs: gone\n"),
            frame(1, ""),
        ]
        .concat();
        let read: Vec<LogLine> = lines(bytes.as_slice()).try_collect().await.unwrap();
        let read: Vec<(LogSource, &str)> = read
            .iter()
            .map(|line| (line.source, line.text.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                (LogSource::Stdout, "one"),
                (LogSource::Stderr, "two"),
                (LogSource::Stderr, "three"),
                (LogSource::Engine, "Error grabbing logs: gone"),
            ]
        );
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_is_an_error() {
        for (bytes, what) in [
            (frame(1, "whole")[..10].to_vec(), "cut"),
            (b"plain text, no frames".to_vec(), "no frames"),
        ] {
            let read: io::Result<Vec<LogLine>> = lines(bytes.as_slice()).try_collect().await;
            assert!(read.is_err(), "{what}");
        }
    }
}
