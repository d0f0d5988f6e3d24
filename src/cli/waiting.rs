//! Waits until something holds for objects, telling how each stands, and gives up on what cannot happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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

/// How long something may stand in the way: what was put right a moment ago may not have been seen yet.
const GRACE: Duration = Duration::from_secs(5);

/// Waits until all of `wanted` holds for every key; `met` is printed for each as it does.
///
/// # Errors
/// [`CliError::Said`] when time ran out or one of them cannot come about, after saying why.
pub(crate) async fn until(
    ctx: &Context,
    keys: &[Key],
    wanted: &[Wanted],
    Patience(patience): Patience,
    met: impl Fn(&Key) -> String,
) -> Result<(), CliError> {
    let mut wait = Wait {
        wanted,
        deadline: Instant::now() + patience,
        open: BTreeMap::new(),
        progress: Progress::start(),
    };
    let (objects, mut changes) = follow(ctx, keys).await?;
    for key in keys {
        let object = objects.get(key);
        wait.open.insert(key.clone(), Standing::default());
        wait.look(ctx, key, object, &met)?;
    }
    while !wait.open.is_empty() {
        let change = match timeout_at(wait.next_deadline(), changes.next()).await {
            Ok(Some(change)) => change?,
            Ok(None) | Err(_) => return Err(wait.give_up()),
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
    deadline: Instant,
    open: BTreeMap<Key, Standing>,
    progress: Progress,
}

/// How something that is still waited for stands.
#[derive(Default)]
struct Standing {
    why: String,
    blocked_until: Option<Instant>,
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
        let (why, blocked_until) = match judge_all(self.wanted, object) {
            Verdict::Met => {
                self.open.remove(key);
                return self.progress.done(&name, || ctx.print(&met(key)));
            }
            Verdict::Waiting(why) => (why, None),
            Verdict::Blocked(why) => {
                let before = self.open.get(key).and_then(|standing| standing.blocked_until);
                (why, Some(before.unwrap_or_else(|| Instant::now() + GRACE)))
            }
            Verdict::Hopeless(why) => {
                self.progress.finish();
                talk::say(&format!("error: {name}: {why}"));
                return Err(CliError::Said);
            }
        };
        self.progress.set(&name, &described(object, &why));
        self.open.insert(key.clone(), Standing { why, blocked_until });
        Ok(())
    }

    /// When there is something to give up, if nothing changes before.
    fn next_deadline(&self) -> Instant {
        let blocked = self.open.values().filter_map(|standing| standing.blocked_until);
        blocked.chain([self.deadline]).min().unwrap_or(self.deadline)
    }

    /// Says what was waited for in vain: what stands in the way, or else everything that is open.
    fn give_up(&mut self) -> CliError {
        self.progress.finish();
        let wanted: Vec<String> = self.wanted.iter().map(Wanted::to_string).collect();
        let wanted = wanted.join(" and ");
        let out_of_time = Instant::now() >= self.deadline;
        for (key, Standing { why, blocked_until }) in &self.open {
            let name = object::slashed(key);
            if blocked_until.is_some() {
                talk::say(&format!("error: {name}: {why}"));
            } else if out_of_time {
                talk::say(&format!("error: timed out waiting for {wanted} of {name}: {why}"));
            }
        }
        CliError::Said
    }
}

fn described(object: Option<&Value>, why: &str) -> String {
    match object.map(|object| object::text(object, "/status/summary")) {
        None | Some("") => why.to_owned(),
        Some(ready) => format!("{ready} ready; {why}"),
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
