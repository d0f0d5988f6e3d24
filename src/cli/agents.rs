//! The agents that something is made of. They are seen through the Swarm, which may be away.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::client::{ClientError, Selection};
use super::context::Context;
use super::{object, talk};
use crate::resource::{Key, Kind};

/// How long agents are waited for where they are only a part of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Selects the agents of a team or council.
pub(crate) fn of(owner: &Key) -> Selection {
    Selection {
        kind: Kind::Agent,
        namespace: Some(owner.namespace.clone()),
        labels: None,
        fields: Some(format!("spec.owner={}", object::slashed(owner))),
    }
}

/// Lists agents where the rest is worth showing without them: when they cannot be seen, that is said.
///
/// # Errors
/// When the operator itself is away.
pub(crate) async fn if_seen(ctx: &Context, selection: &Selection) -> Result<Vec<Value>, ClientError> {
    let why = match timeout(PATIENCE, ctx.client.list(selection)).await {
        Ok(Ok(listed)) => return Ok(listed.items),
        Ok(Err(error)) if error.code().is_none() => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the operator did not list them within {} s", PATIENCE.as_secs()),
    };
    talk::say(&format!("Warning: the agents cannot be shown: {why}"));
    Ok(Vec::new())
}
