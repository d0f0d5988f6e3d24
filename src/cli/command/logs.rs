//! `whoosh logs`: what agents write, one agent's or those of a whole team.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll, StreamExt};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::cli::agent_log::AgentLog;
use crate::cli::client::{Client, LogQuery, Selection};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::duration::parse_duration;
use crate::cli::error::{CliError, Outcome};
use crate::cli::follow::{Change, Follower, Happened};
use crate::cli::{agents, object, talk, target};
use crate::resource::{Key, Kind, escape};

/// Arguments of `logs`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # One agent (`whoosh get agents` has the names)
  whoosh logs team.payments.reviewer.1

  # All agents of a team, as they write, also those that start later
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
    /// Begin each line with the agent's name; always so for several agents and for -f of an object
    #[arg(long)]
    prefix: bool,
}

pub(crate) async fn run(ctx: &Context, args: &LogsArgs) -> Result<Outcome, CliError> {
    let query = LogQuery {
        follow: args.follow,
        tail: args.tail.and_then(|tail| u64::try_from(tail).ok()),
        since: args.since,
        timestamps: args.timestamps,
    };
    let key = key(ctx, args)?;
    if args.follow {
        follow(ctx, args, &key, &query).await?;
    } else if key.kind == Kind::Agent {
        print_one(ctx, &key, &query, args.prefix).await?;
    } else {
        let agents = agents(ctx, args, &key).await?;
        // One after another: lines of different agents do not mix.
        for agent in &agents {
            print_one(ctx, agent, &query, args.prefix || agents.len() > 1).await?;
        }
    }
    Ok(Outcome::Done)
}

fn key(ctx: &Context, args: &LogsArgs) -> Result<Key, CliError> {
    let bare_name = args.what.len() == 1 && !args.what.iter().any(|word| word.contains('/'));
    let (kind, name) = match args.what.first() {
        Some(name) if bare_name => (Kind::Agent, target::check_name(name).map_err(CliError::Usage)?),
        _ => target::parse_one(&args.what)?,
    };
    let key = ctx.key(kind, &name)?;
    if kind != Kind::Agent && !kind.owns_agents() {
        return Err(CliError::Usage(format!(
            "{} has no agents that could write logs",
            kind.with_article()
        )));
    }
    if kind == Kind::Agent && args.role.is_some() {
        return Err(CliError::Usage(format!(
            "--role picks agents of a team or council, and {name} is one agent"
        )));
    }
    Ok(key)
}

async fn print_one(ctx: &Context, agent: &Key, query: &LogQuery, with_prefix: bool) -> Result<(), CliError> {
    let mut lines = ctx.client.log(agent, query).await?;
    let page = Page::new();
    while let Some(line) = lines.next().await? {
        page.print(ctx, Some(agent).filter(|_| with_prefix), &line)?;
    }
    Ok(())
}

async fn agents(ctx: &Context, args: &LogsArgs, owner: &Key) -> Result<Vec<Key>, CliError> {
    // An owner that does not exist is an error; one without agents has no logs.
    ctx.client.get(owner).await?;
    let listed = ctx.client.list(&agents::of(owner)).await?;
    let wanted = listed.items.iter().filter(|agent| is_wanted(args, agent));
    let agents: Vec<Key> = wanted.filter_map(object::key).collect();
    if agents.is_empty() {
        return Err(CliError::Failed(no_agents(args, owner)));
    }
    Ok(agents)
}

fn is_wanted(args: &LogsArgs, agent: &Value) -> bool {
    let role = object::text(agent, "/spec/role");
    args.role.as_ref().is_none_or(|wanted| wanted == role)
}

fn no_agents(args: &LogsArgs, owner: &Key) -> String {
    let of_role = args.role.as_ref().map(|role| format!(" of role {role}"));
    format!(
        "{} has no agents{}",
        object::slashed(owner),
        of_role.unwrap_or_default()
    )
}

/// Follows an agent, or all agents of an object, also those that come later, until what was named is gone.
async fn follow(ctx: &Context, args: &LogsArgs, named: &Key, query: &LogQuery) -> Result<(), CliError> {
    ctx.client.get(named).await?;
    let start = |selection| Follower::start(ctx.client.clone(), selection);
    let (mut listed, itself) = start(Selection::one(named)).await?;
    let mut changes = SelectAll::new();
    changes.push(itself.changes().boxed());
    if named.kind != Kind::Agent {
        let (agents, follower) = start(agents::of(named)).await?;
        listed = agents;
        changes.push(follower.changes().boxed());
    }
    let mut logs = Logs::new(ctx, args.prefix || named.kind != Kind::Agent);
    listed.retain(|agent| is_wanted(args, agent));
    for agent in &listed {
        logs.see(agent, query);
    }
    if listed.is_empty() {
        talk::say(&format!("{} yet; waiting for them", no_agents(args, named)));
    }
    for agent in listed.iter().filter(|agent| object::created(agent).is_none()) {
        talk::say(&format!(
            "{} has not started yet; waiting for it",
            object::name(agent)
        ));
    }
    // Those that come later are followed from their beginning.
    let whole = LogQuery {
        tail: None,
        ..query.clone()
    };
    loop {
        tokio::select! {
            Some(change) = changes.next() => {
                let Change { happened, object } = change?;
                let Some(key) = object::key(&object) else { continue };
                match happened {
                    Happened::Deleted if key == *named => break,
                    Happened::Deleted => logs.forget(&key),
                    _ if key.kind == Kind::Agent && is_wanted(args, &object) => logs.see(&object, &whole),
                    _ => {}
                }
            }
            Some((agent, line)) = logs.lines.next(), if !logs.lines.is_empty() => {
                logs.print(ctx, &agent, &line)?;
            }
        }
    }
    logs.running.clear();
    while let Some((agent, line)) = logs.lines.next().await {
        logs.print(ctx, &agent, &line)?;
    }
    Ok(())
}

/// The logs that are followed.
struct Logs {
    client: Client,
    page: Page,
    with_prefix: bool,
    /// When the service of each agent was made; its log ends when this is dropped.
    running: BTreeMap<Key, watch::Sender<Option<Timestamp>>>,
    lines: SelectAll<BoxStream<'static, (Key, String)>>,
}

impl Logs {
    fn new(ctx: &Context, with_prefix: bool) -> Self {
        Self {
            client: ctx.client.clone(),
            page: Page::new(),
            with_prefix,
            running: BTreeMap::new(),
            lines: SelectAll::new(),
        }
    }

    /// Follows an agent's log, and that of the next service when its service was replaced.
    fn see(&mut self, agent: &Value, query: &LogQuery) {
        let Some(key) = object::key(agent) else { return };
        let made = object::created(agent);
        if let Some(service) = self.running.get(&key) {
            service.send_if_modified(|known| std::mem::replace(known, made) != made);
            return;
        }
        let (service, seen) = watch::channel(made);
        let lines = AgentLog::new(self.client.clone(), key.clone(), seen, query).lines();
        self.running.insert(key.clone(), service);
        self.lines
            .push(lines.map(move |line| (key.clone(), line)).boxed());
    }

    /// Ends the log of an agent that is gone.
    fn forget(&mut self, agent: &Key) {
        self.running.remove(agent);
    }

    fn print(&self, ctx: &Context, agent: &Key, line: &str) -> Result<(), CliError> {
        self.page
            .print(ctx, Some(agent).filter(|_| self.with_prefix), line)
    }
}

/// Where lines are printed: as they are, except that none may change a terminal.
struct Page {
    terminal: bool,
}

impl Page {
    fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
        }
    }

    fn print(&self, ctx: &Context, prefix: Option<&Key>, line: &str) -> Result<(), CliError> {
        let prefix = prefix
            .map(|agent| format!("[{}] ", agent.name))
            .unwrap_or_default();
        ctx.print(&format!("{prefix}{}\n", self.shown(line)))
    }

    fn shown<'l>(&self, line: &'l str) -> Cow<'l, str> {
        match self.terminal {
            true => escape::block(line),
            false => Cow::Borrowed(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_change_a_terminal_and_reaches_a_pipe_as_it_is() {
        let line = "a\tb \u{1b}[2J";
        assert_eq!(Page { terminal: true }.shown(line), "a\tb \\u{1b}[2J");
        assert_eq!(Page { terminal: false }.shown(line), line);
    }
}
