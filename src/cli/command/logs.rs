//! `whoosh logs`: what agents write, one agent's or those of a whole team.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt, select_all};

use crate::cli::client::{ClientError, LineStream, LogQuery};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{agents, object, target};
use crate::resource::{Key, Kind};

/// Arguments of `logs`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # One agent (`whoosh get agents` has the names)
  whoosh logs team.payments.reviewer.1

  # All agents of a team, as they write
  whoosh logs team/payments -f

  # The last lines of each reviewer, with their time
  whoosh logs team/payments --role reviewer --tail 20 --timestamps")]
pub struct LogsArgs {
    /// An agent's name, or a team or council: KIND/NAME or KIND NAME
    #[arg(value_name = "AGENT|OBJECT", required = true, num_args = 1..=2, add = complete::agents())]
    what: Vec<String>,
    /// Only agents of this role
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Go on and print lines as they come
    #[arg(short, long)]
    follow: bool,
    /// Only this many of the last lines of each agent; -1 for all
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(-1..)
    )]
    tail: Option<i64>,
    /// Only lines that are younger, for example 10m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    since: Option<Duration>,
    /// Begin each line with its time
    #[arg(long)]
    timestamps: bool,
    /// Begin each line with the agent's name; always so for several agents
    #[arg(long)]
    prefix: bool,
}

pub(crate) async fn run(ctx: &Context, args: &LogsArgs) -> Result<Outcome, CliError> {
    let agents = agents(ctx, args).await?;
    let query = LogQuery {
        follow: args.follow,
        tail: args.tail.and_then(|tail| u64::try_from(tail).ok()),
        since: args.since,
        timestamps: args.timestamps,
    };
    let with_prefix = args.prefix || agents.len() > 1;
    let mut sources = Vec::new();
    for agent in &agents {
        let prefix = if with_prefix {
            format!("[{}] ", agent.name)
        } else {
            String::new()
        };
        let lines = ctx.client.log(agent, &query).await?;
        if args.follow {
            sources.push(prefixed(lines, prefix));
        } else {
            // One after another: lines of different agents do not mix.
            print_all(ctx, prefixed(lines, prefix)).await?;
        }
    }
    if args.follow {
        print_all(ctx, select_all(sources).boxed()).await?;
    }
    Ok(Outcome::Done)
}

async fn agents(ctx: &Context, args: &LogsArgs) -> Result<Vec<Key>, CliError> {
    let bare_name = args.what.len() == 1 && !args.what.iter().any(|word| word.contains('/'));
    let (kind, name) = match args.what.first() {
        Some(name) if bare_name => (Kind::Agent, target::check_name(name).map_err(CliError::Usage)?),
        _ => target::parse_one(&args.what)?,
    };
    let key = ctx.key(kind, &name)?;
    if kind == Kind::Agent {
        return Ok(vec![key]);
    }
    if !kind.owns_agents() {
        return Err(CliError::Usage(format!(
            "{} has no agents that could write logs",
            kind.with_article()
        )));
    }
    // An owner that does not exist is an error; one without agents has no logs.
    ctx.client.get(&key).await?;
    let listed = ctx.client.list(&agents::of(&key)).await?;
    let agents: Vec<Key> = listed
        .items
        .iter()
        .filter(|agent| {
            let role = object::text(agent, "/spec/role");
            args.role.as_ref().is_none_or(|wanted| wanted == role)
        })
        .filter_map(object::key)
        .collect();
    if agents.is_empty() {
        let of_role = args.role.as_ref().map(|role| format!(" of role {role}"));
        return Err(CliError::Failed(format!(
            "{} has no agents{}",
            object::slashed(&key),
            of_role.unwrap_or_default()
        )));
    }
    Ok(agents)
}

type Lines = BoxStream<'static, Result<String, ClientError>>;

fn prefixed(lines: LineStream, prefix: String) -> Lines {
    stream::try_unfold((lines, prefix), |(mut lines, prefix)| async move {
        let line = lines.next().await?;
        Ok(line.map(|line| (format!("{prefix}{line}\n"), (lines, prefix))))
    })
    .boxed()
}

async fn print_all(ctx: &Context, mut lines: Lines) -> Result<(), CliError> {
    while let Some(line) = lines.next().await {
        ctx.print(&line?)?;
    }
    Ok(())
}
