//! `whoosh delete`: deletes objects, stops their agents, and waits until they are gone.

use clap::ArgAction;

use crate::cli::args::{DryRun, DryRunArgs, FileArgs, check_labels};
use crate::cli::client::Propagation;
use crate::cli::complete;
use crate::cli::condition::Wanted;
use crate::cli::context::Context;
use crate::cli::duration::{Patience, parse_patience};
use crate::cli::error::{CliError, Outcome};
use crate::cli::{files, object, talk, target, waiting};
use crate::resource::{Key, Kind};

/// Arguments of `delete`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # A team, until its last agent is gone
  whoosh delete team payments

  # What files declare
  whoosh delete -f manifests/examples/

  # By label, without waiting
  whoosh delete teams -l app=payments --wait=false

  # The declaration only: the agents run on, and WHOOSH forgets them
  whoosh delete team/payments --cascade=orphan")]
pub struct DeleteArgs {
    /// What to delete: KIND NAME…, KIND/NAME…, or KIND with -l or --all
    #[arg(value_name = "WHAT", required_unless_present = "file", conflicts_with = "file", add = complete::objects())]
    what: Vec<String>,
    /// Delete what this file, folder, address or - (standard input) declares; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    file: Vec<String>,
    /// Read folders below a folder, too
    #[arg(short = 'R', long, requires = "file")]
    recursive: bool,
    /// All objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels, conflicts_with = "file")]
    selector: Option<String>,
    /// All objects of the kind
    #[arg(long, conflicts_with_all = ["selector", "file"])]
    all: bool,
    /// What becomes of the agents, and of objects that name it as their owner
    #[arg(long, value_name = "HOW", default_value = "background")]
    cascade: Propagation,
    /// Wait until the objects are gone
    #[arg(
        long,
        value_name = "BOOL",
        default_value = "true",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    wait: bool,
    /// How long to wait for that; 0 looks once, a negative time waits for a week
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        allow_hyphen_values = true,
        value_parser = parse_patience
    )]
    timeout: Patience,
    /// Say nothing of objects that do not exist, and exit with 0
    #[arg(long)]
    ignore_not_found: bool,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

pub(crate) async fn run(ctx: &Context, args: &DeleteArgs) -> Result<Outcome, CliError> {
    let keys = keys(ctx, args).await?;
    if keys.is_empty() {
        talk::say(&ctx.nothing_found("resources"));
        return Ok(Outcome::Done);
    }
    let mut missing = false;
    let mut deleted = Vec::new();
    for key in keys {
        match ask(ctx, args, &key).await? {
            true => deleted.push(key),
            false => missing = true,
        }
    }
    let line = |key: &Key| {
        let (kind, name) = (key.kind.singular(), &key.name);
        format!("{kind} \"{name}\" deleted{}\n", args.dry_run.mode.suffix())
    };
    if args.wait && args.dry_run.mode == DryRun::None {
        waiting::until(ctx, &deleted, &[Wanted::Deleted], args.timeout, line).await?;
    } else {
        ctx.print(&deleted.iter().map(line).collect::<String>())?;
    }
    if missing && !args.ignore_not_found {
        return Err(CliError::Said);
    }
    Ok(Outcome::Done)
}

/// Asks for one deletion; `false` when there is no such object.
async fn ask(ctx: &Context, args: &DeleteArgs, key: &Key) -> Result<bool, CliError> {
    let asked = match args.dry_run.mode {
        DryRun::Client => ctx.client.get(key).await.map(drop),
        mode => ctx.client.delete(key, args.cascade, mode == DryRun::Server).await,
    };
    match asked {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => {
            if !args.ignore_not_found {
                talk::say(&format!("error: {}", object::not_found(key)));
            }
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn keys(ctx: &Context, args: &DeleteArgs) -> Result<Vec<Key>, CliError> {
    if !args.file.is_empty() {
        let from = FileArgs {
            file: args.file.clone(),
            recursive: args.recursive,
        };
        let mut keys: Vec<Key> = files::load(ctx, &from)
            .await?
            .iter()
            .map(|object| object.value.key())
            .collect();
        // What uses templates goes before them.
        keys.sort_by_key(|key| !key.kind.owns_agents());
        return Ok(keys);
    }
    let mut keys = Vec::new();
    let targets = target::parse(&args.what)?;
    let views_only = targets.iter().all(|target| !target.kind.is_stored());
    for target in targets {
        if !target.kind.is_stored() {
            // `all` means what is declared; the rest follows.
            if target.name.is_none() && !views_only {
                continue;
            }
            return Err(views_stay(target.kind));
        }
        keys.extend(ctx.keys(target, args.selector.as_deref(), args.all).await?);
    }
    Ok(keys)
}

fn views_stay(kind: Kind) -> CliError {
    CliError::Usage(format!(
        "{} cannot be deleted: they follow from what is declared; scale or delete the team or council instead",
        kind.plural()
    ))
}
