//! `whoosh history`: who changed an object, when, why, and what.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;

use crate::cli::apply::declared;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::table::{Cell, Table};
use crate::cli::{object, target};
use crate::resource::age::age;
use crate::resource::{Object, escape, yaml};

/// Arguments of `history`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Statuses, which the operator writes, are left out unless --all asks for them.

Examples:
  # Who changed a team?
  whoosh history team/payments

  # And what?
  whoosh history team/payments --diff")]
pub struct HistoryArgs {
    /// An object, as KIND/NAME or KIND NAME; it may be gone
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// Show what each change changed
    #[arg(long)]
    diff: bool,
    /// Show changes of the status, too
    #[arg(long)]
    all: bool,
    /// Print the table without headings
    #[arg(long)]
    no_headers: bool,
}

/// One change, as the operator tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    revision: i64,
    change: String,
    generation: i64,
    actor: String,
    reason: String,
    at: Timestamp,
    object: Object,
}

pub(crate) async fn run(ctx: &Context, args: &HistoryArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    let entries: Vec<Entry> = ctx.client.history(&key).await?;
    let mut before: Option<Value> = None;
    let mut told = Vec::new();
    for entry in &entries {
        let after = declared(&entry.object);
        let is_told = args.all || entry.change != "MODIFIED" || before.as_ref() != Some(&after);
        if is_told {
            let compared = args.diff.then(|| (before.take(), after.clone()));
            told.push((entry, compared));
        }
        before = (entry.change != "DELETED").then_some(after);
    }
    if !args.diff {
        let mut table = Table::default();
        if !args.no_headers {
            table.row(["REVISION", "GENERATION", "WHO", "WHAT", "AGE"]);
        }
        let now = Timestamp::now();
        told.iter().for_each(|(entry, ..)| table.row(row(entry, now)));
        ctx.print(&table.take(ctx.paint))?;
        return Ok(Outcome::Done);
    }
    for (entry, (before, after)) in told
        .into_iter()
        .filter_map(|(entry, compared)| Some((entry, compared?)))
    {
        let Entry {
            revision,
            actor,
            reason,
            at,
            ..
        } = entry;
        ctx.print(&format!("revision {revision}, {reason} by {actor}, {at}\n"))?;
        let before = before.as_ref().map(text).transpose()?.unwrap_or_default();
        let after = if entry.change == "DELETED" {
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
