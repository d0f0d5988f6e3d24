//! One agent's log, followed over restarts of the operator and of the agent's service, without gaps or repeats.

use std::time::Duration;

use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::client::{Client, ClientError, LineStream, LogQuery};
use super::talk;
use crate::resource::Key;

/// How soon a log that ended is asked for again.
const RETRY: Duration = Duration::from_secs(1);
/// How far the clocks of nodes may differ without a line being missed.
const SKEW: Duration = Duration::from_secs(5);

/// When an agent's service was made, as far as it has one; closed when the agent is gone.
pub(crate) type Service = watch::Receiver<Option<Timestamp>>;

/// An agent's log, and how far it was read.
pub(crate) struct AgentLog {
    client: Client,
    agent: Key,
    query: LogQuery,
    /// When its service was made. The log of one that is gone does not end by itself.
    service: Service,
    lines: Option<LineStream>,
    read: Read,
    /// What went wrong last, which is said once.
    trouble: String,
}

impl AgentLog {
    /// Follows the log of an agent, which may not have started yet.
    pub(super) fn new(client: Client, agent: Key, service: Service, query: &LogQuery) -> Self {
        Self {
            client,
            agent,
            query: LogQuery {
                follow: true,
                timestamps: true,
                ..query.clone()
            },
            service,
            lines: None,
            read: Read {
                timestamps: query.timestamps,
                ..Read::default()
            },
            trouble: String::new(),
        }
    }

    /// Its lines, without their ends. Ends when the agent is gone.
    pub(super) fn lines(self) -> impl Stream<Item = String> + Send {
        stream::unfold(self, |mut log| async move { Some((log.next().await?, log)) })
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            match self.step().await {
                Ok(Step::Line(line)) => return Some(line),
                Ok(Step::Again) => {}
                Ok(Step::Over) => return None,
                Err(_) if self.service.has_changed().is_err() => return None,
                Err(error) => {
                    self.lines = None;
                    self.say(&error);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Opens the log, or reads one line, which may be known already.
    async fn step(&mut self) -> Result<Step, ClientError> {
        let Some(lines) = &mut self.lines else {
            self.service.mark_unchanged();
            let query = self.read.on(&self.query, Timestamp::now());
            self.lines = Some(self.client.log(&self.agent, &query).await?);
            self.trouble.clear();
            return Ok(Step::Again);
        };
        tokio::select! {
            biased;
            line = lines.next() => match line? {
                Some(line) => return Ok(self.read.line(&line).map_or(Step::Again, Step::Line)),
                None => sleep(RETRY).await,
            },
            other = self.service.changed() => {
                if other.is_err() {
                    return Ok(Step::Over);
                }
            }
        }
        self.lines = None;
        Ok(Step::Again)
    }

    /// An agent without a service is about to get one, and an operator that is away about to come back.
    fn say(&mut self, error: &ClientError) {
        let expected = error.is_transient() || matches!(error.code(), Some(400 | 404));
        let text = error.to_string();
        if !expected && self.trouble != text {
            talk::say(&format!("Warning: {}: {text}", self.agent.name));
            self.trouble = text;
        }
    }
}

/// What became of one step.
enum Step {
    Line(String),
    Again,
    Over,
}

/// How far a log was read.
#[derive(Default)]
struct Read {
    /// Whether lines keep their times.
    timestamps: bool,
    /// The time of the latest line.
    latest: Option<Timestamp>,
    /// Lines up to here were read before the log was opened again.
    known: Option<Timestamp>,
}

impl Read {
    /// What to ask for when the log is opened, again or for the first time.
    fn on(&mut self, query: &LogQuery, now: Timestamp) -> LogQuery {
        self.known = self.latest;
        match self.latest {
            None => query.clone(),
            Some(latest) => LogQuery {
                tail: None,
                since: Some(Duration::try_from(now.duration_since(latest)).unwrap_or_default() + SKEW),
                ..query.clone()
            },
        }
    }

    /// A line as it is shown; `None` when it was read before. What the engine itself says has no time.
    fn line(&mut self, line: &str) -> Option<String> {
        let timed = line.split_once(' ').unwrap_or((line, ""));
        let Ok(time) = timed.0.parse::<Timestamp>() else {
            return Some(line.to_owned());
        };
        if self.known.is_some_and(|known| time <= known) {
            return None;
        }
        self.latest = self.latest.max(Some(time));
        Some(if self.timestamps { line } else { timed.1 }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_opened_again_goes_on_where_it_was() {
        let asked = LogQuery {
            tail: Some(2),
            ..LogQuery::default()
        };
        let mut read = Read::default();
        let first = read.on(&asked, "2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!((first.tail, first.since), (Some(2), None));
        // Two tasks write at the same time, so their lines may come out of order.
        for (line, shown) in [
            ("2026-01-01T00:00:02.000000000Z two", "two"),
            ("2026-01-01T00:00:01.000000000Z one", "one"),
            ("incomplete log stream", "incomplete log stream"),
            ("2026-01-01T00:00:02.000000000Z", ""),
        ] {
            assert_eq!(read.line(line).as_deref(), Some(shown));
        }
        let again = read.on(&asked, "2026-01-01T00:00:12Z".parse().unwrap());
        assert_eq!((again.tail, again.since), (None, Some(Duration::from_secs(15))));
        for (line, shown) in [
            ("2026-01-01T00:00:02.000000000Z two", None),
            ("2026-01-01T00:00:02.000000001Z three", Some("three")),
        ] {
            assert_eq!(read.line(line).as_deref(), shown);
        }
    }

    #[test]
    fn times_are_shown_when_they_were_asked_for() {
        let mut read = Read {
            timestamps: true,
            ..Read::default()
        };
        let line = "2026-01-01T00:00:02.000000000Z two";
        assert_eq!(read.line(line).as_deref(), Some(line));
    }
}
