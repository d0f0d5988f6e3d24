//! `whoosh events`: what happened, oldest first, once or as it happens.

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use crate::cli::client::{ClientError, Collection};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::follow::{Change, Follower, Happened};
use crate::cli::output::Document;
use crate::cli::print::events;
use crate::cli::print::table::{Cell, Table};
use crate::cli::{talk, target};
use crate::resource::{Key, event};

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
    let collection = Collection::events(ctx.scope.as_deref());
    let (listed, follower) = Follower::start(ctx.client.clone(), collection).await?;
    let events = chosen(listed, args, about.as_ref())?;
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
    let mut changes = follower.changes().boxed();
    while let Some(change) = changes.next().await {
        let Change { happened, object } = change?;
        // An event that happens again is printed again; one that the operator forgets is not.
        if happened != Happened::Deleted {
            shown.print(chosen(vec![object], args, about.as_ref())?)?;
        }
    }
    Ok(Outcome::Done)
}

/// The events that were asked for, oldest first.
fn chosen(events: Vec<Value>, args: &EventsArgs, about: Option<&Key>) -> Result<Vec<Event>, CliError> {
    let events = events.into_iter().map(serde_json::from_value);
    let mut events: Vec<Event> = events
        .collect::<Result<_, _>>()
        .map_err(ClientError::Unreadable)?;
    events.retain(|event| {
        (args.types.is_empty() || args.types.contains(&EventType::of(event)))
            && about.is_none_or(|key| events::is_about(event, key))
    });
    events.sort_by_key(event::last_seen);
    Ok(events)
}

/// The table so far.
struct Shown<'a> {
    ctx: &'a Context,
    table: Table,
    headings: bool,
}

impl<'a> Shown<'a> {
    fn new(ctx: &'a Context, args: &EventsArgs) -> Self {
        Self {
            ctx,
            table: Table::default(),
            headings: !args.no_headers,
        }
    }

    fn print(&mut self, events: Vec<Event>) -> Result<(), CliError> {
        let everywhere = self.ctx.scope.is_none();
        let with_namespace = |namespace: &str, row: Vec<Cell>| -> Vec<Cell> {
            let first = Some(Cell::from(namespace)).filter(|_| everywhere);
            first.into_iter().chain(row).collect()
        };
        for event in events {
            if std::mem::take(&mut self.headings) {
                let headings = ["LAST-SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
                self.table
                    .row(with_namespace("NAMESPACE", headings.map(Cell::from).to_vec()));
            }
            let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
            self.table
                .row(with_namespace(namespace, events::row(&event, Timestamp::now())));
        }
        self.ctx.print(&self.table.take(self.ctx.paint))
    }
}
