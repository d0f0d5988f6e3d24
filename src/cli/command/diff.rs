//! `whoosh diff`: what applying files would change, in the objects and in the Swarm.

use serde_json::{Value, json};
use similar::TextDiff;

use crate::cli::apply::{Item, declared, proposed};
use crate::cli::args::FileArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::repository::{self, Repository};
use crate::cli::{files, object};
use crate::resource::escape;
use crate::resource::preview::Preview;
use crate::resource::proposal::Proposal;
use crate::resource::yaml;

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

  # What would a branch of a Git repository change?
  whoosh diff --git https://git.example/acme/fleet.git@more-reviewers --path prod")]
pub struct DiffArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Repository whose manifests are compared, in place of files; with a branch, a tag or a commit of it
    ///
    /// It is fetched without credentials. What needs some is compared as a clone of it, by -f.
    #[arg(long, value_name = "URL[@REF]", conflicts_with = "file", value_parser = repository::parse)]
    git: Option<Repository>,
    /// The folder of its manifests, from the repository's root
    #[arg(
        long,
        value_name = "DIR",
        requires = "git",
        default_value = ".",
        hide_default_value = true
    )]
    path: String,
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
    proposed: Value,
    preview: Preview,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.live.as_ref() == Some(&self.proposed) && self.preview.changes.is_empty()
    }
}

pub(crate) async fn run(ctx: &Context, args: &DiffArgs) -> Result<Outcome, CliError> {
    let mut differences = Vec::new();
    let mut beside = Vec::new();
    let objects = match &args.git {
        Some(repository) => files::check(ctx, &repository.read(&args.path).await?)?,
        None => files::load(ctx, &args.files).await?,
    };
    for item in Item::all(objects) {
        let live = ctx.client.find(&item.key).await?;
        let proposed = proposed(&item, live.as_ref());
        differences.push(difference(ctx, &item, &proposed, &beside).await?);
        // What comes after it would find it stored.
        if item.key.kind.shapes_owners() {
            beside.push(proposed);
        }
    }
    match args.output {
        Some(Form::Json) => ctx.print(&json_text(&differences)?)?,
        None => {
            let texts: Result<Vec<String>, _> = differences
                .iter()
                .filter(|difference| !difference.is_empty() || !difference.preview.is_empty())
                .map(text)
                .collect();
            ctx.print(&texts?.join("\n"))?;
        }
    }
    if differences.iter().all(Difference::is_empty) {
        Ok(Outcome::Done)
    } else {
        Ok(Outcome::Different)
    }
}

async fn difference(
    ctx: &Context,
    item: &Item,
    proposed: &Value,
    beside: &[Value],
) -> Result<Difference, CliError> {
    // What the operator warns of is part of its plan; and what comes along is not missing.
    let client = ctx.client.without_warnings();
    let proposal = match client.plan(&item.key, proposed, beside).await {
        Ok(proposal) => proposal,
        Err(error) if !error.causes().is_empty() => {
            return Err(files::say_problems(&files::refused(&item.source, &error)));
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
        proposed: declared(&proposed),
        preview,
    })
}

fn text(difference: &Difference) -> Result<String, CliError> {
    let Difference {
        name,
        live,
        proposed,
        preview,
    } = difference;
    let yaml = |value: &Value| yaml::to_yaml(value).map_err(|error| CliError::Failed(error.to_string()));
    let live = live.as_ref().map(yaml).transpose()?.unwrap_or_default();
    let proposed = yaml(proposed)?;
    let mut text = TextDiff::from_lines(&live, &proposed)
        .unified_diff()
        .context_radius(3)
        .header(&format!("live/{name}"), &format!("proposed/{name}"))
        .to_string();
    if !preview.is_empty() {
        text.push_str(&format!("plan for {name}:\n{preview}"));
    }
    Ok(escape::block(&text).into_owned())
}

fn json_text(differences: &[Difference]) -> Result<String, CliError> {
    let all: Vec<Value> = differences
        .iter()
        .map(|difference| {
            json!({
                "object": difference.name,
                "different": !difference.is_empty(),
                "live": difference.live,
                "proposed": difference.proposed,
                "preview": difference.preview,
            })
        })
        .collect();
    serde_json::to_string_pretty(&all)
        .map(|text| text + "\n")
        .map_err(|error| CliError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(live: Option<Value>, proposed: Value) -> Difference {
        Difference {
            name: "team/pay".to_owned(),
            live,
            proposed,
            preview: Preview::default(),
        }
    }

    #[test]
    fn the_objects_are_compared_line_by_line() {
        let spec = |replicas: u32| json!({"spec": {"roles": [{"name": "dev", "replicas": replicas}]}});
        assert_eq!(
            text(&difference(Some(spec(1)), spec(2))).unwrap(),
            "--- live/team/pay\n+++ proposed/team/pay\n@@ -1,4 +1,4 @@\n spec:\n   roles:\n   - name: dev\n-    \
             replicas: 1\n+    replicas: 2\n"
        );
        assert!(difference(Some(spec(1)), spec(1)).is_empty());
        assert!(!difference(None, spec(1)).is_empty());
    }
}
