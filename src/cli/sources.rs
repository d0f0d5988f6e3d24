//! The GitSource that declares an object.

use serde_json::Value;

use super::client::{ClientError, Selection};
use super::context::Context;
use crate::resource::{Key, Kind};

/// The sources that whoever asks may see, and that may declare objects of a namespace.
pub(crate) struct Seen {
    /// They themselves.
    pub sources: Vec<Value>,
    /// Whether these are all that there are.
    pub is_all: bool,
}

/// Lists the sources, of all namespaces if that is allowed.
///
/// # Errors
/// When not even those of `namespace` may be listed, or the operator is away.
pub(crate) async fn seen(ctx: &Context, namespace: &str) -> Result<Seen, ClientError> {
    let list = async |namespace: Option<&str>| {
        let selection = Selection {
            kind: Kind::GitSource,
            namespace: namespace.map(str::to_owned),
            labels: None,
            fields: None,
        };
        ctx.client.list(&selection).await.map(|listed| Seen {
            sources: listed.items,
            is_all: namespace.is_none(),
        })
    };
    match list(None).await {
        // Not everybody may look everywhere.
        Err(error) if error.code().is_some() => list(Some(namespace)).await,
        everywhere => everywhere,
    }
}

/// Whether an object is among those of a list in a source's status.
pub(crate) fn tells_of(source: &Value, list: &str, key: &Key) -> bool {
    let listed = source["status"][list].as_array();
    let key = key.to_string();
    listed.is_some_and(|all| all.iter().any(|one| *one == key))
}

/// The objects of a list in a source's status.
pub(crate) fn listed(source: &Value, list: &str) -> Vec<Key> {
    let listed = source["status"][list].as_array().into_iter().flatten();
    listed.filter_map(|text| Key::parse(text.as_str()?)).collect()
}
