//! Server-side apply: the operator merges what the files say of each object, and knows who owns which field.

use serde_json::Value;

use super::Config;
use crate::cli::args::DryRun;
use crate::cli::client::{Client, Owner};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::{files, object, talk};
use crate::resource::Key;

/// Has the operator apply everything, after all of it was tried; the objects as they are then. In a dry run nothing
/// is stored, and there are none.
///
/// # Errors
/// After every problem was said, with nothing changed; or when one is refused that others came before.
pub(crate) async fn on_server(
    ctx: &Context,
    configs: &[Config],
    owner: &Owner,
    mode: DryRun,
) -> Result<Vec<Value>, CliError> {
    let client = match mode {
        DryRun::None => ctx.client.without_warnings(),
        DryRun::Client | DryRun::Server => ctx.client.clone(),
    };
    rehearse(&client, configs, owner).await?;
    let mut applied = Vec::new();
    let mut printed = Ok(());
    for config in configs {
        let name = object::slashed(&config.key);
        if mode == DryRun::None {
            let answer = ctx.client.apply(&config.key, config.fields(), owner, false).await;
            applied.push(answer.map_err(|error| half_done(&config.key, &error.to_string()))?);
        }
        // A reader that goes away must not leave the objects half applied.
        let suffix = mode.suffix();
        printed = printed.and_then(|()| ctx.print(&format!("{name} serverside-applied{suffix}\n")));
    }
    printed.map(|()| applied)
}

/// Has the operator judge what would come of every object before any is stored, each as if the templates and Policies before
/// it were.
async fn rehearse(client: &Client, configs: &[Config], owner: &Owner) -> Result<(), CliError> {
    let mut problems = Vec::new();
    let mut is_contested = false;
    let mut shaping: Vec<(&Key, Value)> = Vec::new();
    for config in configs {
        let (key, fields) = (&config.key, config.fields());
        let live = client.find(key).await?;
        let beside = shaping
            .iter()
            .filter(|(other, _)| config.uses(other, live.as_ref()));
        let beside: Vec<Value> = beside.map(|(_, other)| other.clone()).collect();
        let tried = match beside.is_empty() {
            true => client.apply(key, fields, owner, true).await.map(Some),
            false => client
                .judge_part(key, fields, owner, &beside)
                .await
                .map(|()| None),
        };
        match tried {
            Ok(applied) if key.kind.shapes_owners() => {
                shaping.push((key, applied.unwrap_or_else(|| fields.clone())));
            }
            Ok(_) => {}
            Err(error) if error.code().is_some_and(|code| code < 500) => {
                let reasons = error.causes().iter().filter_map(|cause| cause.reason.as_deref());
                is_contested |= reasons.into_iter().any(|reason| reason == "FieldManagerConflict");
                problems.extend(config.refused(&error, live, owner));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if is_contested {
        talk::say("what others own is taken with --force-conflicts alone");
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(files::say_problems(&problems)),
    }
}

/// An object was refused after others were stored.
pub(crate) fn half_done(key: &Key, why: &str) -> CliError {
    let name = object::slashed(key);
    CliError::Failed(format!("{name}: {why}; the objects after it were not applied"))
}
