//! What is worth telling about an object, as Kubernetes events. The same one again is counted, not repeated.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::{Store, StoreError, ask, row};
use crate::resource::Key;
use crate::resource::event::EventType;
use crate::resource::names::MANAGER;
use crate::resource::object::API_VERSION;

/// Events that are listed at once, at most.
pub const MAX_EVENTS: i64 = 5_000;
/// The longest message kept, in characters, as in Kubernetes.
const MESSAGE_MAX: usize = 1024;

/// Something worth telling about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// What it is about.
    pub regarding: Key,
    /// The uid of what it is about.
    pub uid: String,
    /// Whether someone should look.
    pub type_: EventType,
    /// CamelCase, for programs.
    pub reason: String,
    /// Plain words, for people; cut after 1,024 characters.
    pub message: String,
}

impl Store {
    /// Records an event. The same one (uid, type, reason, message) again counts up and moves `lastTimestamp`.
    pub async fn record_event(&self, event: EventRecord) -> Result<(), StoreError> {
        let EventRecord {
            regarding,
            uid,
            type_,
            reason,
            message,
        } = event;
        let query = sqlx::query!(
            "
            INSERT INTO events AS known (kind, namespace, name, regarding_uid, type, reason, message)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (regarding_uid, type, reason, hashtextextended(message, 0))
            DO UPDATE SET count = known.count + 1, last_at = clock_timestamp()
            ",
            regarding.kind.name(),
            regarding.namespace,
            regarding.name,
            uid,
            type_.as_str(),
            reason,
            storable(&message),
        );
        ask(query.execute(self.pool())).await?;
        Ok(())
    }

    /// The events of one namespace or of all, by their last occurrence, newest last. Of more than [`MAX_EVENTS`], the
    /// newest.
    pub async fn list_events(&self, namespace: Option<&str>) -> Result<Vec<Event>, StoreError> {
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT id, uid::text AS "uid!", kind, namespace, name, regarding_uid, type AS type_, reason, message, count,
                   (extract(epoch FROM first_at) * 1000000)::bigint AS "first_at!",
                   (extract(epoch FROM last_at) * 1000000)::bigint AS "last_at!"
            FROM events
            WHERE $1::text IS NULL OR namespace = $1
            ORDER BY last_at DESC, id DESC
            LIMIT $2
            "#,
            namespace,
            MAX_EVENTS,
        );
        let rows = ask(query.fetch_all(self.pool())).await?;
        rows.into_iter().rev().map(Row::into_event).collect()
    }

    /// The event of this name.
    pub async fn event(&self, namespace: &str, name: &str) -> Result<Option<Event>, StoreError> {
        // What it is about, and its number.
        let number = name
            .rsplit_once('.')
            .and_then(|(_, digits)| i64::from_str_radix(digits, 16).ok());
        let Some(number) = number else {
            return Ok(None);
        };
        let query = sqlx::query_as!(
            Row,
            r#"
            SELECT id, uid::text AS "uid!", kind, namespace, name, regarding_uid, type AS type_, reason, message, count,
                   (extract(epoch FROM first_at) * 1000000)::bigint AS "first_at!",
                   (extract(epoch FROM last_at) * 1000000)::bigint AS "last_at!"
            FROM events
            WHERE id = $1 AND namespace = $2
            "#,
            number,
            namespace,
        );
        let found = ask(query.fetch_optional(self.pool())).await?;
        let found = found.map(Row::into_event).transpose()?;
        Ok(found.filter(|event| event.metadata.name.as_deref() == Some(name)))
    }

    /// Forgets the events that last happened longer than `age` ago; returns how many.
    pub async fn expire_events(&self, age: Duration) -> Result<u64, StoreError> {
        let query = sqlx::query!(
            "DELETE FROM events WHERE last_at < now() - make_interval(secs => $1)",
            age.as_secs_f64(),
        );
        Ok(ask(query.execute(self.pool())).await?.rows_affected())
    }
}

/// What an engine said may be long, and may hold a NUL, which Postgres does not store.
fn storable(message: &str) -> String {
    message.chars().filter(|c| *c != '\0').take(MESSAGE_MAX).collect()
}

struct Row {
    id: i64,
    uid: String,
    kind: String,
    namespace: String,
    name: String,
    regarding_uid: String,
    type_: String,
    reason: String,
    message: String,
    count: i32,
    first_at: i64,
    last_at: i64,
}

impl Row {
    fn into_event(self) -> Result<Event, StoreError> {
        let Row {
            id,
            uid,
            kind,
            namespace,
            name,
            regarding_uid,
            type_,
            reason,
            message,
            count,
            first_at,
            last_at,
        } = self;
        let first = Time(row::timestamp(first_at)?);
        Ok(Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{id:016x}")),
                namespace: Some(namespace.clone()),
                uid: Some(uid),
                creation_timestamp: Some(first.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(API_VERSION.to_owned()),
                kind: Some(kind),
                namespace: Some(namespace),
                name: Some(name),
                uid: Some(regarding_uid),
                ..ObjectReference::default()
            },
            type_: Some(type_),
            reason: Some(reason),
            message: Some(message),
            count: Some(count),
            first_timestamp: Some(first),
            last_timestamp: Some(Time(row::timestamp(last_at)?)),
            source: Some(EventSource {
                component: Some(MANAGER.to_owned()),
                host: None,
            }),
            reporting_component: Some(MANAGER.to_owned()),
            ..Event::default()
        })
    }
}
