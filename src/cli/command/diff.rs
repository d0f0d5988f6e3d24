//! `whoosh diff`: what applying files would change, in the objects and in the Swarm.

use std::path::PathBuf;

use serde_json::{Value, json};
use similar::TextDiff;

use crate::cli::apply::{Item, declared, proposed};
use crate::cli::args::FileArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::repository::{self, Read, Repository};
use crate::cli::source::{LiveSource, Reading};
use crate::cli::{files, hidden, object, talk};
use crate::git::{Access, Secret};
use crate::resource::manifest::Located;
use crate::resource::names::PINNED;
use crate::resource::preview::Preview;
use crate::resource::proposal::Proposal;
use crate::resource::variables::Variables;
use crate::resource::{Kind, Object, escape, lower, yaml};

/// Arguments of `diff`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
The plan is made by the operator's own planner from what the Swarm runs now:
  +    something new             -    something goes
  +/-  the agent is restarted    ~    changed in place, the agent runs on

Exit codes: 0 no differences, 1 differences, 2 error.

Examples:
  # What would `whoosh apply -f team.yaml` do?
  whoosh diff -f team.yaml

  # In a pipeline: apply only when something changes
  whoosh diff -f fleet/ > plan.txt || whoosh apply -f fleet/ --wait

  # What would a branch of a Git repository change, and delete, if its GitSource applied it?
  whoosh diff --git https://git.example/acme/fleet.git@more-reviewers

  # The same of a repository that not everybody may read: token/ has the file `token`
  whoosh diff --git https://git.example/acme/fleet.git@more-reviewers --git-secret token/")]
pub struct DiffArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Repository whose manifests are compared, in place of files; with a branch, a tag or a commit of it
    ///
    /// The GitSource of the namespace that applies it says which folders are read, what is put for variables, and what is
    /// deleted.
    #[arg(long, value_name = "URL[@REF]", conflicts_with = "file")]
    git: Option<String>,
    /// The folder of its manifests, from the repository's root [default: those of the GitSource, or all]
    #[arg(long, value_name = "DIR", requires = "git")]
    path: Option<String>,
    /// Folder with what the repository is asked with, in files like those of a GitSource's secret
    ///
    /// For https: `password` or `token`, with a `username` if the server wants one, and `ca.crt`. For ssh: `identity` and
    /// `known_hosts`. And `variables`, if the GitSource has its variables' values from a secret.
    #[arg(long, value_name = "DIR", requires = "git")]
    git_secret: Option<PathBuf>,
    /// The GitSource as which it is read [default: the only one of the namespace with this url]
    #[arg(long, value_name = "NAME", requires = "git")]
    source: Option<String>,
    /// Form: json
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Json,
}

/// One object's differences.
struct Difference {
    name: String,
    live: Option<Value>,
    /// `None` when it would be deleted.
    proposed: Option<Value>,
    preview: Preview,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.live == self.proposed && self.preview.changes.is_empty()
    }
}

pub(crate) async fn run(ctx: &Context, args: &DiffArgs) -> Result<Outcome, CliError> {
    let mut differences = Vec::new();
    let mut beside = Vec::new();
    let Declared {
        objects,
        leaving,
        variables,
        is_of_source,
    } = match &args.git {
        Some(repository) => of_repository(ctx, args, &repository::parse(repository)?).await?,
        None => Declared {
            objects: files::load(ctx, &args.files).await?,
            ..Declared::default()
        },
    };
    for item in Item::all(objects) {
        let live = ctx.client.find(&item.key).await?;
        let proposed = proposed(&item, live.as_ref());
        let concerned: Vec<&Value> = beside.iter().filter(|other| concerns(other, &item)).collect();
        let difference = difference(ctx, &item, &proposed, &concerned, &variables).await?;
        // It is judged like all others.
        if is_of_source && live.as_ref().is_some_and(is_pinned) {
            talk::say(&format!(
                "{} stays as it is while it is annotated {PINNED}.",
                object::slashed(&item.key)
            ));
            continue;
        }
        // What comes after it would find it stored.
        if item.key.kind.shapes_owners() && difference.live != difference.proposed {
            beside.push(proposed);
        }
        differences.push(difference);
    }
    for live in leaving {
        differences.push(Difference {
            name: object::slashed(&live.key()),
            live: Some(declared(&live)),
            proposed: None,
            preview: Preview::default(),
        });
    }
    let is_same = differences.iter().all(Difference::is_empty);
    match args.output {
        Some(Form::Json) => ctx.print(&json_text(&differences, &variables)?)?,
        None => {
            let texts: Result<Vec<String>, _> = differences
                .iter()
                .filter(|difference| !difference.is_empty() || !difference.preview.is_empty())
                .map(|difference| text(difference, &variables))
                .collect();
            ctx.print(&texts?.join("\n"))?;
        }
    }
    match is_same {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::Different),
    }
}

/// What is compared with what there is.
#[derive(Default)]
struct Declared {
    objects: Vec<Located<Object>>,
    /// What would be deleted.
    leaving: Vec<Object>,
    /// The values that nobody is shown.
    variables: Variables,
    /// Whether a source applies it, as far as that may.
    is_of_source: bool,
}

/// What a repository declares, and what its source would delete if that were all.
async fn of_repository(
    ctx: &Context,
    args: &DiffArgs,
    repository: &Repository,
) -> Result<Declared, CliError> {
    let (path, name) = (args.path.as_deref(), args.source.as_deref());
    let secret = args.git_secret.clone().map(Secret::at);
    let access = match &secret {
        Some(secret) => repository.access(secret).await?,
        None => Access::default(),
    };
    let Some(source) = LiveSource::find(ctx, repository, path, name).await? else {
        let all = Reading {
            paths: path.iter().map(|path| (*path).to_owned()).collect(),
            ..Reading::default()
        };
        let Read { files, missing, .. } = repository.read(&all, &access).await?;
        if let Some(missing) = missing.first() {
            return Err(repository.failed(missing));
        }
        return Ok(Declared {
            objects: files::check(ctx, &files)?,
            ..Declared::default()
        });
    };
    let name = object::slashed(source.key());
    talk::say(&format!("As {name} applies it:"));
    let variables = match (&source.spec().substitute_from, &secret) {
        (None, _) => Variables::default(),
        (Some(_), Some(secret)) => secret.variables().await.map_err(repository::unusable)?,
        (Some(_), None) => {
            let message = "the GitSource has values of variables from a secret: say with --git-secret in which folder the \
                           file `variables` is";
            return Err(CliError::Usage(message.to_owned()));
        }
    };
    let reading = source.reading(path);
    let is_all = reading.paths == source.spec().folders();
    let Read {
        revision,
        files,
        missing,
    } = repository.read(&reading, &access).await?;
    missing.iter().for_each(|missing| talk::say(&missing.to_string()));
    let objects = files::check_as(source.spec(), &variables, &source.key().namespace, &files)?;
    source.check(&objects, &source.others(ctx).await?)?;
    if !is_all {
        talk::say("What would be deleted is not told of one folder among several.");
        return Ok(Declared {
            objects,
            leaving: Vec::new(),
            variables,
            is_of_source: true,
        });
    }
    let declared = objects.iter().map(|object| object.value.key()).collect();
    let mut leaving: Vec<Object> = Vec::new();
    for key in source.leaving(&declared) {
        let found = ctx.client.find(&key).await?;
        leaving.extend(found.and_then(|found| serde_json::from_value(found).ok()));
    }
    let (removed, held) = source.pruned(&declared, &leaving, &revision);
    let gone = (!missing.is_empty() && !removed.is_empty())
        .then(|| "what was declared there would be deleted".to_owned());
    if let Some(guard) = held.or(gone) {
        let (namespace, short) = (&source.key().namespace, revision.get(..12).unwrap_or(&revision));
        talk::say(&format!(
            "{name} will not apply this until somebody runs `whoosh reconcile {name} -n {namespace} --allow-prune {short}`: \
             {guard}"
        ));
    }
    leaving.retain(|object| removed.contains(&object.key()));
    Ok(Declared {
        objects,
        leaving,
        variables,
        is_of_source: true,
    })
}

fn is_pinned(live: &Value) -> bool {
    live["metadata"]["annotations"].get(PINNED).is_some()
}

/// Whether a template or Policy that would be stored before an object makes a difference to what comes of that.
fn concerns(other: &Value, item: &Item) -> bool {
    let is_template = object::text(other, "/kind") == Kind::AgentTemplate.name();
    let is_named = || lower::template_names(&item.source.value.spec).contains(object::name(other));
    object::namespace(other) == item.key.namespace
        && (!is_template || !item.key.kind.owns_agents() || is_named())
}

async fn difference(
    ctx: &Context,
    item: &Item,
    proposed: &Value,
    beside: &[&Value],
    variables: &Variables,
) -> Result<Difference, CliError> {
    // What the operator warns of is part of its plan; and what comes along is not missing.
    let client = ctx.client.without_warnings();
    let proposal = match client.plan(&item.key, proposed, beside).await {
        Ok(proposal) => proposal,
        Err(error) if !error.causes().is_empty() => {
            let problems = files::refused(&item.source, &error);
            let told = problems
                .iter()
                .map(|problem| variables.hide_in(problem.to_string(), |_| false));
            return Err(files::say_all(told));
        }
        Err(error) => return Err(error.into()),
    };
    let Proposal {
        live,
        proposed,
        preview,
    } = proposal;
    Ok(Difference {
        name: object::slashed(&item.key),
        live: live.as_ref().map(declared),
        proposed: Some(declared(&proposed)),
        preview,
    })
}

fn text(difference: &Difference, variables: &Variables) -> Result<String, CliError> {
    let Difference {
        name,
        live,
        proposed,
        preview,
    } = difference;
    let yaml = |value: &Value| yaml::to_yaml(value).map_err(|error| CliError::Failed(error.to_string()));
    let (live, proposed) = hidden::both(variables, live.as_ref(), proposed.as_ref());
    let live = live.as_ref().map(yaml).transpose()?.unwrap_or_default();
    let proposed = proposed.as_ref().map(yaml).transpose()?.unwrap_or_default();
    let mut text = TextDiff::from_lines(&live, &proposed)
        .unified_diff()
        .context_radius(3)
        .header(&format!("live/{name}"), &format!("proposed/{name}"))
        .to_string();
    if !preview.is_empty() {
        text.push_str(&format!("plan for {name}:\n"));
        for line in preview.to_string().lines() {
            text.push_str(&hidden::change(variables, line));
            text.push('\n');
        }
    }
    Ok(escape::block(&text).into_owned())
}

fn json_text(differences: &[Difference], variables: &Variables) -> Result<String, CliError> {
    let unreadable = |error: serde_json::Error| CliError::Failed(error.to_string());
    let mut all = Vec::new();
    for difference in differences {
        let Difference {
            name,
            live,
            proposed,
            preview,
        } = difference;
        let preview = serde_json::to_value(preview).map_err(unreadable)?;
        let (live, proposed) = hidden::both(variables, live.as_ref(), proposed.as_ref());
        let (_, preview) = hidden::both(variables, None, Some(&preview));
        all.push(json!({
            "object": name,
            "different": !difference.is_empty(),
            "live": live,
            "proposed": proposed,
            "preview": preview,
        }));
    }
    serde_json::to_string_pretty(&all)
        .map(|text| text + "\n")
        .map_err(unreadable)
}
