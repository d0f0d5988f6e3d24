//! `whoosh reconcile`: has a repository looked at now, and may let a commit delete what a guard keeps.

use futures::{StreamExt, pin_mut};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::cli::args::TimeoutArgs;
use crate::cli::change::change;
use crate::cli::client::Selection;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::Patience;
use crate::cli::error::{CliError, Outcome};
use crate::cli::follow::Follower;
use crate::cli::{object, target};
use crate::resource::condition::Reason;
use crate::resource::names::{ALLOW_PRUNE, RECONCILE_REQUESTED};
use crate::resource::{Key, Kind};

/// Arguments of `reconcile`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Fetch and apply now, and tell what came of it
  whoosh reconcile gitsource/fleet --wait

  # Let one commit delete more than spec.maxPrune, or what says that it stays
  whoosh reconcile gitsource/fleet --allow-prune 1a2b3c4d5e6f --wait")]
pub struct ReconcileArgs {
    /// GitSources, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1.., add = complete::objects())]
    what: Vec<String>,
    /// Let this commit, and no other, delete what the guards keep: its hash, or at least the first 7 characters of it
    #[arg(long, value_name = "COMMIT", value_parser = hash)]
    allow_prune: Option<String>,
    /// Wait until it was looked at, and with `spec.wait` until its teams and councils are ready; exit 1 when it is not
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: TimeoutArgs,
}

pub(crate) async fn run(ctx: &Context, args: &ReconcileArgs) -> Result<Outcome, CliError> {
    let keys = sources(ctx, &args.what)?;
    if args.allow_prune.is_some() && keys.len() > 1 {
        let message = "--allow-prune is a word for one source: name it alone";
        return Err(CliError::Usage(message.to_owned()));
    }
    let request = Timestamp::now().to_string();
    let patch = |_: &Value| {
        let mut annotations = json!({RECONCILE_REQUESTED: request});
        if let Some(commit) = &args.allow_prune {
            annotations[ALLOW_PRUNE] = commit.as_str().into();
        }
        Ok(Some(json!({"metadata": {"annotations": annotations}})))
    };
    for key in &keys {
        change(ctx, key, false, patch).await?;
    }
    if !args.wait {
        for key in &keys {
            ctx.print(&format!("{} is looked at\n", object::slashed(key)))?;
        }
        return Ok(Outcome::Done);
    }
    let Patience(patience) = args.timeout.timeout;
    let (deadline, mut unready) = (Instant::now() + patience, Vec::new());
    for key in &keys {
        let name = object::slashed(key);
        match looked_at(ctx, key, &request, deadline).await {
            Ok(source) => {
                let message = object::text(&source, "/status/message");
                match object::text(&source, "/status/ready") {
                    "True" if !is_suspended(&source) => ctx.print(&format!("{name}: {message}\n"))?,
                    _ => unready.push(format!("{name} is not ready: {message}")),
                }
            }
            Err(error) => unready.push(error.to_string()),
        }
    }
    match unready.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(CliError::Failed(unready.join("\n"))),
    }
}

fn sources(ctx: &Context, words: &[String]) -> Result<Vec<Key>, CliError> {
    let named = target::parse_named(words)?.into_iter();
    let keys = named.map(|(kind, name)| match kind {
        Kind::GitSource => ctx.key(kind, &name),
        kind => Err(CliError::Failed(format!(
            "{} is always kept as it is declared; what is looked at by the clock is a GitSource",
            kind.with_article()
        ))),
    });
    keys.collect()
}

fn is_suspended(source: &Value) -> bool {
    let conditions = object::conditions(source);
    let mut suspended = conditions
        .iter()
        .filter(|condition| condition.type_ == "Suspended");
    suspended.any(|condition| condition.status == "True")
}

/// The source once the operator has answered a request.
async fn looked_at(ctx: &Context, key: &Key, request: &str, deadline: Instant) -> Result<Value, CliError> {
    let is_answered = |source: &Value| {
        object::text(source, "/status/handledRequest") == request && !waits(source, Reason::ObjectsNotReady)
    };
    let (listed, follower) = Follower::start(ctx.client.clone(), Selection::one(key)).await?;
    if let Some(source) = listed.into_iter().find(is_answered) {
        return Ok(source);
    }
    let changes = follower.changes();
    pin_mut!(changes);
    while let Ok(Some(change)) = timeout_at(deadline, changes.next()).await {
        let source = change?.object;
        if is_answered(&source) {
            return Ok(source);
        }
    }
    let source = ctx.client.get(key).await?;
    let (name, message) = (object::slashed(key), object::text(&source, "/status/message"));
    Err(CliError::Failed(if waits(&source, Reason::ObjectsNotReady) {
        format!("timed out waiting until {name} is ready: {message}")
    } else if waits(&source, Reason::DependencyNotReady) {
        format!("timed out waiting until {name} is looked at: it {message}")
    } else {
        format!(
            "timed out waiting until {name} is looked at: others may be looked at first, and `whoosh version` shows whether an \
             operator leads"
        )
    }))
}

/// Whether it has come to no end yet, for this reason.
fn waits(source: &Value, reason: Reason) -> bool {
    let mut conditions = object::conditions(source).into_iter();
    let reason = reason.to_string();
    conditions.any(|one| one.type_ == "Reconciling" && one.status == "True" && one.reason == reason)
}

/// Refuses what names no commit, before anything is asked.
fn hash(text: &str) -> Result<String, String> {
    match (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("write the commit's hash, or at least its first 7 characters".to_owned()),
    }
}
