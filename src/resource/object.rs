//! The generic object: what every kind looks like on the wire, in the store and to the planner.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::Kind;
use super::names::PINNED;

/// The API group of every kind.
pub const GROUP: &str = "chorus.services";
/// The one served version.
pub const VERSION: &str = "v1";
/// `GROUP/VERSION`, as `apiVersion` carries it.
pub const API_VERSION: &str = "chorus.services/v1";
/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A counter value of the store's revision log: commit order, without gaps, starting at 1.
///
/// On the wire it is the opaque string `metadata.resourceVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub i64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Revision {
    /// Reads a `resourceVersion`; `None` when it is not one that this API hands out.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number >= 0).map(Self)
    }
}

/// Names one object: kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, a DNS-1123 label.
    pub namespace: String,
    /// Its name, a DNS-1123 label.
    pub name: String,
}

impl Key {
    /// A key from its parts.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Reads a key as it is displayed, `team/default/payments`; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let (kind, namespace, name) = (Kind::find(parts.next()?)?, parts.next()?, parts.next()?);
        Some(Self::new(kind, namespace, name))
    }

    /// What people are told it is who look at a namespace: `team/payments` there, `team/payments in prod` elsewhere.
    pub fn seen_from(&self, namespace: &str) -> String {
        let name = format!("{}/{}", self.kind.singular(), self.name);
        match self.namespace == namespace {
            true => name,
            false => format!("{name} in {}", self.namespace),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.singular(), self.namespace, self.name)
    }
}

/// An object of any kind, after the Kubernetes conventions.
///
/// `metadata` is Kubernetes' own type. `spec` and `status` stay JSON here: the kinds' typed specs come out
/// of validation, which happens once, at the door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Always [`API_VERSION`].
    pub api_version: String,
    /// The kind.
    pub kind: Kind,
    /// Name, uid, generation, labels and the rest.
    pub metadata: ObjectMeta,
    /// What is declared.
    #[serde(default)]
    pub spec: Value,
    /// What the operator last saw; absent until the first reconcile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
}

impl Object {
    /// A bare object with a name and a spec, as a client would send it.
    pub fn new(key: &Key, spec: Value) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: key.kind,
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec,
            status: None,
        }
    }

    /// The object's key. An object without a name (which validation refuses) has an empty one here.
    pub fn key(&self) -> Key {
        Key::new(
            self.kind,
            self.namespace(),
            self.metadata.name.clone().unwrap_or_default(),
        )
    }

    /// The namespace, or the default one.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The name; empty when there is none yet.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The uid; empty before the store has accepted the object.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The generation; 0 before the store has accepted the object.
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    /// The revision that this copy was read at; `None` for an object that was never stored.
    pub fn revision(&self) -> Option<Revision> {
        self.metadata
            .resource_version
            .as_deref()
            .and_then(Revision::parse)
    }

    /// Whether someone asked for its deletion.
    pub fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// One of its annotations.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(name).map(String::as_str)
    }

    /// Whether the GitSource that declares it, if one does, is to leave it as it is.
    pub fn is_pinned(&self) -> bool {
        self.annotation(PINNED).is_some()
    }

    /// Whether the object carries this finalizer.
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.metadata
            .finalizers
            .as_ref()
            .is_some_and(|all| all.iter().any(|one| one == finalizer))
    }
}
