//! `whoosh rollout`: puts the spec of an object back, lists its changes, and waits until it is ready.

use std::time::Duration;

use clap::ArgAction;
use serde_json::{Value, json};

use super::history::{self, ShownArgs};
use crate::cli::args::{DryRun, DryRunArgs, TimeoutArgs};
use crate::cli::change::change_as;
use crate::cli::client::Past;
use crate::cli::complete;
use crate::cli::condition::Wanted;
use crate::cli::context::Context;
use crate::cli::duration::Patience;
use crate::cli::error::{CliError, Outcome};
use crate::cli::past::{self, Entry, Nowhere, Told};
use crate::cli::sources::{self, Seen};
use crate::cli::{merge, object, talk, target, waiting};
use crate::resource::names::{GITOPS_MANAGER, PINNED, ROLLBACK_MANAGER};
use crate::resource::{Key, Kind};

/// Arguments of `rollout`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # What has the spec been?
  whoosh rollout history team/payments

  # Back to what it was before the last change, and wait until that runs
  whoosh rollout undo team/payments
  whoosh rollout status team/payments")]
pub struct RolloutArgs {
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum RolloutCommand {
    /// Put the spec back to what it was
    #[command(after_help = "\
Labels and annotations stay as they are. Undone once more, it is again as it was before.

What a GitSource declares is also pinned: its source leaves it as it is, whatever is committed, until the annotation \
chorus.services/pinned is taken away.

Examples:
  # To what it was before the last change of the spec
  whoosh rollout undo team/payments

  # To a revision of `whoosh rollout history`
  whoosh rollout undo team/payments --to-revision 12

  # Have a pinned object again as it is committed
  whoosh annotate team/payments chorus.services/pinned-")]
    Undo(UndoArgs),
    /// List the changes of the spec alone
    #[command(after_help = "\
Examples:
  whoosh rollout history team/payments

  # And what they changed
  whoosh rollout history team/payments --diff")]
    History(ShownArgs),
    /// Wait until the newest generation is ready
    #[command(after_help = "\
It ends at once, with the reason, when the object will not become ready without a person. Exit codes are those of \
`whoosh wait`.

Examples:
  whoosh rollout status team/payments --timeout 2m

  # Just look: exit 0 if it is ready now, 1 if it is not
  whoosh rollout status team/payments --watch=false")]
    Status(StatusArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct UndoArgs {
    /// An object, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// The revision to go back to, as `whoosh history` lists it; 0 is the one before the last change of the spec
    #[arg(long, value_name = "REVISION", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    to_revision: i64,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

#[derive(Clone, Debug, clap::Args)]
struct StatusArgs {
    /// A team, council or GitSource, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// Wait; with false, look once
    #[arg(
        short,
        long,
        value_name = "BOOL",
        default_value = "true",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    watch: bool,
    #[command(flatten)]
    timeout: TimeoutArgs,
}

pub(crate) async fn run(ctx: &Context, args: &RolloutArgs) -> Result<Outcome, CliError> {
    match &args.command {
        RolloutCommand::Undo(args) => undo(ctx, args).await,
        RolloutCommand::History(args) => history::show(ctx, args, Told::Spec, "rollout history").await,
        RolloutCommand::Status(args) => status(ctx, args).await,
    }
}

async fn status(ctx: &Context, args: &StatusArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    if !kind.owns_agents() && kind != Kind::GitSource {
        return Err(CliError::Failed(format!(
            "{} has no agents to wait for; what becomes ready is a team, a council or a GitSource",
            kind.with_article()
        )));
    }
    let key = ctx.key(kind, &name)?;
    let patience = match args.watch {
        true => args.timeout.timeout,
        false => Patience(Duration::ZERO),
    };
    let met = |key: &Key| format!("{} successfully rolled out\n", object::slashed(key));
    waiting::until(ctx, &[key], &[Wanted::ready()], patience, met).await?;
    Ok(Outcome::Done)
}

async fn undo(ctx: &Context, args: &UndoArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    if !kind.is_stored() {
        return Err(CliError::Failed(format!(
            "{} is made of what is declared: undo the change of its team or council",
            kind.with_article()
        )));
    }
    let key = ctx.key(kind, &name)?;
    let name = object::slashed(&key);
    let live = ctx.client.get(&key).await?;
    let wanted = wanted(ctx, &key, Some(args.to_revision).filter(|revision| *revision > 0)).await?;
    let revision = wanted.revision;
    if wanted.object.spec == live["spec"] {
        ctx.print(&format!(
            "{name} skipped rollback (current spec already matches revision {revision})\n"
        ))?;
        return Ok(Outcome::Done);
    }
    let source = declaring(ctx, &key, &live).await?;
    let mut patch = json!({"spec": merge::patch(&live["spec"], &wanted.object.spec)});
    if source.is_some() {
        let review = ctx.client.who_am_i().await?;
        let who = review.status.and_then(|status| status.user_info?.username);
        let who = who.map(|who| format!(" by {who}")).unwrap_or_default();
        patch["metadata"] = json!({"annotations": {PINNED: format!("revision {revision}{who}")}});
    }
    let as_read = |now: &Value| match now["spec"] == live["spec"] {
        true => Ok(Some(patch.clone())),
        false => Err(CliError::Failed(format!(
            "somebody else has just changed {name}; `whoosh rollout history {}` shows how",
            object::named(&key)
        ))),
    };
    let (mode, manager) = (args.dry_run.mode, source.as_ref().map(|_| ROLLBACK_MANAGER));
    if mode != DryRun::Client {
        change_as(ctx, &key, manager, mode == DryRun::Server, as_read).await?;
    }
    ctx.print(&format!(
        "{name} rolled back to revision {revision}{}\n",
        mode.suffix()
    ))?;
    if let (Some(source), DryRun::None) = (source, mode) {
        talk::say(&source.advice(&key));
    }
    Ok(Outcome::Done)
}

/// The state to go back to; as much of the history is read as that takes.
async fn wanted(ctx: &Context, key: &Key, revision: Option<i64>) -> Result<Entry, CliError> {
    let (mut entries, mut before) = (Vec::new(), None);
    loop {
        let past: Past<Entry> = ctx.client.history(key, before.as_deref()).await?;
        entries.splice(0..0, past.entries);
        let is_older = |revision| {
            entries
                .first()
                .is_some_and(|oldest: &Entry| oldest.revision > revision)
        };
        let why = match (past::before_last(&entries, revision), past.more_before) {
            (Ok(entry), _) => return Ok(entry.clone()),
            (Err(_), Some(more)) if revision.is_none_or(is_older) => {
                before = Some(more);
                continue;
            }
            (Err(why), _) => why,
        };
        let name = object::slashed(key);
        return Err(CliError::Failed(match why {
            Nowhere::Unchanged => {
                format!("{name} has nothing to go back to: its history tells of no other spec")
            }
            Nowhere::Unknown(revision) => format!(
                "unable to find revision {revision} in the history of {name}; `whoosh rollout history {}` lists them",
                object::named(key)
            ),
        }));
    }
}

/// The source that declares an object.
#[derive(Debug, PartialEq)]
enum Declaring {
    /// This one.
    Source {
        /// As `gitsource/fleet`, with its namespace where that is another than the object's.
        name: String,
        url: String,
        /// The folders that it reads; none stands for all.
        folders: Vec<String>,
    },
    /// One of another namespace, which whoever asks may not see.
    Hidden(String),
}

async fn declaring(ctx: &Context, key: &Key, live: &Value) -> Result<Option<Declaring>, CliError> {
    let seen = match sources::seen(ctx, &key.namespace).await {
        Err(error) if error.code().is_some() => Seen {
            sources: Vec::new(),
            is_all: false,
        },
        seen => seen?,
    };
    Ok(Declaring::of(&seen, key, live))
}

impl Declaring {
    /// The one that declares `key`, of those that are seen, or else the one that owns fields of what is live.
    fn of(seen: &Seen, key: &Key, live: &Value) -> Option<Self> {
        let mut sources = seen.sources.iter();
        if let Some(source) = sources.find(|source| sources::tells_of(source, "inventory", key)) {
            let spec = &source["spec"];
            let folders = spec["paths"]
                .as_array()
                .into_iter()
                .flatten()
                .chain([&spec["path"]]);
            return Some(Self::Source {
                name: object::key(source)?.seen_from(&key.namespace),
                url: object::text(source, "/spec/url").to_owned(),
                folders: folders.filter_map(Value::as_str).map(str::to_owned).collect(),
            });
        }
        let owners = live.pointer("/metadata/managedFields")?.as_array()?;
        let mut names = owners.iter().filter_map(|owner| {
            let (namespace, name) = object::text(owner, "/manager")
                .strip_prefix(GITOPS_MANAGER)?
                .split_once('/')?;
            Some(format!("gitsource/{name} in {namespace}"))
        });
        names.next().filter(|_| !seen.is_all).map(Self::Hidden)
    }

    /// How to make last what was put back.
    fn advice(&self, key: &Key) -> String {
        let (name, place) = match self {
            Self::Source { name, url, folders } => (
                name,
                match folders.as_slice() {
                    [] => url.clone(),
                    folders => format!("{url} at {}", folders.join(" or ")),
                },
            ),
            Self::Hidden(name) => (name, "its repository".to_owned()),
        };
        format!(
            "{name} declares {object}, which is pinned now: it stays like this, whatever is committed.\n\
             To make it last, commit this (`whoosh export {named}`) to {place}, then unpin it:\n  {unpin}",
            object = object::slashed(key),
            named = object::named(key),
            unpin = object::unpin(key),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_declares_an_object_is_told_with_where_to_commit() {
        let key = Key::new(Kind::Team, "prod", "pay");
        let source = json!({
            "apiVersion": "chorus.services/v1", "kind": "GitSource", "metadata": {"name": "fleet", "namespace": "infra"},
            "spec": {"url": "https://git.example/fleet.git", "path": "prod"},
            "status": {"inventory": ["team/prod/pay"]},
        });
        let live = json!({"metadata": {"managedFields": [
            {"manager": "whoosh"}, {"manager": "gitops/fleet"}, {"manager": "gitops/infra/fleet"}]}});
        let of = |sources: &[Value], is_all| {
            let sources = sources.to_vec();
            Declaring::of(&Seen { sources, is_all }, &key, &live)
        };
        let found = of(&[source], false).unwrap();
        assert_eq!(
            found.advice(&key),
            "gitsource/fleet in infra declares team/pay, which is pinned now: it stays like this, whatever is committed.\n\
             To make it last, commit this (`whoosh export team/pay -n prod`) to https://git.example/fleet.git at prod, then \
             unpin it:\n  whoosh annotate team/pay -n prod chorus.services/pinned-"
        );
        assert_eq!(of(&[], true), None, "it left it behind");
        let hidden = "gitsource/fleet in infra".to_owned();
        assert_eq!(of(&[], false), Some(Declaring::Hidden(hidden)));
    }
}
