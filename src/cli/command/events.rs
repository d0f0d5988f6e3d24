//! `whoosh events`: what happened, oldest first, once or as it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;
use tokio::time::sleep;

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::output::Document;
use crate::cli::print::events;
use crate::cli::print::table::{Cell, Table};
use crate::cli::{talk, target};
use crate::resource::Key;

/// How often the operator is asked for new events.
const POLL: Duration = Duration::from_secs(1);

/// Arguments of `events`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # What happened in this namespace
  whoosh events

  # What goes wrong, as it happens, everywhere
  whoosh events -A --types=Warning -w

  # The story of one team
  whoosh events --for team/payments")]
pub struct EventsArgs {
    /// Only events about this object
    #[arg(long = "for", value_name = "KIND/NAME", add = complete::objects())]
    about: Option<String>,
    /// Only events of these types
    #[arg(long, value_name = "TYPES", value_delimiter = ',', ignore_case = true)]
    types: Vec<EventType>,
    /// Go on and print events as they happen
    #[arg(short, long)]
    watch: bool,
    /// Form: json, yaml, name, jsonpath='{…}'
    #[arg(short, long, value_name = "FORM", conflicts_with = "watch")]
    output: Option<Document>,
    /// Print the table without headings
    #[arg(long)]
    no_headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
enum EventType {
    Normal,
    Warning,
}

impl EventType {
    fn of(event: &Event) -> Self {
        match event.type_.as_deref() {
            Some("Warning") => EventType::Warning,
            _ => EventType::Normal,
        }
    }
}

pub(crate) async fn run(ctx: &Context, args: &EventsArgs) -> Result<Outcome, CliError> {
    let about = match &args.about {
        Some(word) => {
            let (kind, name) = target::parse_one(std::slice::from_ref(word))?;
            Some(ctx.key(kind, &name)?)
        }
        None => None,
    };
    let events = read(ctx, args, about.as_ref()).await?;
    if let Some(form) = &args.output {
        let items: Result<Vec<Value>, _> = events.iter().map(serde_json::to_value).collect();
        let items = items.map_err(|error| CliError::Failed(error.to_string()))?;
        ctx.print(&form.write_list(&items)?)?;
        return Ok(Outcome::Done);
    }
    let mut shown = Shown::new(ctx, args);
    if events.is_empty() && !args.watch {
        talk::say(&ctx.nothing_found("events"));
    }
    shown.print(events)?;
    if !args.watch {
        return Ok(Outcome::Done);
    }
    loop {
        sleep(POLL).await;
        match read(ctx, args, about.as_ref()).await {
            Ok(events) => shown.print(events)?,
            Err(CliError::Client(error)) if error.is_transient() => {}
            Err(error) => return Err(error),
        }
    }
}

async fn read(ctx: &Context, args: &EventsArgs, about: Option<&Key>) -> Result<Vec<Event>, CliError> {
    let mut events = ctx.client.events(ctx.scope.as_deref()).await?;
    events.retain(|event| {
        (args.types.is_empty() || args.types.contains(&EventType::of(event)))
            && about.is_none_or(|key| events::is_about(event, key))
    });
    events.sort_by_key(events::last_seen);
    Ok(events)
}

/// What was printed already: an event that happens again is printed again.
struct Shown<'a> {
    ctx: &'a Context,
    table: Table,
    headings: bool,
    known: BTreeMap<String, Option<Timestamp>>,
}

impl<'a> Shown<'a> {
    fn new(ctx: &'a Context, args: &EventsArgs) -> Self {
        Self {
            ctx,
            table: Table::default(),
            headings: !args.no_headers,
            known: BTreeMap::new(),
        }
    }

    fn print(&mut self, events: Vec<Event>) -> Result<(), CliError> {
        let everywhere = self.ctx.scope.is_none();
        let with_namespace = |namespace: &str, row: Vec<Cell>| -> Vec<Cell> {
            let first = Some(Cell::from(namespace)).filter(|_| everywhere);
            first.into_iter().chain(row).collect()
        };
        let mut known = BTreeMap::new();
        for event in events {
            let id = identity(&event);
            let seen = events::last_seen(&event);
            if self.known.get(&id) != Some(&seen) {
                if std::mem::take(&mut self.headings) {
                    let headings = ["LAST-SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
                    self.table
                        .row(with_namespace("NAMESPACE", headings.map(Cell::from).to_vec()));
                }
                let namespace = event.metadata.namespace.clone().unwrap_or_default();
                self.table
                    .row(with_namespace(&namespace, events::row(&event, Timestamp::now())));
            }
            known.insert(id, seen);
        }
        // Events that the operator has forgotten are forgotten here, too.
        self.known = known;
        self.ctx.print(&self.table.take(self.ctx.paint))
    }
}

fn identity(event: &Event) -> String {
    let meta = &event.metadata;
    let name = || format!("{:?}/{:?}", meta.namespace, meta.name);
    meta.uid.clone().unwrap_or_else(name)
}
