//! Durations as the command line takes them: `30s`, `1m30s`, `2h`, a bare number of seconds, or negative.

use std::time::Duration;

use jiff::SignedDuration;

/// How long to wait: `0` looks once, a negative one is a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience(pub Duration);

impl Patience {
    /// What "as long as it takes" comes down to.
    const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
}

/// Reads a duration that must not be negative.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    Duration::try_from(parse_signed(text)?).map_err(|_| "must not be negative".to_owned())
}

/// Reads a `--timeout`.
pub(super) fn parse_patience(text: &str) -> Result<Patience, String> {
    Ok(Patience(
        Duration::try_from(parse_signed(text)?).unwrap_or(Patience::A_WEEK),
    ))
}

fn parse_signed(text: &str) -> Result<SignedDuration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(SignedDuration::from_secs(seconds));
    }
    text.parse()
        .map_err(|_| "not a duration; write it like 30s, 1m30s or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        fn check(text: &str, expected: Option<u64>) {
            let millis = parse_duration(text)
                .ok()
                .map(|duration| duration.as_millis() as u64);
            assert_eq!(millis, expected, "{text}");
        }
        check("30s", Some(30_000));
        check("1m30s", Some(90_000));
        check("2h", Some(7_200_000));
        check("250ms", Some(250));
        check("1.5s", Some(1_500));
        check("45", Some(45_000));
        check("0", Some(0));
        check("-1s", None);
        check("", None);
        check("soon", None);
        check("99999999999999999999h", None);
    }

    #[test]
    fn a_negative_timeout_is_a_week() {
        assert_eq!(parse_patience("-1s"), Ok(Patience(Patience::A_WEEK)));
        assert_eq!(parse_patience("-1"), Ok(Patience(Patience::A_WEEK)));
        assert_eq!(parse_patience("0"), Ok(Patience(Duration::ZERO)));
    }
}
