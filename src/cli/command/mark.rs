//! `whoosh label` and `whoosh annotate`: sets labels and annotations, and takes them away.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::args::{DryRun, DryRunArgs, check_labels};
use crate::cli::change::change;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{object, talk, target};
use crate::resource::Key;

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Labels, by which objects are selected.
    Label,
    /// Annotations, which are notes.
    Annotation,
}

impl Mark {
    fn field(self) -> &'static str {
        match self {
            Mark::Label => "labels",
            Mark::Annotation => "annotations",
        }
    }

    /// What was done, in kubectl's words.
    fn done(self, changes: &Changes) -> &'static str {
        match self {
            Mark::Label if changes.values().all(Option::is_none) => "unlabeled",
            Mark::Label => "labeled",
            Mark::Annotation => "annotated",
        }
    }
}

/// Arguments of `label` and `annotate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples (`annotate` reads the same):
  # Set one, and take another away
  whoosh label team/payments tier=web draft-

  # Give one another value
  whoosh label team/payments tier=db --overwrite

  # All teams of a namespace
  whoosh label teams --all owner=ada -n prod")]
pub struct MarkArgs {
    /// Objects (KIND/NAME…, KIND NAME…, or a kind with -l or --all), then KEY=VALUE to set and KEY- to take away
    #[arg(value_name = "OBJECT… KEY=VALUE…", required = true, add = complete::objects())]
    words: Vec<String>,
    /// Objects of the kind that have these labels
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = check_labels)]
    selector: Option<String>,
    /// Every object of the kind
    #[arg(long, conflicts_with = "selector")]
    all: bool,
    /// Give another value to what has one
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

pub(crate) async fn run(ctx: &Context, args: &MarkArgs, mark: Mark) -> Result<Outcome, CliError> {
    let is_change = |word: &&String| word.contains('=') || word.ends_with('-');
    let (changes, objects): (Vec<&String>, Vec<&String>) = args.words.iter().partition(is_change);
    let changes = read(&changes)?;
    let objects: Vec<String> = objects.into_iter().cloned().collect();
    let mut keys = Vec::new();
    for target in target::parse(&objects)? {
        keys.extend(ctx.keys(target, args.selector.as_deref(), args.all).await?);
    }
    let mut is_refused = false;
    for key in keys {
        let name = object::slashed(&key);
        match marked(ctx, args, mark, &key, &changes).await {
            Ok(done) => ctx.print(&format!("{name} {done}{}\n", args.dry_run.mode.suffix()))?,
            // Without an operator, the others fare no better.
            Err(CliError::Client(error)) if error.code().is_none() => return Err(error.into()),
            Err(error) => {
                talk::say(&format!("error: {name}: {error}"));
                is_refused = true;
            }
        }
    }
    match is_refused {
        true => Err(CliError::Said),
        false => Ok(Outcome::Done),
    }
}

/// Marks one object; what was done.
async fn marked(
    ctx: &Context,
    args: &MarkArgs,
    mark: Mark,
    key: &Key,
    changes: &Changes,
) -> Result<&'static str, CliError> {
    let patch = |live: &Value| patch(live, changes, mark, args.overwrite).map_err(CliError::Failed);
    let is_changed = match args.dry_run.mode {
        DryRun::Client => patch(&ctx.client.get(key).await?)?.is_some(),
        mode => change(ctx, key, mode == DryRun::Server, patch).await?,
    };
    Ok(if is_changed {
        mark.done(changes)
    } else {
        "unchanged"
    })
}

/// What is set to which value; `None` is taken away.
type Changes = BTreeMap<String, Option<String>>;

fn read(words: &[&String]) -> Result<Changes, CliError> {
    let usage = |text: String| Err(CliError::Usage(text));
    let mut changes = Changes::new();
    for word in words {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (word.trim_end_matches('-'), None),
        };
        if key.is_empty() {
            return usage(format!(
                "\"{word}\" has no key: write KEY=VALUE, or KEY- to take it away"
            ));
        }
        if changes.insert(key.to_owned(), value).is_some() {
            return usage(format!("\"{key}\" is there twice"));
        }
    }
    match changes.is_empty() {
        true => usage("nothing is to be changed: write KEY=VALUE, or KEY- to take it away".to_owned()),
        false => Ok(changes),
    }
}

/// The merge patch that makes the changes; `None` when all is so already.
fn patch(live: &Value, changes: &Changes, mark: Mark, overwrite: bool) -> Result<Option<Value>, String> {
    let present = &live["metadata"][mark.field()];
    let mut patch = json!({});
    for (key, value) in changes {
        match (present[key].as_str(), value) {
            (Some(old), Some(new)) if old != new && !overwrite => {
                return Err(format!(
                    "{key} is {old} already; --overwrite gives it another value"
                ));
            }
            (old, new) if old == new.as_deref() => {}
            (_, new) => patch[key] = new.as_deref().into(),
        }
    }
    let is_empty = patch == json!({});
    Ok((!is_empty).then(|| json!({"metadata": {mark.field(): patch}})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let live = json!({"metadata": {"name": "x", "labels": {"tier": "web", "old": "1"}}});
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let made = |given: &[&str], overwrite| {
            let given = words(given);
            let changes = read(&given.iter().collect::<Vec<_>>()).unwrap();
            patch(&live, &changes, Mark::Label, overwrite)
        };
        let labels = |labels: Value| Ok(Some(json!({"metadata": {"labels": labels}})));
        assert_eq!(made(&["tier=web", "none-"], false), Ok(None));
        assert_eq!(
            made(&["a=b=c", "old-"], false),
            labels(json!({"a": "b=c", "old": null}))
        );
        assert_eq!(made(&["tier=db"], true), labels(json!({"tier": "db"})));
        assert_eq!(
            made(&["tier=db"], false).unwrap_err(),
            "tier is web already; --overwrite gives it another value"
        );
        for wrong in [&["=x"][..], &["a=1", "a-"], &[]] {
            let wrong = words(wrong);
            assert!(read(&wrong.iter().collect::<Vec<_>>()).is_err(), "{wrong:?}");
        }
    }
}
