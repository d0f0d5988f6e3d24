//! Events as rows.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::age;
use super::paint::Tone;
use super::table::Cell;
use crate::resource::{Key, Kind};

/// When the event last happened.
pub(crate) fn last_seen(event: &Event) -> Option<Timestamp> {
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

/// Whether the event is about this object.
pub(crate) fn is_about(event: &Event, key: &Key) -> bool {
    let about = &event.involved_object;
    about.kind.as_deref().and_then(Kind::find) == Some(key.kind)
        && about.name.as_deref() == Some(key.name.as_str())
        && about
            .namespace
            .as_deref()
            .is_none_or(|namespace| namespace == key.namespace)
}

/// The age of the last time, and how often it happened: `5s (x4 over 2m)`.
pub(crate) fn seen(event: &Event, now: Timestamp) -> String {
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
        format!("{} (x{count} over {})", age::age(last, now), age::age(first, now))
    } else {
        age::age(last, now)
    }
}

/// `team/payments`.
pub(crate) fn object(event: &Event) -> String {
    let about = &event.involved_object;
    let kind = about.kind.as_deref().unwrap_or_default();
    let kind = Kind::find(kind).map_or_else(|| kind.to_owned(), |kind| kind.singular().to_owned());
    format!("{kind}/{}", about.name.as_deref().unwrap_or_default())
}

/// The type, coloured when it is a warning.
pub(crate) fn type_cell(event: &Event) -> Cell {
    let type_ = event.type_.as_deref().unwrap_or("Normal");
    Cell::toned(
        type_,
        if type_ == "Warning" {
            Tone::Bad
        } else {
            Tone::Plain
        },
    )
}

/// `Type Reason Age From Message`, as `describe` shows them.
pub(crate) fn describe_row(event: &Event, now: Timestamp) -> Vec<Cell> {
    let component = event
        .source
        .as_ref()
        .and_then(|source| source.component.as_deref());
    let from = component
        .or(event.reporting_component.as_deref())
        .unwrap_or_default();
    vec![
        type_cell(event),
        event.reason.as_deref().unwrap_or_default().into(),
        seen(event, now).into(),
        from.into(),
        event.message.as_deref().unwrap_or_default().trim().into(),
    ]
}

/// `LAST-SEEN TYPE REASON OBJECT MESSAGE`, as `events` shows them.
pub(crate) fn row(event: &Event, now: Timestamp) -> Vec<Cell> {
    vec![
        seen(event, now).into(),
        type_cell(event),
        event.reason.as_deref().unwrap_or_default().into(),
        object(event).into(),
        event.message.as_deref().unwrap_or_default().trim().into(),
    ]
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

    #[test]
    fn an_event_belongs_to_one_object() {
        let about = |kind, namespace, name| is_about(&event(1), &Key::new(kind, namespace, name));
        assert!(about(Kind::Team, "default", "payments"));
        assert!(!about(Kind::Council, "default", "payments"));
        assert!(!about(Kind::Team, "prod", "payments"));
        assert!(!about(Kind::Team, "default", "billing"));
    }
}
