//! `whoosh suspend` and `whoosh resume`: whether a repository is kept applied for now.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::change::change;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{object, target};
use crate::resource::{Key, Kind};

/// What is said to who names something else.
const SUSPENDABLE: &str = "what can be suspended is a GitSource";

/// Arguments of `suspend`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
While it is suspended, nothing is fetched, applied, put back or deleted. Who did it, why and until when stand in the \
source's spec, and `whoosh get gitsources` shows them.

Examples:
  # While somebody looks at what went wrong
  whoosh suspend gitsource/fleet --reason 'looking at the outage' --for 2h

  # Until somebody resumes it
  whoosh suspend gitsource/fleet")]
pub struct SuspendArgs {
    /// GitSources, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1.., add = complete::objects())]
    what: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long, until it resumes by itself; without it, until `whoosh resume`
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
}

/// Arguments of `resume`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The repository is looked at right away.

Examples:
  whoosh resume gitsource/fleet")]
pub struct ResumeArgs {
    /// GitSources, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1.., add = complete::objects())]
    what: Vec<String>,
}

pub(crate) async fn suspend(ctx: &Context, args: &SuspendArgs) -> Result<Outcome, CliError> {
    let keys = sources(ctx, &args.what, SUSPENDABLE)?;
    let too_long = |_| CliError::Usage("--for is longer than time is counted; leave it out".to_owned());
    let until = args
        .duration
        .map(|duration| Timestamp::now().checked_add(duration));
    let until = until.transpose().map_err(too_long)?;
    let by = ctx
        .client
        .who_am_i()
        .await?
        .status
        .and_then(|status| status.user_info?.username);
    // All of it, so that nothing of an earlier suspension is left.
    let suspension = json!({"reason": args.reason, "by": by, "until": until});
    let patch = |_: &Value| Ok(Some(json!({"spec": {"suspend": true, "suspension": suspension}})));
    for key in &keys {
        change(ctx, key, false, patch).await?;
        let name = object::slashed(key);
        let until = match until {
            Some(until) => format!(" until {until}"),
            None => format!("; `whoosh resume {name} -n {}` ends that", key.namespace),
        };
        ctx.print(&format!("{name} suspended{until}\n"))?;
    }
    Ok(Outcome::Done)
}

pub(crate) async fn resume(ctx: &Context, args: &ResumeArgs) -> Result<Outcome, CliError> {
    let keys = sources(ctx, &args.what, SUSPENDABLE)?;
    let patch = |_: &Value| Ok(Some(json!({"spec": {"suspend": null, "suspension": null}})));
    for key in &keys {
        change(ctx, key, false, patch).await?;
        ctx.print(&format!("{} resumed\n", object::slashed(key)))?;
    }
    Ok(Outcome::Done)
}

/// The GitSources that words name; `what` says why others are not meant.
///
/// # Errors
/// When they name anything else.
pub(super) fn sources(ctx: &Context, words: &[String], what: &str) -> Result<Vec<Key>, CliError> {
    let named = target::parse_named(words)?.into_iter();
    let keys = named.map(|(kind, name)| match kind {
        Kind::GitSource => ctx.key(kind, &name),
        kind => Err(CliError::Failed(format!(
            "{} is always kept as it is declared; {what}",
            kind.with_article()
        ))),
    });
    keys.collect()
}
