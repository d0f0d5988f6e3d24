//! Which objects a list, a watch or a wait is about.

use serde_json::Value;

use super::collection_path;
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
}

/// Where a list or a watch is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    /// The kind of its items, where they need not name it.
    kind: Option<Kind>,
}

impl Collection {
    /// The events of a namespace, or of all.
    pub(crate) fn events(namespace: Option<&str>) -> Self {
        let path = match namespace {
            Some(namespace) => format!("api/v1/namespaces/{namespace}/events"),
            None => "api/v1/events".to_owned(),
        };
        Self {
            path,
            query: Vec::new(),
            kind: None,
        }
    }

    /// An item as an object that says what it is.
    pub(crate) fn typed(&self, item: Value) -> Value {
        match self.kind {
            Some(kind) => object::typed(item, kind),
            None => item,
        }
    }
}

impl From<Selection> for Collection {
    fn from(selection: Selection) -> Self {
        let Selection {
            kind,
            namespace,
            labels,
            fields,
        } = selection;
        let labels = labels.map(|labels| ("labelSelector", labels));
        let fields = fields.map(|fields| ("fieldSelector", fields));
        Self {
            path: collection_path(kind, namespace.as_deref()),
            query: labels.into_iter().chain(fields).collect(),
            kind: Some(kind),
        }
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
    pub(super) fn from_wire(mut list: Value, collection: &Collection) -> Self {
        let revision = list
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let items = items.into_iter().map(|item| collection.typed(item)).collect();
        Self { items, revision }
    }
}
