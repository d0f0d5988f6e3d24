//! Log lines on standard error, for people (text) or machines (JSON lines).

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is logged when nobody says otherwise. async-nats reports every failed reconnect at `info`.
pub const DEFAULT_FILTER: &str = "info,async_nats=warn";

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line an event; coloured only on a terminal, and never when `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message` and the event's fields.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not a list of `level` or `target=level` directives.
    #[error(
        "the log filter {filter:?} is not understood; write it like \"info\" or \"info,whoosh::store=debug\""
    )]
    Filter {
        /// What was asked for.
        filter: String,
        /// What the parser said.
        #[source]
        source: ParseError,
    },
    /// A subscriber is installed already.
    #[error("logging was started twice in this process")]
    Started(#[source] Box<dyn Error + Send + Sync>),
}

/// Starts logging to standard error for the whole process.
///
/// `filter` has the syntax that Rust programs know from `RUST_LOG`; an empty one means [`DEFAULT_FILTER`].
///
/// # Errors
/// A filter that cannot be parsed, or a second call.
pub fn init(filter: &str, format: LogFormat) -> Result<(), LoggingError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(parse_filter(filter)?)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            lines
                .with_ansi(!no_color && std::io::stderr().is_terminal())
                .try_init()
        }
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    started.map_err(LoggingError::Started)
}

/// Shows an error and what caused it, parted by colons. JSON log lines would lose the causes otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

fn parse_filter(filter: &str) -> Result<EnvFilter, LoggingError> {
    let directives = if filter.trim().is_empty() {
        DEFAULT_FILTER
    } else {
        filter
    };
    EnvFilter::try_new(directives).map_err(|source| LoggingError::Filter {
        filter: filter.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::{Chain, LoggingError, parse_filter};

    #[test]
    fn filters_are_those_of_rust_log_and_empty_means_the_default() {
        fn check(filter: &str, expected: Option<&str>) {
            let parsed = parse_filter(filter).ok().map(|filter| filter.to_string());
            assert_eq!(parsed.as_deref(), expected, "filter {filter:?}");
        }
        check("", Some("async_nats=warn,info"));
        check("  ", Some("async_nats=warn,info"));
        check("debug", Some("debug"));
        check("warn,whoosh::store=trace", Some("whoosh::store=trace,warn"));
        check("whoosh=loud", None);
    }

    #[test]
    fn a_bad_filter_is_named_with_an_example_of_a_good_one() {
        let error = parse_filter("whoosh=loud").unwrap_err().to_string();
        assert!(
            error.contains("\"whoosh=loud\"") && error.contains("whoosh::store=debug"),
            "{error}"
        );
    }

    #[test]
    fn a_chain_shows_every_cause() {
        let error = LoggingError::Started(Box::new(std::io::Error::other("the cause")));
        assert_eq!(
            Chain(&error).to_string(),
            "logging was started twice in this process: the cause"
        );
    }
}
