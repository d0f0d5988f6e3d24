//! `whoosh export`: what is declared, as manifests to keep in a Git repository.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::apply::declared;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::target::{self, Target};
use crate::cli::{files, talk};
use crate::resource::names::{ALLOW_PRUNE, PINNED, RECONCILE_REQUESTED};
use crate::resource::{Key, Kind, Object, yaml};

/// What `apply` should see first comes first: what others go by or start from.
const ORDER: [Kind; 5] = [
    Kind::Policy,
    Kind::AgentTemplate,
    Kind::Team,
    Kind::Council,
    Kind::GitSource,
];

/// Arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
What the operator adds (status, uid, versions, who owns which field) is left out, and so are owners, who are named by uid: \
the files can be applied to this or another operator. A file that is there already is overwritten.

Examples:
  # Everything in this namespace on standard output
  whoosh export

  # One file for each object, to commit and keep applied
  whoosh export --dir fleet/

  # The teams of all namespaces
  whoosh export teams -A --dir fleet/")]
pub struct ExportArgs {
    /// Objects, as KIND, KIND NAME… or KIND/NAME…; without any, all but GitSources
    #[arg(value_name = "WHAT", add = complete::objects())]
    what: Vec<String>,
    /// Select objects by labels, as in `app=pay,tier!=test`
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Folder to write KIND/NAME.yaml into for each object, with -A below its namespace; instead of standard output
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(crate) async fn run(ctx: &Context, args: &ExportArgs) -> Result<Outcome, CliError> {
    let objects = objects(ctx, args).await?;
    if objects.is_empty() {
        talk::say(&ctx.nothing_found("resources"));
        return Ok(Outcome::Done);
    }
    for object in objects {
        let mut object = object;
        // They are for the object as it is here, and now.
        object.metadata.owner_references = None;
        if let Some(annotations) = &mut object.metadata.annotations {
            annotations
                .retain(|name, _| ![PINNED, RECONCILE_REQUESTED, ALLOW_PRUNE].contains(&name.as_str()));
        }
        let text = yaml::to_yaml(&declared(&object)).map_err(|error| CliError::Failed(error.to_string()))?;
        match &args.dir {
            None => ctx.print(&format!("---\n{text}"))?,
            Some(dir) => {
                let path = dir.join(place(&object.key(), ctx.scope.is_none()));
                files::write(&path, &text)?;
                ctx.print(&format!("{}\n", path.display()))?;
            }
        }
    }
    Ok(Outcome::Done)
}

/// Where below the folder an object's file lies.
fn place(key: &Key, with_namespace: bool) -> PathBuf {
    let place = PathBuf::from(key.kind.singular()).join(format!("{}.yaml", key.name));
    match with_namespace {
        true => PathBuf::from(&key.namespace).join(place),
        false => place,
    }
}

/// What is exported, in the order in which it should be applied. What is being deleted is not declared any more.
async fn objects(ctx: &Context, args: &ExportArgs) -> Result<Vec<Object>, CliError> {
    let targets = match args.what.as_slice() {
        [] => ORDER
            .into_iter()
            .filter(|kind| *kind != Kind::GitSource)
            .map(|kind| Target { kind, name: None })
            .collect(),
        what => target::parse(what)?,
    };
    if let Some(target) = targets.iter().find(|target| !ORDER.contains(&target.kind)) {
        return Err(CliError::Usage(format!(
            "{} cannot be exported: the operator makes them of what is declared",
            target.kind.plural()
        )));
    }
    let mut found: Vec<Value> = Vec::new();
    for target in targets {
        let labels = args.selector.as_deref();
        match target.name {
            None => {
                let selection = ctx.selection(target.kind, labels);
                found.extend(ctx.client.list(&selection).await?.items);
            }
            Some(_) => {
                for key in ctx.keys(target, labels, false).await? {
                    found.push(ctx.client.get(&key).await?);
                }
            }
        }
    }
    let objects = found.into_iter().map(serde_json::from_value::<Object>);
    let mut objects = objects
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CliError::Failed(format!("the operator's answer cannot be read: {error}")))?;
    objects.retain(|object| !object.is_deleting());
    objects.sort_by_key(|object| {
        let rank = ORDER.iter().position(|kind| *kind == object.kind);
        (rank, object.key())
    });
    objects.dedup_by_key(|object| object.key());
    Ok(objects)
}
