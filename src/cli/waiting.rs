//! Waits until something holds for objects, telling how each stands, and gives up on what cannot happen.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{BoxStream, StreamExt, select_all};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::client::{ClientError, Selection};
use super::condition::{Verdict, Wanted, judge_all};
use super::context::Context;
use super::duration::Patience;
use super::error::CliError;
use super::follow::{Change, Follower, Happened};
use super::object;
use super::progress::Progress;
use super::talk;
use crate::resource::Key;

/// Waits until all of `wanted` holds for every key; `met` is printed for each as it does.
///
/// # Errors
/// [`CliError::Said`] when time ran out or one of them is hopeless, after saying why.
pub(crate) async fn until(
    ctx: &Context,
    keys: &[Key],
    wanted: &[Wanted],
    Patience(patience): Patience,
    met: impl Fn(&Key) -> String,
) -> Result<(), CliError> {
    let deadline = Instant::now() + patience;
    let mut wait = Wait {
        wanted,
        open: keys.iter().map(|key| (key.clone(), String::new())).collect(),
        progress: Progress::start(),
    };
    let (objects, mut changes) = follow(ctx, keys).await?;
    for key in keys {
        wait.look(ctx, key, objects.get(key), &met)?;
    }
    while !wait.open.is_empty() {
        let change = match timeout_at(deadline, changes.next()).await {
            Ok(Some(change)) => change?,
            Ok(None) | Err(_) => return Err(wait.out_of_time()),
        };
        let Some(key) = object::key(&change.object).filter(|key| wait.open.contains_key(key)) else {
            continue;
        };
        let object = Some(&change.object).filter(|_| change.happened != Happened::Deleted);
        wait.look(ctx, &key, object, &met)?;
    }
    Ok(())
}

struct Wait<'a> {
    wanted: &'a [Wanted],
    /// What is still waited for, and how it stands.
    open: BTreeMap<Key, String>,
    progress: Progress,
}

impl Wait<'_> {
    fn look(
        &mut self,
        ctx: &Context,
        key: &Key,
        object: Option<&Value>,
        met: impl Fn(&Key) -> String,
    ) -> Result<(), CliError> {
        let name = object::slashed(key);
        match judge_all(self.wanted, object) {
            Verdict::Met => {
                self.open.remove(key);
                self.progress.done(&name, || ctx.print(&met(key)))
            }
            Verdict::Waiting(why) => {
                let ready = object.map_or("", |object| object::text(object, "/status/summary"));
                let state = if ready.is_empty() {
                    why.clone()
                } else {
                    format!("{ready} ready; {why}")
                };
                self.progress.set(&name, &state);
                self.open.insert(key.clone(), why);
                Ok(())
            }
            Verdict::Hopeless(why) => {
                self.progress.finish();
                talk::say(&format!("error: {name}: {why}"));
                Err(CliError::Said)
            }
        }
    }

    fn out_of_time(&mut self) -> CliError {
        self.progress.finish();
        let wanted: Vec<String> = self.wanted.iter().map(Wanted::to_string).collect();
        for (key, why) in &self.open {
            talk::say(&format!(
                "error: timed out waiting for {} of {}: {why}",
                wanted.join(" and "),
                object::slashed(key)
            ));
        }
        CliError::Said
    }
}

type Changes = BoxStream<'static, Result<Change, ClientError>>;

/// Follows the keys with one connection for each kind and namespace.
async fn follow(ctx: &Context, keys: &[Key]) -> Result<(BTreeMap<Key, Value>, Changes), ClientError> {
    let groups: BTreeSet<_> = keys.iter().map(|key| (key.kind, key.namespace.clone())).collect();
    let mut objects = BTreeMap::new();
    let mut streams = Vec::new();
    for (kind, namespace) in groups {
        let mut members = keys
            .iter()
            .filter(|key| key.kind == kind && key.namespace == namespace);
        let selection = match (members.next(), members.next()) {
            (Some(only), None) => Selection::one(only),
            _ => Selection {
                kind,
                namespace: Some(namespace),
                labels: None,
                fields: None,
            },
        };
        let (listed, follower) = Follower::start(ctx.client.clone(), selection).await?;
        objects.extend(
            listed
                .into_iter()
                .filter_map(|object| Some((object::key(&object)?, object))),
        );
        streams.push(follower.changes().boxed());
    }
    Ok((objects, select_all(streams).boxed()))
}
