//! Durations as Kubernetes and Go write them: `60s`, `1m30s`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units in nanoseconds, longest first.
const UNITS: [(&str, u128); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// A span of time, never negative, at most about 292 years (the engine counts nanoseconds in 63 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub time::Duration);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It starts with a minus sign.
    #[error("must not be negative, got \"{0}\"")]
    Negative(String),
    /// A number has no unit after it.
    #[error("\"{0}\" lacks a unit (h, m, s, ms): write it like \"60s\" or \"1m30s\"")]
    NoUnit(String),
    /// It is longer than can be counted.
    #[error("\"{0}\" is too long: write it like \"60s\" or \"1m30s\"")]
    TooLong(String),
    /// It is something else.
    #[error("\"{0}\" is not a duration: write it like \"60s\" or \"1m30s\"")]
    Malformed(String),
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let malformed = || DurationError::Malformed(text.to_owned());
        if text.starts_with('-') {
            return Err(DurationError::Negative(text.to_owned()));
        }
        if text == "0" {
            return Ok(Self::default());
        }
        let mut rest = text;
        let mut total: u128 = 0;
        if rest.is_empty() {
            return Err(malformed());
        }
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(end);
            let end = after
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            if unit.is_empty() && !number.is_empty() {
                return Err(DurationError::NoUnit(text.to_owned()));
            }
            let (_, nanos) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(malformed)?;
            total = scaled(number, *nanos)
                .ok_or_else(malformed)?
                .checked_add(total)
                .filter(|nanos| i64::try_from(*nanos).is_ok())
                .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
            rest = after;
        }
        let nanos = u64::try_from(total).map_err(|_| DurationError::TooLong(text.to_owned()))?;
        Ok(Self(time::Duration::from_nanos(nanos)))
    }
}

/// `number`, which may have a fraction, times `unit`; too large a product saturates, garbage is `None`.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = digits(whole).saturating_mul(unit);
    // Beyond 15 digits a fraction of an hour is below a nanosecond.
    let fraction: String = fraction.chars().take(15).collect();
    let power = u32::try_from(fraction.len()).ok()?;
    Some(whole.saturating_add(digits(&fraction) * unit / 10_u128.pow(power)))
}

fn digits(text: &str) -> u128 {
    let value = |sum: u128, c: char| {
        sum.saturating_mul(10)
            .saturating_add(u128::from(c.to_digit(10).unwrap_or(0)))
    };
    text.chars().fold(0, value)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, nanos) in UNITS.iter().filter(|(name, _)| *name != "µs") {
            let count = rest / nanos;
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
            rest %= nanos;
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "duration"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("500ms", 500),
            ("1h2m3s4ms", 3_723_004),
            ("1000us", 1),
            ("1000µs", 1),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0, time::Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_how_one_looks() {
        for (text, message) in [
            ("-5s", "must not be negative, got \"-5s\""),
            (
                "60",
                "\"60\" lacks a unit (h, m, s, ms): write it like \"60s\" or \"1m30s\"",
            ),
            (
                "1m30",
                "\"1m30\" lacks a unit (h, m, s, ms): write it like \"60s\" or \"1m30s\"",
            ),
            ("", "\"\" is not a duration: write it like \"60s\" or \"1m30s\""),
            (
                "soon",
                "\"soon\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "5d",
                "\"5d\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "1..5s",
                "\"1..5s\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                ".s",
                "\".s\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "1s-5s",
                "\"1s-5s\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "NaNs",
                "\"NaNs\" is not a duration: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "99999999999999999999999999999999999999999999h",
                "\"99999999999999999999999999999999999999999999h\" is too long: write it like \"60s\" or \"1m30s\"",
            ),
            (
                "2562048h",
                "\"2562048h\" is too long: write it like \"60s\" or \"1m30s\"",
            ),
        ] {
            assert_eq!(text.parse::<Duration>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_duration_is_written_as_it_can_be_read() {
        for text in ["0s", "1m30s", "500ms", "1h2m3s4ms5us6ns", "24h"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Duration>().unwrap().to_string(), "1m30s");
    }
}
