//! Which objects a list, a watch or a wait is about.

use serde_json::Value;

use crate::cli::object;
use crate::resource::{Key, Kind};

/// Which objects of a kind are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None` is all of them.
    pub namespace: Option<String>,
    /// Label selector.
    pub labels: Option<String>,
    /// Field selector.
    pub fields: Option<String>,
}

impl Selection {
    /// One object, as a selection that can be watched.
    pub(crate) fn one(key: &Key) -> Self {
        Self {
            kind: key.kind,
            namespace: Some(key.namespace.clone()),
            labels: None,
            fields: Some(format!("metadata.name={}", key.name)),
        }
    }

    pub(super) fn query(&self) -> Vec<(&'static str, &str)> {
        let labels = self.labels.as_deref().map(|labels| ("labelSelector", labels));
        let fields = self.fields.as_deref().map(|fields| ("fieldSelector", fields));
        labels.into_iter().chain(fields).collect()
    }
}

/// A list and the revision that it was read at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    /// The objects in the operator's order; each names its `apiVersion` and `kind`.
    pub items: Vec<Value>,
    /// Where a watch goes on from.
    pub revision: String,
}

impl Listed {
    /// Reads a list as the API sends it, whose items need not repeat what the list says of them all.
    pub(super) fn from_wire(mut list: Value, kind: Kind) -> Self {
        let revision = list
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let items = items.into_iter().map(|item| object::typed(item, kind)).collect();
        Self { items, revision }
    }
}
