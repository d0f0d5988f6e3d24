//! Events as rows.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::paint::Tone;
use super::table::Cell;
use crate::resource::event::{object, seen};
use crate::resource::{Key, Kind};

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

    fn event() -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e1", "namespace": "default"},
            "involvedObject": {"kind": "Team", "name": "payments", "namespace": "default"},
            "type": "Warning", "reason": "CrashLoop", "message": "agent ends\n",
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:01:55Z",
        }))
        .unwrap()
    }

    #[test]
    fn an_event_belongs_to_one_object() {
        let about = |kind, namespace, name| is_about(&event(), &Key::new(kind, namespace, name));
        assert!(about(Kind::Team, "default", "payments"));
        assert!(!about(Kind::Council, "default", "payments"));
        assert!(!about(Kind::Team, "prod", "payments"));
        assert!(!about(Kind::Team, "default", "billing"));
    }
}
