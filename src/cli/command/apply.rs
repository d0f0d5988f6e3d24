//! `whoosh apply`: makes the operator's objects match files, all of them or none.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cli::apply::{Item, Step, next_step, proposed, step};
use crate::cli::args::{DryRun, DryRunArgs, FileArgs, check_labels};
use crate::cli::client::{Client, Owner, Propagation, Selection};
use crate::cli::condition::Wanted;
use crate::cli::context::Context;
use crate::cli::duration::{Patience, parse_patience};
use crate::cli::error::{CliError, Outcome};
use crate::cli::files;
use crate::cli::templates::SeenTemplate;
use crate::cli::{object, talk, waiting};
use crate::resource::names::LAST_APPLIED;
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
    /// Who owns the fields
    #[arg(long, value_name = "NAME", default_value = "whoosh", requires = "server_side")]
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
    let items = items(ctx, args).await?;
    match args.server_side {
        true => on_server(ctx, args, &items).await?,
        false => merged_here(ctx, args, &items).await?,
    }
    if args.prune {
        prune(ctx, args, &items).await?;
    }
    if args.wait && args.dry_run.mode == DryRun::None {
        wait(ctx, args, &items).await?;
    }
    Ok(Outcome::Done)
}

/// Has the operator apply every object: each that can be is tried before any is stored.
async fn on_server(ctx: &Context, args: &ApplyArgs, items: &[Item]) -> Result<(), CliError> {
    if args.dry_run.mode == DryRun::Client {
        return Err(CliError::Usage(
            "--server-side is the operator's work: try it with --dry-run=server".to_owned(),
        ));
    }
    let owner = Owner {
        manager: args.field_manager.clone(),
        force: args.force_conflicts,
    };
    let mut problems = Vec::new();
    let trial = match args.dry_run.mode {
        DryRun::None => ctx.client.without_warnings(),
        DryRun::Client | DryRun::Server => ctx.client.clone(),
    };
    // What uses a template of the same run cannot be tried before that is stored.
    let templates: Vec<&Key> = items
        .iter()
        .map(|item| &item.key)
        .filter(|key| !key.kind.owns_agents())
        .collect();
    let mut is_contested = false;
    for item in items
        .iter()
        .filter(|item| !templates.iter().any(|template| item.uses(template)))
    {
        match trial.apply(&item.key, item.manifest(), &owner, true).await {
            Ok(_) => {}
            Err(error) if error.code().is_some_and(|code| code < 500) => {
                let reasons = error.causes().iter().filter_map(|cause| cause.reason.as_deref());
                is_contested |= reasons.into_iter().any(|reason| reason == "FieldManagerConflict");
                problems.extend(files::refused(&item.source, &error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if is_contested {
        talk::say("what others own is taken with --force-conflicts alone");
    }
    if !problems.is_empty() {
        return Err(files::say_problems(&problems));
    }
    let mut printed = Ok(());
    for item in items {
        if args.dry_run.mode == DryRun::None {
            let applied = ctx.client.apply(&item.key, item.manifest(), &owner, false).await;
            applied.map_err(|error| half_done(item, &error.to_string()))?;
        }
        let (name, suffix) = (object::slashed(&item.key), args.dry_run.mode.suffix());
        printed = printed.and_then(|()| ctx.print(&format!("{name} serverside-applied{suffix}\n")));
    }
    printed
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
async fn wait(ctx: &Context, args: &ApplyArgs, items: &[Item]) -> Result<(), CliError> {
    let met = |key: &Key| format!("{} condition met\n", object::slashed(key));
    for key in suspended(items) {
        let name = object::slashed(key);
        talk::say(&format!(
            "{name} is suspended: its agents are left as they are, and not waited for"
        ));
    }
    let templates = templates(ctx, items).await?;
    let mut keys = awaited(items);
    keys.extend(users(ctx, &templates).await?);
    let keys: Vec<Key> = keys.into_iter().collect();
    let wanted = [Wanted::ready(), Wanted::Templates(templates)];
    waiting::until(ctx, &keys, &wanted, args.timeout, met).await
}

/// What is to be applied.
async fn items(ctx: &Context, args: &ApplyArgs) -> Result<Vec<Item>, CliError> {
    let mut objects = files::load(ctx, &args.files).await?;
    if let Some(selector) = &args.selector {
        let selector: LabelSelector = selector
            .parse()
            .map_err(|error: SelectorError| CliError::Usage(error.to_string()))?;
        objects.retain(|object| selector.matches(object.value.metadata.labels.as_ref()));
        if objects.is_empty() {
            return Err(CliError::Failed(
                "no object in the files has the labels; nothing was changed".to_owned(),
            ));
        }
    }
    Ok(Item::all(objects))
}

/// Has the operator check every object before any is stored, each as if the templates before it were.
async fn rehearse(client: &Client, items: &[Item], mode: DryRun) -> Result<Vec<Step>, CliError> {
    let mut steps = Vec::new();
    let mut problems = Vec::new();
    let mut templates = Vec::new();
    for item in items {
        let live = client.find(&item.key).await?;
        let step = step(item, live.as_ref());
        let proposed = proposed(item, live.as_ref());
        if let Step::Refuse(why) = step {
            problems.push(item.source.problem(Cause::new("", CauseReason::Forbidden, why)));
        } else if mode != DryRun::Client {
            let beside = templates.iter().filter(|(key, _)| item.uses(key));
            let beside: Vec<Value> = beside
                .map(|(_, template): &(_, Value)| template.clone())
                .collect();
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
            templates.push((item.key.clone(), proposed));
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
            return Err(half_done(item, why));
        }
        match step.send(client, &item.key, false).await {
            Ok(()) => return Ok(step.done()),
            Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(half_done(item, &error.to_string())),
        }
    }
}

fn half_done(item: &Item, why: &str) -> CliError {
    let name = object::slashed(&item.key);
    CliError::Failed(format!("{name}: {why}; the objects after it were not applied"))
}

/// What was applied. Suspended objects are left as they are, so there is nothing to wait for.
fn awaited(items: &[Item]) -> BTreeSet<Key> {
    items
        .iter()
        .filter(|item| item.key.kind.owns_agents() && !is_suspended(&item.source.value.spec))
        .map(|item| item.key.clone())
        .collect()
}

/// What was applied and has agents that nobody changes.
fn suspended(items: &[Item]) -> impl Iterator<Item = &Key> {
    let owners = items.iter().filter(|item| item.key.kind.owns_agents());
    let suspended = owners.filter(|item| is_suspended(&item.source.value.spec));
    suspended.map(|item| &item.key)
}

fn is_suspended(spec: &Value) -> bool {
    spec["suspend"] == Value::Bool(true)
}

/// The applied templates as they are now: whoever uses them has to see this state.
async fn templates(ctx: &Context, items: &[Item]) -> Result<Vec<SeenTemplate>, CliError> {
    let mut seen = Vec::new();
    for item in items.iter().filter(|item| item.key.kind == Kind::AgentTemplate) {
        let live = ctx.client.find(&item.key).await?;
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
                    ctx.client.delete(&key, Propagation::Background, trial).await?;
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
