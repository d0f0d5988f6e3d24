//! `whoosh describe`: objects in detail.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::args::check_labels;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::print::describe::{Subject, describe};
use crate::cli::print::events;
use crate::cli::target::{self, Target};
use crate::cli::{agents, object, talk};
use crate::resource::event;

/// Arguments of `describe`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # A team with its roles, agents, conditions and events
  whoosh describe team payments

  # Every council with a label
  whoosh describe councils -l app=payments

  # One agent
  whoosh describe agent/team.payments.reviewer.1")]
pub struct DescribeArgs {
    /// What to describe: KIND, KIND NAME…, KIND/NAME…
    #[arg(value_name = "WHAT", required = true, add = complete::objects())]
    what: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels)]
    selector: Option<String>,
}

pub(crate) async fn run(ctx: &Context, args: &DescribeArgs) -> Result<Outcome, CliError> {
    let objects = objects(ctx, args).await?;
    if objects.is_empty() {
        talk::say(&ctx.nothing_found("resources"));
        return Ok(Outcome::Done);
    }
    let mut texts = Vec::new();
    for object in &objects {
        texts.push(text(ctx, object).await?);
    }
    ctx.print(&texts.join("\n\n"))?;
    Ok(Outcome::Done)
}

async fn objects(ctx: &Context, args: &DescribeArgs) -> Result<Vec<Value>, CliError> {
    let mut objects = Vec::new();
    for Target { kind, name } in target::parse(&args.what)? {
        match name {
            Some(name) => objects.push(ctx.client.get(&ctx.key(kind, &name)?).await?),
            None => {
                let selection = ctx.selection(kind, args.selector.as_deref());
                objects.extend(ctx.client.list(&selection).await?.items);
            }
        }
    }
    Ok(objects)
}

async fn text(ctx: &Context, object: &Value) -> Result<String, CliError> {
    let Some(key) = object::key(object) else {
        return Ok(String::new());
    };
    let agents = if key.kind.owns_agents() {
        agents::if_seen(ctx, &agents::of(&key)).await?
    } else {
        Vec::new()
    };
    let mut events = ctx.client.events(Some(&key.namespace)).await?;
    events.retain(|event| events::is_about(event, &key));
    events.sort_by_key(event::last_seen);
    let subject = Subject {
        object,
        agents: &agents,
        events: &events,
    };
    Ok(describe(&subject, Timestamp::now(), ctx.paint))
}
