//! How a schema says that values are put together: which are owned as one, and what tells the items of a list apart.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::{Map, Value};

use crate::resource::kind::Kind;
use crate::resource::schema;

/// How a value is put together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// It is owned as one.
    Whole,
    /// Members that are owned one by one.
    Members(Members),
    /// A list of items that these members tell apart.
    Items(&'static JSONSchemaProps),
    /// A list of scalars without an order, owned one by one.
    Scalars,
}

/// What the members of an object are made like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members {
    /// An object of a kind, as far as its fields have owners.
    Object(Kind),
    /// Its metadata, likewise.
    Metadata,
    /// As a schema says; without one, whatever they hold is told by its looks.
    Schema(Option<&'static JSONSchemaProps>),
}

/// References to owners are told apart by uid, and each is owned as one, as in Kubernetes.
static OWNERS: LazyLock<JSONSchemaProps> = LazyLock::new(|| JSONSchemaProps {
    type_: Some("array".to_owned()),
    x_kubernetes_list_type: Some("map".to_owned()),
    x_kubernetes_list_map_keys: Some(vec!["uid".to_owned()]),
    items: Some(JSONSchemaPropsOrArray::Schema(Box::new(JSONSchemaProps {
        type_: Some("object".to_owned()),
        x_kubernetes_map_type: Some("atomic".to_owned()),
        ..JSONSchemaProps::default()
    }))),
    ..JSONSchemaProps::default()
});

/// The fields of the metadata that have owners; the others are the server's, or tell which object is meant.
pub(super) const METADATA: [&str; 4] = ["annotations", "finalizers", "labels", "ownerReferences"];

impl Shape {
    /// Of an object of this kind.
    pub(super) fn object(kind: Kind) -> Self {
        Self::Members(Members::Object(kind))
    }

    fn of(schema: Option<&'static JSONSchemaProps>) -> Self {
        let Some(described) = schema else {
            return Self::Members(Members::Schema(None));
        };
        match (
            described.type_.as_deref(),
            described.x_kubernetes_list_type.as_deref(),
        ) {
            (Some("array"), Some("map")) => Self::Items(described),
            (Some("array"), Some("set")) => Self::Scalars,
            (Some("object"), _) if described.x_kubernetes_map_type.as_deref() != Some("atomic") => {
                Self::Members(Members::Schema(schema))
            }
            _ => Self::Whole,
        }
    }

    /// The members of `value`, if they are owned one by one.
    pub(super) fn members(self, value: &Value) -> Option<(Members, &Map<String, Value>)> {
        match (self, value) {
            (Self::Members(members), Value::Object(map)) => Some((members, map)),
            _ => None,
        }
    }

    /// The items of `value`, each with its step, if they are owned one by one.
    pub(super) fn items(self, value: &Value) -> Option<Vec<(String, &Value)>> {
        let list = value.as_array()?;
        let step = |item: &Value| match self {
            Self::Items(schema) => {
                let told = schema::told_apart(schema, item)?;
                Some(format!("k:{}", Value::Object(told)))
            }
            Self::Scalars => Some(format!("v:{item}")),
            Self::Whole | Self::Members(_) => None,
        };
        list.iter().map(|item| Some((step(item)?, item))).collect()
    }

    /// The members that tell the items apart.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        let schema = match self {
            Self::Items(schema) => Some(schema),
            Self::Whole | Self::Members(_) | Self::Scalars => None,
        };
        let keys = schema.map(schema::keys).unwrap_or_default();
        keys.iter().map(String::as_str)
    }

    /// How an item is put together.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Items(schema) => Self::of(schema::items(schema)),
            Self::Whole | Self::Members(_) | Self::Scalars => Self::Whole,
        }
    }
}

impl Members {
    /// How the member of this name is put together.
    pub(super) fn shape(self, name: &str) -> Shape {
        match (self, name) {
            (Self::Object(_), "metadata") => Shape::Members(Self::Metadata),
            (Self::Object(kind), _) => {
                schema::member(kind, name).map_or(Shape::Whole, |schema| Shape::of(Some(schema)))
            }
            (Self::Metadata, "finalizers") => Shape::Scalars,
            (Self::Metadata, "ownerReferences") => Shape::of(Some(&OWNERS)),
            (Self::Metadata, "labels" | "annotations") => Shape::Members(Self::Schema(None)),
            (Self::Metadata, _) => Shape::Whole,
            (Self::Schema(None), _) => Shape::Members(Self::Schema(None)),
            (Self::Schema(Some(schema)), _) => Shape::of(schema::described(schema, name)),
        }
    }
}
