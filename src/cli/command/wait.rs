//! `whoosh wait`: until something holds for objects.

use crate::cli::args::{TimeoutArgs, check_labels};
use crate::cli::complete;
use crate::cli::condition::Wanted;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{object, target, waiting};
use crate::resource::Key;

/// Arguments of `wait`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
A condition counts only when the operator has seen the newest generation. Waiting for Ready ends at once,
with the reason, when an object is Stalled or Suspended: it will not become ready without a person.

Examples:
  # Until a team's agents are all ready
  whoosh wait team/payments --for=condition=Ready --timeout=2m

  # Until several are gone
  whoosh wait teams -l app=payments --for=delete

  # Until a field has a value
  whoosh wait council/kickoff --for=jsonpath='{.status.readyReplicas}'=3

  # Just look: exit 0 if it is ready now, 1 if it is not
  whoosh wait team/payments --for=condition=Ready --timeout=0")]
pub struct WaitArgs {
    /// What to wait for: KIND NAME…, KIND/NAME…, or KIND with -l or --all
    #[arg(value_name = "WHAT", required = true, add = complete::objects())]
    what: Vec<String>,
    /// create, delete, condition=NAME[=STATUS] or jsonpath='{.path}'[=VALUE]; repeated, all must hold
    #[arg(long = "for", value_name = "CONDITION", required = true, value_parser = Wanted::parse)]
    wanted: Vec<Wanted>,
    /// All objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels)]
    selector: Option<String>,
    /// All objects of the kind
    #[arg(long, conflicts_with = "selector")]
    all: bool,
    #[command(flatten)]
    timeout: TimeoutArgs,
}

pub(crate) async fn run(ctx: &Context, args: &WaitArgs) -> Result<Outcome, CliError> {
    let keys = keys(ctx, args).await?;
    let met = |key: &Key| format!("{} condition met\n", object::slashed(key));
    waiting::until(ctx, &keys, &args.wanted, args.timeout.timeout, met).await?;
    Ok(Outcome::Done)
}

async fn keys(ctx: &Context, args: &WaitArgs) -> Result<Vec<Key>, CliError> {
    let mut keys = Vec::new();
    for target in target::parse(&args.what)? {
        keys.extend(ctx.keys(target, args.selector.as_deref(), args.all).await?);
    }
    if keys.is_empty() {
        return Err(CliError::Failed(
            "nothing matches, so there is nothing to wait for".to_owned(),
        ));
    }
    Ok(keys)
}
