//! `whoosh get`: lists objects, or shows some, once or as they change.

use futures::stream::{StreamExt, select_all};
use jiff::Timestamp;
use serde_json::Value;

use crate::cli::args::{check_fields, check_labels};
use crate::cli::client::Selection;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::follow::Follower;
use crate::cli::output::{Document, Output};
use crate::cli::print::columns::Extras;
use crate::cli::print::listing::{self, Listing, Look};
use crate::cli::target::{self, Target};
use crate::cli::{object, talk};
use crate::resource::jsonpath::Path;
use crate::resource::{Key, Kind};

/// Arguments of `get`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Everything that runs, in all namespaces
  whoosh get all -A

  # One team, with more columns
  whoosh get team payments -o wide

  # Teams and councils with a label, as they change
  whoosh get teams,councils -l app=payments -w

  # The names of failed agents, for a script
  whoosh get agents --field-selector status.state=Failed -o name

  # One field of one object
  whoosh get team/payments -o jsonpath='{.status.state}'

  # Columns of your own
  whoosh get agents -o custom-columns=NAME:.metadata.name,IMAGE:.spec.image")]
pub struct GetArgs {
    /// What to show: KIND, KIND NAME…, KIND/NAME…, a list of kinds (teams,councils), or all
    #[arg(value_name = "WHAT", required = true, add = complete::objects())]
    what: Vec<String>,
    /// Form: wide, json, yaml, name, jsonpath='{…}', custom-columns=HEADING:.path,…
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
    /// Only objects with these labels, for example app=x,tier!=db,role in (a,b)
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels)]
    selector: Option<String>,
    /// Only objects with these fields, for example status.state!=Ready
    #[arg(long, value_name = "FIELDS", value_parser = check_fields)]
    field_selector: Option<String>,
    /// Go on and print every change
    #[arg(short, long)]
    watch: bool,
    /// Print changes only, without the list before them
    #[arg(long)]
    watch_only: bool,
    /// Say of each change what happened: ADDED, MODIFIED or DELETED
    #[arg(long)]
    output_watch_events: bool,
    /// Sort by a field, for example .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
    /// Print tables without headings
    #[arg(long)]
    no_headers: bool,
    /// Add a column with all labels
    #[arg(long)]
    show_labels: bool,
    /// Add a column for each of these labels
    #[arg(short = 'L', long, value_name = "LABELS", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Show who owns which field (metadata.managedFields), too
    #[arg(long)]
    show_managed_fields: bool,
    /// Say nothing of objects that do not exist, and exit with 0
    #[arg(long)]
    ignore_not_found: bool,
}

/// The objects of one kind that were asked for.
struct Asked {
    kind: Kind,
    /// Empty for all of them.
    names: Vec<String>,
}

impl Asked {
    fn wants(&self, item: &Value) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == object::name(item))
    }
}

pub(crate) async fn run(ctx: &Context, args: &GetArgs) -> Result<Outcome, CliError> {
    let asked = group(target::parse(&args.what)?);
    let named = asked.iter().any(|asked| !asked.names.is_empty());
    if named && (args.selector.is_some() || args.field_selector.is_some()) {
        return Err(CliError::Usage(
            "objects are named or selected, not both: leave out the names or the selector".to_owned(),
        ));
    }
    let look = look(ctx, args, asked.len() > 1);
    if args.watch || args.watch_only {
        watch(ctx, args, &asked, &look).await
    } else {
        once(ctx, args, &asked, &look).await
    }
}

fn group(targets: Vec<Target>) -> Vec<Asked> {
    let mut groups: Vec<Asked> = Vec::new();
    for Target { kind, name } in targets {
        match groups.iter_mut().find(|group| group.kind == kind) {
            Some(group) => group.names.extend(name),
            None => groups.push(Asked {
                kind,
                names: name.into_iter().collect(),
            }),
        }
    }
    groups
}

fn look(ctx: &Context, args: &GetArgs, several_kinds: bool) -> Look {
    let output = args.output.clone().unwrap_or_default();
    Look {
        extras: Extras {
            wide: matches!(output, Output::Table { wide: true }),
            namespace: ctx.scope.is_none(),
            kind: several_kinds,
            labels: args.label_columns.clone(),
            show_labels: args.show_labels,
        },
        output,
        headings: !args.no_headers,
        events: args.output_watch_events && (args.watch || args.watch_only),
        paint: ctx.paint,
    }
}

async fn once(ctx: &Context, args: &GetArgs, asked: &[Asked], look: &Look) -> Result<Outcome, CliError> {
    let sort_by = args.sort_by.as_deref().map(Path::parse).transpose()?;
    let mut missing = Vec::new();
    let mut refused = Vec::new();
    let mut found: Vec<(Kind, Vec<Value>)> = Vec::new();
    for asked in asked {
        let mut items = match read(ctx, args, asked, &mut missing).await {
            Ok(items) => items,
            // One kind that cannot be seen (agents, while Docker is away) does not hide the others.
            Err(CliError::Client(error)) if error.code().is_some() => {
                refused.push(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(path) = &sort_by {
            listing::sort(&mut items, path);
        }
        found.push((asked.kind, items));
    }
    let named = asked.iter().map(|asked| asked.names.len()).sum::<usize>();
    let nothing = refused.is_empty() && found.iter().all(|(_, items)| items.is_empty());
    if nothing && named == 0 && !matches!(look.output, Output::Document(_)) {
        talk::say(&ctx.nothing_found("resources"));
    }
    match &look.output {
        Output::Table { .. } => print_tables(ctx, &found, look)?,
        // The columns are the same for every kind.
        Output::CustomColumns(_) => print_tables(ctx, &[joined(found)], look)?,
        Output::Document(form) => {
            let (_, items) = joined(found);
            match items.as_slice() {
                [] if named == 1 => {}
                [item] if named == 1 => ctx.print(&form.write(item)?)?,
                items => ctx.print(&form.write_list(items)?)?,
            }
        }
    }
    if args.ignore_not_found {
        missing.clear();
    }
    let missing = missing.iter().map(object::not_found);
    let problems: Vec<String> = missing.chain(refused.iter().map(ToString::to_string)).collect();
    for problem in &problems {
        talk::say(&format!("error: {problem}"));
    }
    if problems.is_empty() {
        Ok(Outcome::Done)
    } else {
        Err(CliError::Said)
    }
}

async fn read(
    ctx: &Context,
    args: &GetArgs,
    asked: &Asked,
    missing: &mut Vec<Key>,
) -> Result<Vec<Value>, CliError> {
    if asked.names.is_empty() {
        let items = ctx.client.list(&selection(ctx, args, asked)).await?.items;
        return Ok(items.into_iter().map(|item| shown(args, item)).collect());
    }
    let mut items = Vec::new();
    for name in &asked.names {
        let key = ctx.key(asked.kind, name)?;
        match ctx.client.find(&key).await? {
            Some(item) => items.push(shown(args, item)),
            None => missing.push(key),
        }
    }
    Ok(items)
}

fn shown(args: &GetArgs, object: Value) -> Value {
    // Templates and columns name what they want.
    let is_whole = matches!(
        args.output,
        Some(Output::Document(Document::Json | Document::Yaml))
    );
    match args.show_managed_fields || !is_whole {
        true => object,
        false => object::without_owners(object),
    }
}

fn joined(found: Vec<(Kind, Vec<Value>)>) -> (Kind, Vec<Value>) {
    let first = found.first().map_or(Kind::Team, |(kind, _)| *kind);
    (first, found.into_iter().flat_map(|(_, items)| items).collect())
}

fn print_tables(ctx: &Context, found: &[(Kind, Vec<Value>)], look: &Look) -> Result<(), CliError> {
    let mut tables = Vec::new();
    for (kind, items) in found.iter().filter(|(_, items)| !items.is_empty()) {
        tables.push(Listing::new(*kind, look).list(items, Timestamp::now())?);
    }
    ctx.print(&tables.join("\n"))
}

async fn watch(ctx: &Context, args: &GetArgs, asked: &[Asked], look: &Look) -> Result<Outcome, CliError> {
    let mut listings = Vec::new();
    let mut streams = Vec::new();
    for (index, asked) in asked.iter().enumerate() {
        let mut listing = Listing::new(asked.kind, look);
        let (items, follower) = Follower::start(ctx.client.clone(), selection(ctx, args, asked)).await?;
        if !args.watch_only {
            let items = items.into_iter().filter(|item| asked.wants(item));
            let items: Vec<Value> = items.map(|item| shown(args, item)).collect();
            ctx.print(&listing.list(&items, Timestamp::now())?)?;
        }
        listings.push(listing);
        streams.push(follower.changes().map(move |change| (index, change)).boxed());
    }
    let mut changes = select_all(streams);
    while let Some((index, change)) = changes.next().await {
        let mut change = change?;
        change.object = shown(args, change.object);
        if let (Some(asked), Some(listing)) = (asked.get(index), listings.get_mut(index))
            && asked.wants(&change.object)
        {
            ctx.print(&listing.change(&change, Timestamp::now())?)?;
        }
    }
    Ok(Outcome::Done)
}

fn selection(ctx: &Context, args: &GetArgs, asked: &Asked) -> Selection {
    let named = match asked.names.as_slice() {
        [name] => Some(format!("metadata.name={name}")),
        _ => None,
    };
    Selection {
        fields: args.field_selector.clone().or(named),
        ..ctx.selection(asked.kind, args.selector.as_deref())
    }
}
