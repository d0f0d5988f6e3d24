//! `whoosh history`: who changed an object, when, why, and what.

use jiff::Timestamp;
use serde_json::Value;
use similar::TextDiff;

use crate::cli::client::Past;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::past::{self, Entry, Step, Told};
use crate::cli::print::table::{Cell, Table};
use crate::cli::{object, talk, target};
use crate::resource::age::age;
use crate::resource::{escape, yaml};

/// Arguments of `history`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Statuses that the operator writes are left out unless --all asks for them.

Examples:
  # Who changed a team?
  whoosh history team/payments

  # And what?
  whoosh history team/payments --diff")]
pub struct HistoryArgs {
    #[command(flatten)]
    shown: ShownArgs,
    /// Show statuses that the operator wrote, too
    #[arg(long)]
    all: bool,
}

/// Of which object changes are shown, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ShownArgs {
    /// An object, as KIND/NAME or KIND NAME; it may be gone
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// Show what each change changed
    #[arg(long)]
    diff: bool,
    /// Show the changes before a revision
    #[arg(long, value_name = "REVISION")]
    before: Option<u64>,
    /// Print the table without headings
    #[arg(long)]
    no_headers: bool,
}

pub(crate) async fn run(ctx: &Context, args: &HistoryArgs) -> Result<Outcome, CliError> {
    let told = if args.all { Told::All } else { Told::ByPeople };
    show(ctx, &args.shown, told, "history").await
}

/// Shows the changes that `told` tells; `command` is how one asks for more of them.
pub(crate) async fn show(
    ctx: &Context,
    args: &ShownArgs,
    told: Told,
    command: &str,
) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    let before = args.before.map(|revision| revision.to_string());
    let past: Past<Entry> = ctx.client.history(&key, before.as_deref()).await?;
    if let Some(revision) = &past.more_before {
        talk::say(&format!(
            "There are older changes: `whoosh {command} {} -n {} --before {revision}` shows them.",
            object::slashed(&key),
            key.namespace
        ));
    }
    let entries = past.entries;
    let steps = past::steps(&entries, told);
    if !args.diff {
        let mut table = Table::default();
        if !args.no_headers {
            table.row(["REVISION", "GENERATION", "WHO", "WHAT", "AGE"]);
        }
        let now = Timestamp::now();
        steps.iter().for_each(|step| table.row(row(step.entry, now)));
        ctx.print(&table.take(ctx.paint))?;
        return Ok(Outcome::Done);
    }
    for Step { entry, before, after } in steps {
        let Entry {
            revision,
            actor,
            reason,
            at,
            ..
        } = entry;
        ctx.print(&format!("revision {revision}, {reason} by {actor}, {at}\n"))?;
        let before = before.as_ref().map(text).transpose()?.unwrap_or_default();
        let after = if entry.is_end() {
            String::new()
        } else {
            text(&after)?
        };
        let name = object::slashed(&key);
        let diff = TextDiff::from_lines(&before, &after)
            .unified_diff()
            .context_radius(3)
            .header(&format!("before/{name}"), &format!("after/{name}"))
            .to_string();
        ctx.print(&format!("{}\n", escape::block(&diff)))?;
    }
    Ok(Outcome::Done)
}

fn row(entry: &Entry, now: Timestamp) -> Vec<Cell> {
    vec![
        entry.revision.to_string().into(),
        entry.generation.to_string().into(),
        entry.actor.as_str().into(),
        entry.reason.as_str().into(),
        age(entry.at, now).into(),
    ]
}

fn text(object: &Value) -> Result<String, CliError> {
    yaml::to_yaml(object).map_err(|error| CliError::Failed(error.to_string()))
}
