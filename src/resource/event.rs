//! What an event of an object says.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::age::age;
use super::kind::Kind;

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// As it should not be: someone should look.
    Warning,
}

impl EventType {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// When the event last happened.
pub fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref());
    series
        .map(|time| time.0)
        .or(event.last_timestamp.as_ref().map(|time| time.0))
        .or(event.event_time.as_ref().map(|time| time.0))
        .or(event.first_timestamp.as_ref().map(|time| time.0))
        .or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// The age of the last time, and how often it happened: `5s (x4 over 2m)`.
pub fn seen(event: &Event, now: Timestamp) -> String {
    let Some(last) = last_seen(event) else {
        return "<unknown>".to_owned();
    };
    let count = event
        .series
        .as_ref()
        .and_then(|series| series.count)
        .or(event.count)
        .unwrap_or(1);
    let first = event.first_timestamp.as_ref().map_or(last, |time| time.0);
    if count > 1 {
        format!("{} (x{count} over {})", age(last, now), age(first, now))
    } else {
        age(last, now)
    }
}

/// `team/payments`.
pub fn object(event: &Event) -> String {
    let about = &event.involved_object;
    let kind = about.kind.as_deref().unwrap_or_default();
    let kind = Kind::find(kind).map_or_else(|| kind.to_owned(), |kind| kind.singular().to_owned());
    format!("{kind}/{}", about.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(count: i32) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e1", "namespace": "default"},
            "involvedObject": {"kind": "Team", "name": "payments", "namespace": "default"},
            "type": "Warning", "reason": "CrashLoop", "message": "agent ends\n", "count": count,
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:01:55Z",
        }))
        .unwrap()
    }

    #[test]
    fn repeated_events_say_how_often() {
        let now = "2026-01-01T00:02:00Z".parse().unwrap();
        assert_eq!(seen(&event(4), now), "5s (x4 over 2m)");
        assert_eq!(seen(&event(1), now), "5s");
        assert_eq!(object(&event(1)), "team/payments");
    }
}
