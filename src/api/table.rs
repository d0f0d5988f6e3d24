//! Server-side printing: objects as the rows of a `meta.k8s.io/v1` Table, which kubectl shows as it is.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::{Value, json};

use super::events;
use super::form::{META_V1, metadata_of};
use super::options::Params;
use super::status::ApiError;
use crate::resource::age::age;
use crate::resource::{Kind, columns, event};

/// The columns of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// Those of one of our kinds.
    Of(Kind),
    /// Those of Kubernetes' events.
    Events,
    /// The same, of `events.k8s.io`.
    NewerEvents,
    /// Those of Kubernetes' namespaces.
    Namespaces,
    /// The name alone.
    NameOnly,
}

/// How much of an object stands beside its cells: the parameter `includeObject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata, which clients need to name it.
    #[default]
    Metadata,
    /// All.
    Object,
}

impl TryFrom<&Params> for IncludeObject {
    type Error = ApiError;

    fn try_from(params: &Params) -> Result<Self, ApiError> {
        match params.text("includeObject") {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::None),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(ApiError::BadRequest(format!(
                "the parameter includeObject is \"{other}\"; it must be None, Metadata or Object"
            ))),
        }
    }
}

/// Rows of a resource. `metadata` is the list's own.
pub(super) fn table(
    columns: Columns,
    include: IncludeObject,
    metadata: &Value,
    objects: &[Value],
    now: Timestamp,
) -> Value {
    let row = |object: &Value| {
        let mut row = json!({"cells": columns.cells(object, now)});
        match include {
            IncludeObject::None => {}
            IncludeObject::Metadata => row["object"] = metadata_of(object),
            IncludeObject::Object => row["object"] = object.clone(),
        }
        row
    };
    json!({
        "kind": "Table",
        "apiVersion": META_V1,
        "metadata": metadata,
        "columnDefinitions": columns.definitions(),
        "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}

impl Columns {
    fn definitions(self) -> Vec<Value> {
        let mut all = vec![definition(
            "Name",
            "string",
            "name",
            "The name, unique within its namespace and kind.",
            0,
        )];
        match self {
            Self::Of(kind) => all.extend(columns::of(kind).iter().map(|column| {
                let own = column.definition();
                definition(
                    &own.name,
                    &own.type_,
                    own.format.as_deref().unwrap_or_default(),
                    own.description.as_deref().unwrap_or_default(),
                    own.priority.unwrap_or_default(),
                )
            })),
            Self::Events | Self::NewerEvents => {
                let text = |name: &str, priority| definition(name, "string", "", "", priority);
                // As in Kubernetes, an event's name is of no interest.
                all = vec![
                    text("Last Seen", 0),
                    text("Type", 0),
                    text("Reason", 0),
                    text("Object", 0),
                    text("Message", 0),
                    definition("Name", "string", "name", "", 1),
                ];
            }
            Self::NameOnly => {}
            Self::Namespaces => all.extend([
                definition("Status", "string", "", "", 0),
                definition("Age", "string", "", "", 0),
            ]),
        }
        all
    }

    fn cells(self, object: &Value, now: Timestamp) -> Vec<Value> {
        let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
        match self {
            Self::Of(kind) => {
                let own = columns::of(kind)
                    .iter()
                    .map(|column| column.value(object, now).unwrap_or_default());
                std::iter::once(name).chain(own).collect()
            }
            Self::Events => event_cells(serde_json::from_value(object.clone()).unwrap_or_default(), now),
            Self::NewerEvents => {
                let event = serde_json::from_value(object.clone()).unwrap_or_default();
                event_cells(events::older(event), now)
            }
            Self::NameOnly => vec![name],
            Self::Namespaces => {
                let created = object
                    .pointer("/metadata/creationTimestamp")
                    .and_then(Value::as_str);
                let since = created.and_then(|text| text.parse().ok());
                let phase = object.pointer("/status/phase").cloned().unwrap_or_default();
                vec![name, phase, json!(since.map(|then| age(then, now)))]
            }
        }
    }
}

fn event_cells(event: Event, now: Timestamp) -> Vec<Value> {
    vec![
        json!(event::seen(&event, now)),
        json!(event.type_),
        json!(event.reason),
        json!(event::object(&event)),
        json!(event.message.as_deref().unwrap_or_default().trim()),
        json!(event.metadata.name),
    ]
}

fn definition(name: &str, type_: &str, format: &str, description: &str, priority: i32) -> Value {
    json!({
        "name": name, "type": type_, "format": format, "description": description, "priority": priority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(columns: Columns, include: IncludeObject, object: &Value) -> Value {
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        table(columns, include, &json!({}), std::slice::from_ref(object), now)
    }

    #[test]
    fn each_row_has_a_cell_for_each_column() {
        let created = "2026-01-01T00:00:00Z";
        for (columns, object, cells) in [
            (
                Columns::Of(Kind::AgentTemplate),
                json!({
                    "metadata": {"name": "reviewer", "generation": 2, "creationTimestamp": created},
                    "spec": {"image": "agent:1"},
                }),
                json!(["reviewer", "agent:1", null, 2, "5m"]),
            ),
            (
                Columns::Namespaces,
                json!({
                    "metadata": {"name": "prod", "creationTimestamp": created}, "status": {"phase": "Active"},
                }),
                json!(["prod", "Active", "5m"]),
            ),
            (
                Columns::Events,
                json!({
                    "metadata": {"name": "e1"}, "involvedObject": {"kind": "Team", "name": "payments"},
                    "type": "Normal", "reason": "Ready", "message": "all run\n", "lastTimestamp": created,
                }),
                json!(["5m", "Normal", "Ready", "team/payments", "all run", "e1"]),
            ),
            (
                Columns::NewerEvents,
                json!({
                    "metadata": {"name": "e1"}, "regarding": {"kind": "Team", "name": "payments"},
                    "type": "Normal", "reason": "Ready", "note": "all run\n", "deprecatedLastTimestamp": created,
                    "eventTime": null,
                }),
                json!(["5m", "Normal", "Ready", "team/payments", "all run", "e1"]),
            ),
        ] {
            let table = rows(columns, IncludeObject::None, &object);
            assert_eq!(table["rows"][0], json!({"cells": cells}), "{columns:?}");
            let definitions = table["columnDefinitions"].as_array().unwrap();
            assert_eq!(definitions.len(), cells.as_array().unwrap().len(), "{columns:?}");
        }
    }

    #[test]
    fn a_row_holds_as_much_of_its_object_as_is_wanted() {
        let team = json!({"metadata": {"name": "payments"}, "spec": {"roles": []}});
        let object = |include| rows(Columns::Of(Kind::Team), include, &team)["rows"][0]["object"].clone();
        assert_eq!(object(IncludeObject::None), Value::Null);
        assert_eq!(object(IncludeObject::Metadata), metadata_of(&team));
        assert_eq!(object(IncludeObject::Object), team);
    }
}
