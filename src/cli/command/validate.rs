//! `whoosh validate`: checks files as the operator would, without asking it.

use crate::cli::args::FileArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::{files, object, talk};
use crate::resource::validate;

/// Arguments of `validate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Every problem at once, each with its file, line, document and field
  whoosh validate -f team.yaml

  # All manifests of a repository, for a pipeline
  whoosh validate -R -f manifests/")]
pub struct ValidateArgs {
    #[command(flatten)]
    files: FileArgs,
}

pub(crate) async fn run(ctx: &Context, args: &ValidateArgs) -> Result<Outcome, CliError> {
    for object in files::load(ctx, &args.files).await? {
        let name = object::slashed(&object.value.key());
        for warning in validate::warnings(&object.value) {
            talk::say(&format!(
                "Warning: {}:{}: {name}: {warning}",
                object.file, object.line
            ));
        }
        ctx.print(&format!("{name} valid\n"))?;
    }
    Ok(Outcome::Done)
}
