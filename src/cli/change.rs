//! Changes a live object by a merge patch, whoever else changes it.

use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::object;
use crate::resource::Key;

/// How often a change is tried again when somebody else changed the object in between.
const TRIES: usize = 5;

/// Sends the merge patch that `patch` makes of the live object, and reads it again when somebody else was faster; `false`
/// when there is nothing to change.
///
/// # Errors
/// Of `patch`, and as the operator answers.
pub(crate) async fn change(
    ctx: &Context,
    key: &Key,
    dry_run: bool,
    patch: impl Fn(&Value) -> Result<Option<Value>, CliError>,
) -> Result<bool, CliError> {
    change_as(ctx, key, None, dry_run, patch).await
}

/// The same, by which a manager of that name comes to own what is set.
///
/// # Errors
/// As of [`change`].
pub(crate) async fn change_as(
    ctx: &Context,
    key: &Key,
    manager: Option<&str>,
    dry_run: bool,
    patch: impl Fn(&Value) -> Result<Option<Value>, CliError>,
) -> Result<bool, CliError> {
    for last_try in (0..TRIES).map(|attempt| attempt + 1 == TRIES) {
        let live = ctx.client.get(key).await?;
        let Some(mut patch) = patch(&live)? else {
            return Ok(false);
        };
        patch["metadata"]["resourceVersion"] = object::revision(&live).into();
        match ctx.client.patch_as(key, manager, &patch, dry_run).await {
            Err(error) if error.is_conflict() && !last_try => {}
            answer => {
                answer?;
                break;
            }
        }
    }
    Ok(true)
}
