//! `whoosh patch`: changes some fields of an object.

use serde_json::Value;

use crate::cli::args::{DryRun, DryRunArgs};
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{files, object, target};
use crate::resource::yaml;

/// Arguments of `patch`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Suspend a team; null takes a field away
  whoosh patch team/payments -p '{\"spec\": {\"suspend\": true}}'

  # One item of a list
  whoosh patch team/payments --type json -p '[{\"op\": \"replace\", \"path\": \"/spec/roles/0/replicas\", \"value\": 3}]'

  # From a file, or with - from standard input
  whoosh patch team/payments --patch-file change.yaml")]
pub struct PatchArgs {
    /// An object, as KIND/NAME or KIND NAME
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2, add = complete::objects())]
    what: Vec<String>,
    /// The patch, as JSON or YAML
    #[arg(short, long, value_name = "PATCH", required_unless_present = "patch_file")]
    patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE", conflicts_with = "patch", value_hint = clap::ValueHint::FilePath)]
    patch_file: Option<String>,
    /// What the patch is: the fields that change, or a list of operations (RFC 6902)
    #[arg(long = "type", value_name = "TYPE", default_value = "merge")]
    form: Form,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Merge,
    Json,
}

impl Form {
    fn media(self) -> &'static str {
        match self {
            Form::Merge => "application/merge-patch+json",
            Form::Json => "application/json-patch+json",
        }
    }
}

pub(crate) async fn run(ctx: &Context, args: &PatchArgs) -> Result<Outcome, CliError> {
    let (kind, name) = target::parse_one(&args.what)?;
    let key = ctx.key(kind, &name)?;
    if args.dry_run.mode == DryRun::Client {
        return Err(CliError::Usage(
            "to patch is the operator's work: try it with --dry-run=server".to_owned(),
        ));
    }
    let patch = parse(&text(args)?)?;
    let before = ctx.client.get(&key).await?;
    let after = ctx
        .client
        .patch_by(
            &key,
            args.form.media(),
            &patch,
            args.dry_run.mode == DryRun::Server,
        )
        .await?;
    let done = match object::without_owners(before) == object::without_owners(after) {
        true => "patched (no change)",
        false => "patched",
    };
    ctx.print(&format!(
        "{} {done}{}\n",
        object::slashed(&key),
        args.dry_run.mode.suffix()
    ))?;
    Ok(Outcome::Done)
}

fn text(args: &PatchArgs) -> Result<String, CliError> {
    match &args.patch_file {
        Some(file) => files::read_text(file),
        None => Ok(args.patch.clone().unwrap_or_default()),
    }
}

fn parse(text: &str) -> Result<Value, CliError> {
    let yaml::Documents { mut good, faults } = yaml::parse(text);
    if let Some(fault) = faults.first() {
        return Err(CliError::Usage(format!(
            "the patch, line {}: {}",
            fault.place.line, fault.message
        )));
    }
    match (good.pop(), good.len()) {
        (Some(only), 0) => Ok(only.value),
        _ => Err(CliError::Usage(
            "the patch must be one JSON or YAML document".to_owned(),
        )),
    }
}
