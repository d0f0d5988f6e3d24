//! `whoosh apply`: makes the operator's objects match files, all of them or none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cli::apply::{Config, Item, Step, half_done, next_step, on_server, proposed, step};
use crate::cli::args::{DryRun, DryRunArgs, FileArgs, check_labels};
use crate::cli::client::{Client, Owner, Propagation, Selection};
use crate::cli::condition::Wanted;
use crate::cli::context::Context;
use crate::cli::duration::{Patience, parse_patience};
use crate::cli::error::{CliError, Outcome};
use crate::cli::files;
use crate::cli::templates::SeenTemplate;
use crate::cli::{object, talk, waiting};
use crate::resource::names::{FIELD_MANAGER, LAST_APPLIED};
use crate::resource::selector::{LabelSelector, SelectorError};
use crate::resource::validate::{Cause, CauseReason};
use crate::resource::{Key, Kind};

/// How often an object is tried again when somebody else changed it in between.
const TRIES: usize = 5;

/// Arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # One file; and wait until its agents run
  whoosh apply -f team.yaml --wait

  # A folder with everything below it
  whoosh apply -R -f manifests/

  # What would happen, checked by the operator but not stored (see also `whoosh diff`)
  whoosh apply -f team.yaml --dry-run=server

  # Delete what carries the label, was applied before, and is in no file any more
  whoosh apply -f fleet/ --prune -l fleet=prod

  # As the owner of the fields in the file, and of no others
  whoosh apply --server-side --field-manager ci -f team.yaml

  # From a pipe
  ./generate | whoosh apply -f -")]
pub struct ApplyArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// Have the operator merge, and own the fields in the files: what another field manager owns is left to it
    #[arg(long, conflicts_with = "prune")]
    server_side: bool,
    /// Take the fields that other field managers own
    #[arg(long, requires = "server_side")]
    force_conflicts: bool,
    /// Who owns the fields: what the same one applied before, and the files do not say now, goes
    #[arg(long, value_name = "NAME", default_value = FIELD_MANAGER, requires = "server_side")]
    field_manager: String,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels)]
    selector: Option<String>,
    /// Delete objects with the labels that were applied before and are in no file now
    #[arg(long, requires = "selector")]
    prune: bool,
    /// Wait until the agents of every team and council are ready, also of those that use an applied template
    #[arg(long)]
    wait: bool,
    /// How long to wait for that; 0 looks once, a negative time waits for a week
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        allow_hyphen_values = true,
        value_parser = parse_patience
    )]
    timeout: Patience,
}

pub(crate) async fn run(ctx: &Context, args: &ApplyArgs) -> Result<Outcome, CliError> {
    let applied = match args.server_side {
        true => on_the_server(ctx, args).await?,
        false => {
            let items = items(ctx, args).await?;
            merged_here(ctx, args, &items).await?;
            if args.prune {
                prune(ctx, args, &items).await?;
            }
            items.into_iter().map(Applied::from).collect()
        }
    };
    if args.wait && args.dry_run.mode == DryRun::None {
        wait(ctx, args, &applied).await?;
    }
    Ok(Outcome::Done)
}

/// An object as it was applied.
struct Applied {
    key: Key,
    is_suspended: bool,
}

impl From<Item> for Applied {
    fn from(item: Item) -> Self {
        Self {
            is_suspended: is_suspended(&item.source.value.spec),
            key: item.key,
        }
    }
}

/// Has the operator merge the objects. What they say need not be all of them: it judges what comes of it.
async fn on_the_server(ctx: &Context, args: &ApplyArgs) -> Result<Vec<Applied>, CliError> {
    if args.dry_run.mode == DryRun::Client {
        return Err(CliError::Usage(
            "--server-side is the operator's work: try it with --dry-run=server".to_owned(),
        ));
    }
    let mut parts = files::load_parts(ctx, &args.files).await?;
    select(args, &mut parts, |part| object::labels(&part.value))?;
    let owner = Owner {
        manager: args.field_manager.clone(),
        force: args.force_conflicts,
    };
    let objects = on_server(ctx, &Config::all(parts), &owner, args.dry_run.mode).await?;
    let applied = objects.iter().filter_map(|object| {
        Some(Applied {
            key: object::key(object)?,
            is_suspended: is_suspended(&object["spec"]),
        })
    });
    Ok(applied.collect())
}

/// Merges each object with what is live, by what was applied last, and sends the difference.
async fn merged_here(ctx: &Context, args: &ApplyArgs, items: &[Item]) -> Result<(), CliError> {
    let client = match args.dry_run.mode {
        DryRun::Server => ctx.client.clone(),
        // The real run says the warnings, when templates that come with the teams exist.
        DryRun::None | DryRun::Client => ctx.client.without_warnings(),
    };
    let steps = rehearse(&client, items, args.dry_run.mode).await?;
    match args.dry_run.mode {
        DryRun::None => {
            let mut printed = Ok(());
            for item in items {
                let done = apply(&ctx.client, item).await?;
                // A reader that goes away must not leave the objects half applied.
                printed =
                    printed.and_then(|()| ctx.print(&format!("{} {done}\n", object::slashed(&item.key))));
            }
            printed?;
        }
        DryRun::Client | DryRun::Server => {
            for (item, step) in items.iter().zip(&steps) {
                let (name, suffix) = (object::slashed(&item.key), args.dry_run.mode.suffix());
                ctx.print(&format!("{name} {}{suffix}\n", step.done()))?;
            }
        }
    }
    Ok(())
}

/// Waits for the agents of what was applied, and of those who use an applied template.
async fn wait(ctx: &Context, args: &ApplyArgs, applied: &[Applied]) -> Result<(), CliError> {
    let met = |key: &Key| format!("{} condition met\n", object::slashed(key));
    let owners = || applied.iter().filter(|applied| applied.key.kind.owns_agents());
    for suspended in owners().filter(|owner| owner.is_suspended) {
        let name = object::slashed(&suspended.key);
        talk::say(&format!(
            "{name} is suspended: its agents are left as they are, and not waited for"
        ));
    }
    let templates = templates(ctx, applied).await?;
    let awaited = owners().filter(|owner| !owner.is_suspended);
    let mut keys: BTreeSet<Key> = awaited.map(|owner| owner.key.clone()).collect();
    keys.extend(users(ctx, &templates).await?);
    let keys: Vec<Key> = keys.into_iter().collect();
    let wanted = [Wanted::ready(), Wanted::Templates(templates)];
    waiting::until(ctx, &keys, &wanted, args.timeout, met).await
}

/// What is to be applied.
async fn items(ctx: &Context, args: &ApplyArgs) -> Result<Vec<Item>, CliError> {
    let mut objects = files::load(ctx, &args.files).await?;
    select(args, &mut objects, |object| {
        object.value.metadata.labels.clone().unwrap_or_default()
    })?;
    Ok(Item::all(objects))
}

/// Leaves those with the labels that are asked for.
fn select<T>(
    args: &ApplyArgs,
    objects: &mut Vec<T>,
    labels: impl Fn(&T) -> BTreeMap<String, String>,
) -> Result<(), CliError> {
    let Some(selector) = &args.selector else {
        return Ok(());
    };
    let selector: LabelSelector = selector
        .parse()
        .map_err(|error: SelectorError| CliError::Usage(error.to_string()))?;
    objects.retain(|object| selector.matches(Some(&labels(object))));
    match objects.is_empty() {
        false => Ok(()),
        true => Err(CliError::Failed(
            "no object in the files has the labels; nothing was changed".to_owned(),
        )),
    }
}

/// Has the operator check every object before any is stored, each as if the templates and Policies
/// before it were.
async fn rehearse(client: &Client, items: &[Item], mode: DryRun) -> Result<Vec<Step>, CliError> {
    let mut steps = Vec::new();
    let mut problems = Vec::new();
    let mut shaping = Vec::new();
    for item in items {
        let live = client.find(&item.key).await?;
        let step = step(item, live.as_ref());
        let proposed = proposed(item, live.as_ref());
        if let Step::Refuse(why) = step {
            problems.push(item.source.problem(Cause::new("", CauseReason::Forbidden, why)));
        } else if mode != DryRun::Client {
            let beside = shaping.iter().filter(|(key, _)| item.uses(key));
            let beside: Vec<Value> = beside.map(|(_, other): &(_, Value)| other.clone()).collect();
            let tried = if beside.is_empty() {
                step.send(client, &item.key, true).await
            } else {
                client.judge(&item.key, &proposed, &beside).await
            };
            match tried {
                Ok(()) => {}
                // Somebody is changing it right now: the real run reads it again.
                Err(error) if error.is_conflict() && mode == DryRun::None => {}
                Err(error) if error.code().is_some_and(|code| code < 500) => {
                    problems.extend(files::refused(&item.source, &error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if item.key.kind.shapes_owners() {
            shaping.push((item.key.clone(), proposed));
        }
        steps.push(step);
    }
    if problems.is_empty() {
        Ok(steps)
    } else {
        Err(files::say_problems(&problems))
    }
}

async fn apply(client: &Client, item: &Item) -> Result<&'static str, CliError> {
    let mut tries = 1;
    loop {
        let step = next_step(client, item).await?;
        if let Step::Refuse(why) = step {
            return Err(half_done(&item.key, why));
        }
        match step.send(client, &item.key, false).await {
            Ok(()) => return Ok(step.done()),
            Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(half_done(&item.key, &error.to_string())),
        }
    }
}

fn is_suspended(spec: &Value) -> bool {
    spec["suspend"] == Value::Bool(true)
}

/// The applied templates as they are now: whoever uses them has to see this state.
async fn templates(ctx: &Context, applied: &[Applied]) -> Result<Vec<SeenTemplate>, CliError> {
    let mut seen = Vec::new();
    for applied in applied
        .iter()
        .filter(|applied| applied.key.kind == Kind::AgentTemplate)
    {
        let live = ctx.client.find(&applied.key).await?;
        seen.extend(live.as_ref().map(SeenTemplate::of));
    }
    Ok(seen)
}

/// Those who use the templates, in the files or not: the change is theirs, too.
async fn users(ctx: &Context, templates: &[SeenTemplate]) -> Result<BTreeSet<Key>, CliError> {
    let namespaces: BTreeSet<&str> = templates.iter().map(SeenTemplate::namespace).collect();
    let mut users = BTreeSet::new();
    for namespace in namespaces {
        for kind in Kind::owners() {
            let selection = Selection {
                kind,
                namespace: Some(namespace.to_owned()),
                labels: None,
                fields: None,
            };
            let mut live = ctx.client.list(&selection).await?.items;
            live.retain(|user| templates.iter().any(|seen| seen.is_used_by(user)));
            live.retain(|user| !object::is_going(user) && !is_suspended(&user["spec"]));
            users.extend(live.iter().filter_map(object::key));
        }
    }
    Ok(users)
}

async fn prune(ctx: &Context, args: &ApplyArgs, applied: &[Item]) -> Result<(), CliError> {
    let Some(labels) = &args.selector else {
        return Ok(());
    };
    let kept: BTreeSet<&Key> = applied.iter().map(|item| &item.key).collect();
    let namespaces: BTreeSet<&str> = applied.iter().map(|item| item.key.namespace.as_str()).collect();
    for namespace in namespaces {
        // What uses templates goes before them.
        for kind in Kind::stored() {
            let selection = Selection {
                kind,
                namespace: Some(namespace.to_owned()),
                labels: Some(labels.clone()),
                fields: None,
            };
            for live in ctx.client.list(&selection).await?.items {
                let Some(key) = object::key(&live).filter(|key| !kept.contains(key)) else {
                    continue;
                };
                if !object::annotations(&live).contains_key(LAST_APPLIED) {
                    continue;
                }
                if args.dry_run.mode != DryRun::Client {
                    let trial = args.dry_run.mode == DryRun::Server;
                    match ctx.client.delete(&key, Propagation::Background, trial).await {
                        // It may have gone with its owner a moment ago.
                        Err(error) if error.is_not_found() => {}
                        deleted => drop(deleted?),
                    }
                }
                ctx.print(&format!(
                    "{} pruned{}\n",
                    object::slashed(&key),
                    args.dry_run.mode.suffix()
                ))?;
            }
        }
    }
    Ok(())
}
