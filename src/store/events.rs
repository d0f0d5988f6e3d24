//! Events.
use super::{Store, StoreError};
use crate::resource::Key;
use k8s_openapi::api::core::v1::Event;
use std::time::Duration;

/// Something worth telling about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// What it is about.
    pub regarding: Key,
    /// The uid of what it is about.
    pub uid: String,
    /// How grave it is.
    pub type_: EventType,
    /// CamelCase, for programs.
    pub reason: String,
    /// Plain words, for people.
    pub message: String,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// All is well.
    Normal,
    /// Someone should look.
    Warning,
}

impl Store {
    /// Records an event. The same event again counts up and moves `lastTimestamp`.
    pub async fn record_event(&self, _event: EventRecord) -> Result<(), StoreError> {
        todo!()
    }
    /// The events of one namespace or of all, newest last.
    pub async fn list_events(&self, _namespace: Option<&str>) -> Result<Vec<Event>, StoreError> {
        todo!()
    }
    /// Forgets events that last happened longer than `age` ago; returns how many.
    pub async fn expire_events(&self, _age: Duration) -> Result<u64, StoreError> {
        todo!()
    }
}
